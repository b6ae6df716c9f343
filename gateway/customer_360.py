"""A customer from all sides: one call per part, in parallel, each within its own budget."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

from contracts import customers, marketing, notifications, sales, service_desk
from crmkit import codec
from crmkit.clock import now
from crmkit.context import Actor, Context
from crmkit.errors import CrmError, Unavailable
from crmkit.messages import Query
from gateway.resources import Resources
from gateway.routes import Call, Composed

log = logging.getLogger(__name__)

PROFILE_SECONDS, PART_SECONDS = 1.5, 0.8
PART_ITEMS = 10

PARTS: dict[str, tuple[type[Query], str]] = {
    "opportunities": (sales.ListOpportunities, "opportunities.read"),
    "orders": (sales.ListOrders, "orders.read"),
    "tickets": (service_desk.ListTickets, "tickets.read"),
    "messages": (notifications.ListMessages, "messages.read"),
    "campaigns": (marketing.ListCustomerCampaigns, "campaigns.read"),
}
"""Each part with the list it comes from, asked for this customer, and the permission to see it."""


async def view_customer(resources: Resources, call: Call) -> Composed:
    """The customer with all parts the principal may see, as far as their services answer.

    All are asked at the same time. When the customer's own service is silent, ``customer`` is null
    and the parts stand alone; when it refuses, so does the view.
    """
    customer_id = call.request["customer_id"]
    profile = _profile(resources, customer_id, call.context)
    allowed = _allowed(call)
    asked = [
        asyncio.create_task(_part(resources, name, customer_id, replace(call.context, actor=actor)))
        for name, actor in allowed.items()
    ]
    try:
        customer = await profile
    except BaseException:
        for task in asked:
            task.cancel()
        raise
    parts = dict(zip(allowed, await asyncio.gather(*asked), strict=True))
    missing = ["customer"] if customer is None else []
    missing += [name for name, part in parts.items() if part["status"] != "ok"]
    body = codec.dumps({"customer": customer, "parts": parts})
    return Composed(body, headers=(("degraded", ", ".join(missing)),) if missing else ())


async def _profile(resources: Resources, customer_id: Any, context: Context) -> Any:
    request = {"customer_id": customer_id}
    try:
        answer = await resources.client.call(
            customers.GetCustomer, request, context, seconds=PROFILE_SECONDS
        )
    except Unavailable as error:
        log.warning("The customer is missing from its view.", extra={"cause": str(error)})
        return None
    return codec.loads(answer.body)


def _allowed(call: Call) -> dict[str, Actor]:
    """The parts the principal may see, with the scope in which it may."""
    if call.principal is None:
        return {}
    found = {name: call.principal.actor(permission) for name, (_, permission) in PARTS.items()}
    return {name: actor for name, actor in found.items() if actor is not None}


async def _part(
    resources: Resources, name: str, customer_id: Any, context: Context
) -> dict[str, Any]:
    """One part; a service that does not answer, or refuses, makes it unavailable and no more."""
    command, _ = PARTS[name]
    request = {"filter": {"customer_id": str(customer_id)}, "limit": PART_ITEMS}
    try:
        answer = await resources.client.call(command, request, context, seconds=PART_SECONDS)
    except CrmError as error:
        log.warning("A part of a customer is missing.", extra={"part": name, "cause": str(error)})
        return {"status": "unavailable", "as_of": None, "items": [], "more": False}
    page = codec.loads(answer.body)
    more = page["page"]["next"] is not None
    return {"status": "ok", "as_of": now(), "items": page["items"], "more": more}
