"""The API of the service desk."""

from contracts import service_desk as contract
from gateway.routes import PUBLIC, Route

ROUTES: list[Route] = [
    Route(
        "POST",
        "/v1/feedback",
        contract.RecordFeedback,
        permission="feedback.write",
        summary="Take down what a customer says; a complaint or question opens a ticket.",
        status=201,
    ),
    Route(
        "GET",
        "/v1/feedback",
        contract.ListFeedback,
        permission="feedback.read",
        summary="List feedback.",
    ),
    Route(
        "GET",
        "/v1/feedback/{feedback_id}",
        contract.GetFeedback,
        permission="feedback.read",
        summary="Read one piece of feedback.",
    ),
    Route(
        "GET",
        "/v1/tickets",
        contract.ListTickets,
        permission="tickets.read",
        summary="List tickets.",
    ),
    Route(
        "GET",
        "/v1/tickets/{ticket_id}",
        contract.GetTicket,
        permission="tickets.read",
        summary="Read one ticket with its history.",
    ),
    Route(
        "POST",
        "/v1/tickets/{ticket_id}/actions/start",
        contract.StartTicket,
        permission="tickets.write",
        summary="Take up the work on a ticket.",
    ),
    Route(
        "POST",
        "/v1/tickets/{ticket_id}/actions/assign",
        contract.AssignTicket,
        permission="tickets.write",
        summary="Give a ticket to another agent.",
    ),
    Route(
        "POST",
        "/v1/tickets/{ticket_id}/actions/resolve",
        contract.ResolveTicket,
        permission="tickets.write",
        summary="Say what came of a ticket and ask the customer how content they are.",
    ),
    Route(
        "POST",
        "/v1/tickets/{ticket_id}/actions/reopen",
        contract.ReopenTicket,
        permission="tickets.write",
        summary="Take up a resolved or closed ticket again.",
    ),
    Route(
        "GET",
        "/v1/surveys/{token}",
        contract.GetSurvey,
        permission=PUBLIC,
        summary="Read the survey behind a link.",
    ),
    Route(
        "POST",
        "/v1/surveys/{token}/actions/answer",
        contract.AnswerSurvey,
        permission=PUBLIC,
        summary="Answer the survey behind a link, once.",
        description="A second answer is refused with already_answered, so no key is needed.",
    ),
]
