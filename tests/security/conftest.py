"""One of each role, logged in to the running stack, with records of their own and of others."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from crmkit.local.stack import LocalStack
from tests.security.people import READER, Person, World, make_records, reads

_DEMO = {
    "owner": ("junho.lee", ("sales",)),
    "teammate": ("sujin.choi", ("sales",)),
    "stranger": ("misaki.suzuki", ("sales",)),
    "manager": ("jiyoung.park", ("manager", "sales")),
    "other_manager": ("kenichi.sato", ("manager", "sales")),
    "agent": ("seoyeon.han", ("service",)),
    "other_agent": ("shota.ito", ("service",)),
    "marketer": ("daniel.reed", ("marketing",)),
    "admin": ("admin", ("admin",)),
}


@pytest.fixture(scope="session")
def world(stack: LocalStack) -> Iterator[World]:
    """Everybody and everything that the attacks are about."""
    password = stack.addresses()["password"]
    with ExitStack() as open_clients:
        people: dict[str, Person] = {}
        for name, (local, roles) in _DEMO.items():
            person = open_clients.enter_context(Person(stack.base_url, name, roles))
            people[name] = person.enter(f"{local}@rapport.example", password)
        admin = people["admin"]
        permissions = sorted(reads())
        admin.ask("PUT", f"/v1/roles/{READER}", {"permissions": permissions, "scope": "own"})
        team_id = admin.read(f"/v1/staff/{people['owner'].id}")["team_id"]
        for name, role in (("reader", READER), ("director", "director")):
            email = f"{name}@security.example"
            admin.create(
                "/v1/staff",
                name=name.title(),
                email=email,
                team_id=team_id,
                roles=[role],
                password=password + " and more",
            )
            person = open_clients.enter_context(Person(stack.base_url, name, (role,)))
            people[name] = person.enter(email, password + " and more")
        key = open_clients.enter_context(Person(stack.base_url, "erp", ("integration",)))
        key.headers["Authorization"] = f"Bearer {stack.env()['ERP_API_KEY']}"
        people["erp"] = key
        campaign = people["marketer"].create(
            "/v1/campaigns",
            name="Mine",
            channels=["email"],
            default_language="en",
            audience={"countries": ["KR"]},
            contents=[{"language": "en", "subject": "S", "email_body": "B"}],
        )
        own = make_records(people["owner"], admin)
        foreign = make_records(people["stranger"], admin)
        yield World(people, own, foreign, campaign["id"])
