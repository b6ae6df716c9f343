"""The rows of sales: opportunities, orders and tasks."""

from contracts import sales
from gateway.routes import Route

ROUTES = [
    Route(
        "POST",
        "/v1/opportunities",
        sales.CreateOpportunity,
        permission="opportunities.write",
        summary="Open an opportunity.",
        status=201,
    ),
    Route(
        "GET",
        "/v1/opportunities",
        sales.ListOpportunities,
        permission="opportunities.read",
        summary="List opportunities.",
    ),
    Route(
        "GET",
        "/v1/opportunities/{opportunity_id}",
        sales.GetOpportunity,
        permission="opportunities.read",
        summary="Show an opportunity.",
    ),
    Route(
        "PATCH",
        "/v1/opportunities/{opportunity_id}",
        sales.UpdateOpportunity,
        permission="opportunities.write",
        summary="Change an open opportunity.",
    ),
    Route(
        "POST",
        "/v1/opportunities/{opportunity_id}/actions/move",
        sales.MoveOpportunity,
        permission="opportunities.write",
        summary="Put an open opportunity into another stage.",
    ),
    Route(
        "POST",
        "/v1/opportunities/{opportunity_id}/actions/win",
        sales.WinOpportunity,
        permission="opportunities.write",
        summary="Win an opportunity and place its order.",
        description=(
            "The sum of the lines becomes the total of the order and the amount of the "
            "opportunity; they must be in its currency. Without lines the order has one, with the "
            "title and the amount of the opportunity. Payment is due after 30 days unless "
            "`payment_due_on` names a day, or is null for none."
        ),
    ),
    Route(
        "POST",
        "/v1/opportunities/{opportunity_id}/actions/lose",
        sales.LoseOpportunity,
        permission="opportunities.write",
        summary="Close an opportunity as lost.",
    ),
    Route(
        "GET",
        "/v1/orders",
        sales.ListOrders,
        permission="orders.read",
        summary="List orders.",
    ),
    Route(
        "GET",
        "/v1/orders/{order_id}",
        sales.GetOrder,
        permission="orders.read",
        summary="Show an order.",
    ),
    Route(
        "POST",
        "/v1/orders/{order_id}/actions/record-payment",
        sales.RecordPayment,
        permission="orders.write",
        summary="Note money that came in for an order.",
        description="Refused in another currency than the order's, or beyond what is still open.",
    ),
    Route(
        "POST",
        "/v1/tasks",
        sales.CreateTask,
        permission="tasks.write",
        summary="Give somebody something to do.",
        status=201,
    ),
    Route(
        "GET",
        "/v1/tasks",
        sales.ListTasks,
        permission="tasks.read",
        summary="List tasks.",
    ),
    Route(
        "GET",
        "/v1/tasks/{task_id}",
        sales.GetTask,
        permission="tasks.read",
        summary="Show a task.",
    ),
    Route(
        "POST",
        "/v1/tasks/{task_id}/actions/complete",
        sales.CompleteTask,
        permission="tasks.write",
        summary="Say that a task is done.",
    ),
]
