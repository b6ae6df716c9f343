"""Step 7: everything about a customer in one answer, also with a service gone; and the feed."""

import httpx

from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from tests.talking import Api, Json

PARTS = {"opportunities", "orders", "tickets", "messages", "campaigns"}


def bought_once(api: Api) -> Json:
    """A customer with an order."""
    customer = api.new_customer()
    opportunity = api.create(
        "/v1/opportunities",
        customer_id=customer["id"],
        title="All of it",
        amount={"amount": "100", "currency": "USD"},
    )
    api.act(f"/v1/opportunities/{opportunity['id']}", "win")
    return customer


def seen(api: Api, customer: Json, *, without: str) -> httpx.Response:
    """The whole view once just those parts are missing from it, named as in its header.

    A part is waited for for less than a second, which a service on a busy machine may need.
    """

    def probe() -> httpx.Response:
        answer = api.get(f"/v1/customers/{customer['id']}/360")
        assert (answer.status_code, answer.headers.get("degraded", "")) == (200, without)
        return answer

    return eventually(probe)


def test_everything_about_a_customer_comes_in_one_answer(api: Api) -> None:
    customer = bought_once(api)
    view = seen(api, customer, without="").json()
    assert view["customer"]["id"] == customer["id"]
    assert view["parts"].keys() == PARTS
    assert {part["status"] for part in view["parts"].values()} == {"ok"}
    assert len(view["parts"]["orders"]["items"]) == 1
    assert len(view["parts"]["opportunities"]["items"]) == 1


def test_a_service_that_is_gone_only_leaves_its_part_out(api: Api, stack: LocalStack) -> None:
    customer = bought_once(api)
    stack.stop_process("service_desk")
    try:
        parts = seen(api, customer, without="tickets").json()["parts"]
        assert parts["tickets"]["status"] == "unavailable"
        assert parts["orders"]["status"] == "ok"
    finally:
        stack.start_process("service_desk")


def test_without_the_customers_own_service_the_parts_stand_alone(
    api: Api, stack: LocalStack
) -> None:
    customer = bought_once(api)
    stack.stop_process("customers")
    try:
        view = seen(api, customer, without="customer").json()
        assert view["customer"] is None
        assert len(view["parts"]["orders"]["items"]) == 1
    finally:
        stack.start_process("customers")
    # The breaker of the gateway lets a probe through after two seconds.
    eventually(lambda: api.get(f"/v1/customers/{customer['id']}").is_success)


def test_the_feed_tells_what_happened_and_goes_on_from_a_cursor(api: Api) -> None:
    start = api.read("/v1/events", limit=500)
    while len(start["items"]) == 500:
        start = api.read("/v1/events", limit=500, after=start["page"]["next"])
    customer = bought_once(api)

    def news() -> list[Json]:
        page = api.read("/v1/events", after=start["page"]["next"], limit=500, types="crm.sales.*")
        mine = [e for e in page["items"] if e["data"].get("customer_id") == customer["id"]]
        assert {"crm.sales.opportunity.won.v1", "crm.sales.order.submitted.v1"} <= {
            event["type"] for event in mine
        }
        return mine

    events = eventually(news)
    assert all(event["specversion"] == "1.0" for event in events)
    assert len({event["id"] for event in events}) == len(events)
