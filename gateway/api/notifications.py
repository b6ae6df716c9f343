"""The endpoints of notifications: messages, reminders and the inbox."""

from contracts import notifications as contract
from gateway.routes import PUBLIC, Route

ROUTES: list[Route] = [
    Route(
        "GET",
        "/v1/messages",
        contract.ListMessages,
        permission="messages.read",
        summary="List messages and what became of them.",
    ),
    Route(
        "GET",
        "/v1/messages/{message_id}",
        contract.GetMessage,
        permission="messages.read",
        summary="Get a message.",
    ),
    Route(
        "POST",
        "/v1/unsubscribes/{token}",
        contract.Unsubscribe,
        permission=PUBLIC,
        summary="Want no more advertising, by the link in a message.",
        description="Asking twice changes nothing. Mail programs use POST /u/{token} (RFC 8058).",
    ),
    Route(
        "POST",
        "/v1/reminders",
        contract.CreateReminder,
        permission="reminders.write",
        summary="Be reminded, or have a colleague reminded.",
        status=201,
    ),
    Route(
        "GET",
        "/v1/reminders",
        contract.ListReminders,
        permission="reminders.read",
        summary="List reminders.",
    ),
    Route(
        "GET",
        "/v1/reminders/{reminder_id}",
        contract.GetReminder,
        permission="reminders.read",
        summary="Get a reminder.",
    ),
    Route(
        "POST",
        "/v1/reminders/{reminder_id}/actions/acknowledge",
        contract.AcknowledgeReminder,
        permission="reminders.write",
        summary="Say that a reminder was taken care of.",
    ),
    Route(
        "POST",
        "/v1/reminders/{reminder_id}/actions/cancel",
        contract.CancelReminder,
        permission="reminders.write",
        summary="Cancel a reminder.",
    ),
    Route(
        "POST",
        "/v1/reminders/{reminder_id}/actions/snooze",
        contract.SnoozeReminder,
        permission="reminders.write",
        summary="Be reminded again later.",
    ),
    Route(
        "GET",
        "/v1/inbox",
        contract.ListInboxItems,
        permission="inbox.read",
        summary="List one's own inbox.",
    ),
    Route(
        "POST",
        "/v1/inbox/{item_id}/actions/read",
        contract.ReadInboxItem,
        permission="inbox.write",
        summary="Mark an entry of one's inbox as read.",
    ),
]
