"""Step 2: customers in four languages are registered, read, changed and found."""

import uuid
from typing import Any

import pytest

from tests.talking import Api

PEOPLE = {
    "ko": (("남궁", "하늘"), "KR", "010-2345-7181", ["궁하", "남", "ㄴㄱ", "7181"]),
    "ja": (("小鳥遊", "蓮"), "JP", "090-1234-7282", ["鳥遊", "蓮", "7282"]),
    "zh-Hans": (("歐陽", "晓"), "CN", "139 1234 7383", ["欧阳", "晓", "7383"]),
    "en": (("Featherstone", "Zoë"), "US", "+1 415 555 0184", ["thersto", "0184"]),
}


@pytest.mark.parametrize("language", PEOPLE)
def test_a_customer_is_found_by_any_part_of_the_name_and_the_end_of_the_phone(
    api: Api, language: str
) -> None:
    (family, given), country, phone, parts = PEOPLE[language]
    email = f"{uuid.uuid4().hex[:12]}@customers.example"
    points: list[dict[str, Any]] = [
        {"kind": "phone", "value": phone},
        {"kind": "email", "value": email},
    ]
    customer = api.create(
        "/v1/customers",
        kind="person",
        name={"family": family, "given": given},
        language=language,
        country=country,
        contact_points=points,
        consents=[{"channel": "email", "granted": True, "source": "fair", "proof": "Signed."}],
    )
    assert api.read(f"/v1/customers/{customer['id']}") == customer
    for part in [*parts, email]:
        page = api.read("/v1/customers", q=part, limit=200)
        assert customer["id"] in [item["id"] for item in page["items"]], part


def test_a_change_needs_the_version_that_was_seen(api: Api) -> None:
    customer = api.new_customer()
    path = f"/v1/customers/{customer['id']}"
    seen = api.get(path).headers["etag"]
    assert api.answer("PATCH", path, {"city": "서울"}).status_code == 428
    changed = api.ask("PATCH", path, {"city": "서울"}, If_Match=seen)
    assert changed["city"] == "서울"
    late = api.answer("PATCH", path, {"city": "부산"}, If_Match=seen)
    assert late.status_code == 412
    assert late.json()["code"] == "stale_version"
    assert api.read(path)["city"] == "서울"


def test_the_same_key_registers_one_customer(api: Api) -> None:
    name = {"full": "㈜한빛상사"}
    body = {"kind": "organisation", "name": name, "language": "ko", "country": "KR"}
    key = str(uuid.uuid4())
    first = api.answer("POST", "/v1/customers", body, Idempotency_Key=key)
    second = api.answer("POST", "/v1/customers", body, Idempotency_Key=key)
    assert first.status_code == second.status_code == 201
    assert second.json() == first.json()
    assert second.headers["idempotent-replayed"] == "true"
    other = api.answer("POST", "/v1/customers", body | {"country": "US"}, Idempotency_Key=key)
    assert other.status_code == 422


def test_what_does_not_fit_is_named_field_by_field(api: Api) -> None:
    answer = api.answer(
        "POST",
        "/v1/customers",
        {
            "kind": "person",
            "name": {"full": "A B"},
            "language": "tlh",
            "country": "KR",
            "shoe_size": 43,
            "contact_points": [{"kind": "email", "value": "nobody"}],
        },
    )
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/language", "/shoe_size"}
