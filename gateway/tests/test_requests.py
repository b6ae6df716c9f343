"""Reading fields out of paths, bodies, queries and headers."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import customers, sales
from crmkit import codec
from gateway import requests
from gateway.problems import Problem
from gateway.routes import Route

JSON = "application/json"
UPDATE = Route(
    "PATCH", "/v1/customers/{customer_id}", customers.UpdateCustomer, "customers.write", "Change."
)
CREATE = Route("POST", "/v1/customers", customers.RegisterCustomer, "customers.write", "Add.")
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
LIST = Route("GET", "/v1/orders", sales.ListOrders, "orders.read", "List.")


def refused(status: int, code: str):
    return pytest.raises(Problem, match=rf"\({status}, '{code}'")


class TestBody:
    def test_composes_hangul_and_kana_typed_on_a_mac(self):
        body = codec.dumps({"name": normalize("NFD", "한글が"), "tags": [normalize("NFD", "é")]})
        assert requests.from_body(body, JSON) == {"name": "한글が", "tags": ["é"]}

    def test_composes_what_comes_as_escapes_in_plain_ascii(self):
        assert requests.from_body(rb'{"name": "e\u0301"}', JSON) == {"name": "é"}

    def test_composes_the_names_of_fields_too(self):
        body = codec.dumps({normalize("NFD", "가"): 1})
        assert requests.from_body(body, JSON) == {"가": 1}

    def test_refuses_what_the_database_cannot_store(self):
        with refused(400, "nul_character"):
            requests.from_body(rb'{"name": "a\u0000b"}', JSON)

    def test_refuses_nesting_beyond_twenty_levels(self):
        deep = b'{"a":' * 20 + b"1" + b"}" * 20
        assert requests.from_body(deep, JSON)
        with refused(400, "too_deep"):
            requests.from_body(b'{"a":' + deep + b"}", JSON)

    def test_refuses_lists_beyond_ten_thousand_members(self):
        assert requests.from_body(codec.dumps({"a": [1] * 10_000}), JSON)
        with refused(400, "too_long"):
            requests.from_body(codec.dumps({"a": [1] * 10_001}), JSON)

    @pytest.mark.parametrize("body", [b"{", b"{'a': 1}", b"\xff", b'{"a": NaN}', b"[" * 100_000])
    def test_refuses_what_is_no_json(self, body: bytes):
        with refused(400, "malformed_json"):
            requests.from_body(body, JSON)

    @pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"text"'])
    def test_refuses_what_is_no_object(self, body: bytes):
        with refused(400, "not_an_object"):
            requests.from_body(body, JSON)

    @pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
    def test_refuses_other_types(self, kind: str | None):
        with refused(415, "unsupported_content_type"):
            requests.from_body(b"{}", kind)

    @pytest.mark.parametrize(
        "kind", [JSON, "application/json; charset=utf-8", "application/merge-patch+json"]
    )
    def test_takes_json_by_any_of_its_names(self, kind: str):
        assert requests.from_body(b"{}", kind) == {}

    def test_takes_an_empty_body_as_no_fields(self):
        assert requests.from_body(b"", None) == {}

    @given(st.recursive(WORDS | st.integers(0, 9), st.lists, max_leaves=20))
    def test_leaves_every_string_composed(self, value: object):
        tidied = requests.from_body(codec.dumps({"a": value}), JSON)
        text = codec.dumps(tidied).decode()
        assert normalize("NFC", text) == text


class TestQuery:
    def test_nests_filters_and_their_operators(self):
        query = b"filter[status]=open&filter%5Bamount%5D%5Bgte%5D=1&filter[amount][lt]=9&sort=-a"
        assert requests.from_query(query, frozenset()) == {
            "filter": {"status": "open", "amount": {"gte": "1", "lt": "9"}},
            "sort": "-a",
        }

    def test_passes_unknown_names_on_for_the_owner_to_refuse(self):
        assert requests.from_query(b"filtre=1&filter=x", frozenset()) == {
            "filtre": "1",
            "filter": "x",
        }

    @pytest.mark.parametrize(
        "query",
        [
            b"a=1&a=2",
            b"filter[a]=1&filter[a]=2",
            b"filter[a]=1&filter[a][gt]=2",
            b"filter[a][gt]=1&filter[a][gt]=2",
            b"filter=1&filter[a]=2",
        ],
    )
    def test_refuses_a_name_that_stands_there_twice(self, query: bytes):
        with refused(400, "invalid_query"):
            requests.from_query(query, frozenset())

    def test_collects_the_names_that_are_lists(self):
        assert requests.from_query(b"tag=a&tag=b", frozenset(("tag",))) == {"tag": ["a", "b"]}

    def test_decodes_and_composes(self):
        assert requests.from_query(b"q=%E1%84%80%E1%85%A1+a%2Bb", frozenset()) == {"q": "가 a+b"}

    @pytest.mark.parametrize("query", [b"q=%ff", b"%C3%28=1"])
    def test_refuses_what_is_not_utf_8(self, query: bytes):
        with refused(400, "malformed_query"):
            requests.from_query(query, frozenset())

    def test_refuses_a_hundred_and_one_parameters(self):
        with refused(400, "too_many_parameters"):
            requests.from_query(b"&".join(b"a%d=" % n for n in range(101)), frozenset())


class TestFields:
    headers = {b"content-type": b"application/json", b"if-match": b'"v7"'}

    def test_come_from_path_body_and_if_match_together(self):
        fields = requests.fields_of(UPDATE, ["an-id"], b"", b'{"city": "Seoul"}', self.headers)
        assert fields == {"customer_id": "an-id", "city": "Seoul", "if_match": 7}

    @pytest.mark.parametrize("body", [b'{"customer_id": "x"}', b'{"if_match": 7}'])
    def test_are_said_once_only(self, body: bytes):
        with refused(422, "invalid"):
            requests.fields_of(UPDATE, ["an-id"], b"", body, self.headers)

    def test_of_a_body_are_not_in_the_query(self):
        with refused(400, "unexpected_query"):
            requests.fields_of(UPDATE, ["an-id"], b"a=1", b"{}", self.headers)

    def test_of_a_list_are_in_the_query(self):
        fields = requests.fields_of(LIST, [], b"filter[status]=open&limit=5", b"", {})
        assert fields == {"filter": {"status": "open"}, "limit": "5"}


class TestIfMatch:
    def test_is_needed_to_change_a_record(self):
        with refused(428, "if_match_missing"):
            requests.version_in(None, needed=True)
        assert requests.version_in(None, needed=False) is None

    @pytest.mark.parametrize("value", [b"v3", b"3", b'W/"v3"', b"*", b'"v1", "v2"', b'"v-1"', b""])
    def test_is_one_strong_tag_of_ours(self, value: bytes):
        with refused(400, "if_match_malformed"):
            requests.version_in(value, needed=True)


class TestIdempotencyKey:
    headers = {b"idempotency-key": b"k"}

    def test_is_needed_on_a_post_that_writes(self):
        with refused(400, "idempotency_key_missing"):
            requests.idempotency(CREATE, "/v1/customers", "me", {})
        assert requests.idempotency(UPDATE, "/v1/customers/1", "me", {}) is None

    @pytest.mark.parametrize("key", [b"", b"x" * 256, b"a\tb", "é".encode()])
    def test_is_printable_and_bounded(self, key: bytes):
        with refused(400, "idempotency_key_malformed"):
            requests.idempotency(CREATE, "/v1/customers", "me", {b"idempotency-key": key})

    def test_counts_per_principal_and_address(self):
        ids = {
            requests.idempotency(CREATE, path, who, self.headers)
            for path in ("/v1/customers", "/v1/orders")
            for who in ("me", "you")
        }
        assert len(ids) == 4
        again = requests.idempotency(CREATE, "/v1/customers", "me", self.headers)
        assert again in ids

    def test_is_nobodys_without_a_login(self):
        assert requests.idempotency(CREATE, "/v1/customers", None, self.headers) is None

    def test_has_a_fingerprint_that_does_not_depend_on_order(self):
        told = requests.fingerprint({"a": 1, "b": 2}, b"key")
        assert told == requests.fingerprint({"b": 2, "a": 1}, b"key")
        assert told != requests.fingerprint({"a": 1, "b": 3}, b"key")
        assert told != requests.fingerprint({"a": 1, "b": 2}, b"another key")
