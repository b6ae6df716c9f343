"""What HTTP shows, from the request to the bus and back, without either."""

import re

import pytest

from crmkit import codec, errors
from crmkit.db import Encoded
from gateway import customer_360
from gateway.limits import Limit
from gateway.schemas import ID

FOUND = Encoded(codec.dumps({"id": ID, "version": 3, "name": "김"}), 3)
PATH = f"/v1/customers/{ID}"


def refuse(error: Exception):
    def answer(*_):
        raise error

    return answer


class TestAnswer:
    def test_is_the_services_bytes_untouched(self, http, bus):
        bus.answer = lambda *_: FOUND
        answer = http("GET", PATH)
        assert (answer.status_code, answer.content) == (200, FOUND.body)
        assert answer.headers["content-type"] == "application/json"

    def test_carries_the_version_as_etag(self, http, bus):
        bus.answer = lambda *_: FOUND
        assert http("GET", PATH).headers["etag"] == '"v3"'

    @pytest.mark.parametrize("tag", ['"v3"', 'W/"v3"', '"v1", "v3"', "*"])
    def test_is_304_for_who_has_it(self, http, bus, tag: str):
        bus.answer = lambda *_: FOUND
        answer = http("GET", PATH, headers={"if-none-match": tag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == '"v3"'

    def test_says_where_the_new_record_is(self, http, bus):
        bus.answer = lambda *_: FOUND
        answer = http("POST", "/v1/customers", json={})
        assert answer.status_code == 201
        assert answer.headers["location"] == PATH

    def test_says_when_it_was_stored(self, http, bus):
        bus.answer = lambda *_: Encoded(FOUND.body, 3, replayed=True)
        answer = http("POST", "/v1/customers", json={})
        assert answer.headers["idempotent-replayed"] == "true"

    def test_to_head_has_no_body(self, http, bus):
        bus.answer = lambda *_: FOUND
        answer = http("HEAD", PATH)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == str(len(FOUND.body))


class TestEveryAnswer:
    @pytest.mark.parametrize("path", [PATH, "/nowhere", "/healthz", "/docs", "/openapi.json"])
    def test_has_a_request_id_and_is_safe(self, http, path: str):
        headers = http("GET", path).headers
        assert headers["request-id"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers

    def test_forbids_a_browser_everything(self, http):
        policy = http("GET", PATH).headers.get_list("content-security-policy")
        assert len(policy) == 1
        assert "default-src 'none'" in policy[0]
        assert "frame-ancestors 'none'" in policy[0]

    def test_keeps_a_sane_request_id(self, http, bus):
        answer = http("GET", PATH, headers={"request-id": "mine-12345678"})
        assert answer.headers["request-id"] == "mine-12345678"
        assert bus.context.request_id == "mine-12345678"

    @pytest.mark.parametrize("mad", ["short", "x" * 65, "with space", "a;b:c<script>"])
    def test_replaces_a_mad_request_id(self, http, mad: str):
        assert http("GET", PATH, headers={"request-id": mad}).headers["request-id"] != mad

    def test_tells_the_rate_limit(self, http):
        headers = http("GET", PATH).headers
        assert headers["ratelimit-policy"] == '"default";q=20000;w=2'
        assert headers["ratelimit"].startswith('"default";r=')


class TestRefusal:
    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("GET", "/nowhere", 404, "path_not_found"),
            ("GET", "/v1/customers/", 404, "path_not_found"),
            ("PUT", "/v1/customers", 405, "method_not_allowed"),
            ("POST", "/healthz", 405, "method_not_allowed"),
            ("PATCH", PATH, 428, "if_match_missing"),
            ("GET", "/dev/inbox", 404, "path_not_found"),
        ],
    )
    def test_has_one_shape_wherever_it_comes_from(
        self, http, method: str, path: str, status: int, code: str
    ):
        answer = http(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        shown = answer.json()
        assert (shown["status"], shown["code"], shown["instance"]) == (status, code, path)
        assert shown["request_id"] == answer.headers["request-id"]

    def test_names_the_methods_that_are_allowed(self, http):
        assert http("PUT", "/v1/customers").headers["allow"] == "GET, HEAD, OPTIONS, POST"
        assert http("OPTIONS", "/v1/customers").headers["allow"] == "GET, HEAD, OPTIONS, POST"

    def test_by_the_owner_becomes_a_problem(self, http, bus):
        bus.answer = refuse(errors.stale(3, 5))
        answer = http("PATCH", PATH, json={"city": "x"}, headers={"if-match": '"v3"'})
        assert answer.status_code == 412
        assert answer.json()["current_version"] == 5

    def test_by_nobody_is_a_bug_that_says_nothing(self, http, bus):
        bus.answer = refuse(RuntimeError("secret"))
        answer = http("GET", PATH)
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        assert b"secret" not in answer.content

    def test_for_the_moment_says_when_to_ask_again(self, http, bus):
        bus.answer = refuse(errors.Unavailable("service_unavailable", "No.", {"retry_after": 1}))
        answer = http("GET", PATH)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["retryable"] is True

    def test_is_said_in_the_readers_language(self, http):
        answer = http("GET", "/nowhere", headers={"accept-language": "ko-KR"})
        assert answer.headers["content-language"] == "ko"
        assert answer.json()["title"] == "찾을 수 없습니다"

    def test_of_a_body_that_is_too_large_is_413(self, http):
        headers = {"if-match": '"v1"'}
        answer = http("PATCH", PATH, content=b"x" * 30_001, headers=headers)
        assert answer.status_code == 413

    def test_of_a_streamed_body_that_is_too_large_is_413(self, http):
        def chunks():
            for _ in range(31):
                yield b"x" * 1000

        async def stream():
            for chunk in chunks():
                yield chunk

        headers = {"if-match": '"v1"', "content-type": "application/json"}
        assert http("PATCH", PATH, content=stream(), headers=headers).status_code == 413


class TestLogin:
    def test_is_asked_for(self, http, bus):
        http.role = "nobody"
        answer = http("GET", PATH)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert bus.asked == []

    def test_is_not_asked_for_on_public_rows(self, http, bus):
        http.role = "nobody"
        assert http("GET", "/v1/surveys/a-token").status_code == 200
        assert bus.request == {"token": "a-token"}
        assert bus.context.actor.kind == "anonymous"

    def test_slows_down_who_guesses_tokens(self, http, gateway):
        gateway.limits["public"] = Limit("public", 0.001, 2)
        http.role = "nobody"
        statuses = [http("GET", PATH).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]

    def test_keeps_the_limit_of_each_principal_apart(self, http, gateway):
        gateway.limits["default"] = Limit("default", 0.001, 1)
        assert http("GET", PATH).status_code == 200
        answer = http("GET", PATH)
        assert answer.status_code == 429
        assert 900 < int(answer.headers["retry-after"]) <= 1000
        assert len(answer.headers.get_list("ratelimit")) == 1
        http.role = "sales"
        assert http("GET", PATH).status_code == 200


class TestPermission:
    def test_is_named_when_it_is_missing(self, http, bus):
        http.role = "integration"
        answer = http("PATCH", PATH, json={}, headers={"if-match": '"v1"'})
        assert answer.status_code == 403
        assert answer.json()["permission"] == "customers.write"
        assert bus.asked == []

    def test_missing_is_said_before_the_request_is_looked_at(self, http):
        http.role = "integration"
        assert http("PATCH", PATH, content=b"{").status_code == 403

    @pytest.mark.parametrize(
        ("role", "scope"), [("sales", "own"), ("service", "team"), ("manager", "subtree")]
    )
    def test_gives_the_actor_its_scope(self, http, bus, role: str, scope: str):
        http.role = role
        http("GET", PATH)
        actor = bus.context.actor
        assert (actor.scope, actor.team_path, actor.kind) == (scope, "/hq/seoul/", "staff")


class TestCommand:
    def test_is_sent_with_path_body_and_version(self, http, bus):
        http("PATCH", PATH, json={"city": "서울"}, headers={"if-match": '"v3"'})
        assert bus.request == {"customer_id": ID, "city": "서울", "if_match": 3}

    def test_is_sent_unvalidated(self, http, bus):
        http("GET", "/v1/customers?filter[nonsense][x]=1&whatever=2")
        assert bus.request == {"filter": {"nonsense": {"x": "1"}}, "whatever": "2"}

    def test_that_is_refused_for_its_query_is_400(self, http, bus):
        bus.answer = refuse(errors.Invalid("invalid", "No.", {"whatever": ["Unknown field."]}))
        answer = http("GET", "/v1/customers?whatever=2")
        assert answer.status_code == 400
        assert answer.json()["errors"] == [{"pointer": "/whatever", "detail": "Unknown field."}]

    def test_bears_an_id_that_stands_for_its_key(self, http, bus):
        for _ in range(2):
            http("POST", "/v1/customers", json={"a": 1}, headers={"idempotency-key": "k1"})
        http("POST", "/v1/customers", json={"a": 2}, headers={"idempotency-key": "k2"})
        first, again, other = (context for _, _, context in bus.asked)
        assert first.command_id == again.command_id != other.command_id
        assert first.fingerprint == again.fingerprint != other.fingerprint

    def test_without_a_key_is_not_sent(self, http, bus):
        answer = http("POST", "/v1/customers", json={}, headers={"idempotency-key": ""})
        assert answer.status_code == 400
        assert bus.asked == []

    def test_that_only_reads_bears_no_id(self, http, bus):
        http("GET", PATH, headers={"idempotency-key": "k"})
        assert bus.context.command_id is None

    def test_carries_language_and_trace_on(self, http, bus):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        http("GET", PATH, headers={"traceparent": trace, "accept-language": "ja"})
        assert (bus.context.language, bus.context.traceparent) == ("ja", trace)
        http("GET", PATH, headers={"traceparent": "evil"})
        assert (bus.context.language, bus.context.traceparent) == ("ko", None)


class TestPages:
    def test_show_the_api_with_a_nonce_of_their_own(self, http):
        first, second = http("GET", "/docs"), http("GET", "/docs")
        policy = first.headers.get_list("content-security-policy")
        assert len(policy) == 1
        nonce = policy[0].split("'nonce-")[1].split("'")[0]
        assert f'<script nonce="{nonce}">' in first.text
        assert first.headers["content-security-policy"] != second.headers["content-security-policy"]
        assert "{{" not in first.text
        assert "http://" not in first.text.replace("http://test", "")

    @pytest.mark.parametrize("path", ["/docs", "/s/a-token", "/u/a-token"])
    def test_are_whole_and_give_every_style_and_script_the_nonce(self, http, path: str):
        answer = http("GET", path)
        nonce = answer.headers["content-security-policy"].split("'nonce-")[1].split("'")[0]
        assert answer.text.startswith("<!doctype html>")
        assert "{{" not in answer.text
        tags = re.findall(r"<(?:style|script)[^>]*>", answer.text)
        assert len(tags) >= 2
        assert [tag for tag in tags if f'nonce="{nonce}"' not in tag] == []

    @pytest.mark.parametrize("path", ["/s/a-token", "/u/a-token"])
    def test_choose_the_words_for_customers_in_the_same_way(self, http, path: str):
        page = http("GET", path).text
        assert page.index("function languageOf(words, asked)") < page.index("const WORDS")
        assert page.count("languageOf(WORDS, navigator.language)") == 1

    def test_explain_a_kind_of_problem(self, http):
        answer = http("GET", "/problems/stale_version", headers={"accept-language": "ja"})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")

    def test_hold_the_description(self, http):
        assert http("GET", "/openapi.json").json()["openapi"] == "3.1.0"

    def test_hold_the_schema_of_an_event(self, http):
        answer = http("GET", "/v1/schemas/crm.gateway.staff.joined.v1")
        assert "staff_id" in answer.json()["properties"]
        assert http("GET", "/v1/schemas/crm.gateway.no.such.v1").status_code == 404

    def test_say_that_the_process_lives(self, http):
        assert http("GET", "/healthz").text == "alive\n"

    def test_say_why_it_is_not_ready(self, http, bus):
        bus.trouble = "not connected to the broker"
        answer = http("GET", "/readyz")
        assert (answer.status_code, answer.text) == (503, "not connected to the broker\n")

    def test_count_requests_by_their_row(self, http):
        http("GET", PATH)
        assert 'route="/v1/customers/{customer_id}"' in http("GET", "/metrics").text


class TestUnsubscribing:
    FORM = "List-Unsubscribe=One-Click"
    PARTS = (
        '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n'
        "\r\nOne-Click\r\n--x--\r\n"
    )
    URLENCODED = "application/x-www-form-urlencoded"

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_is_not_done_by_looking(self, http, bus, method: str):
        answer = http(method, "/u/a-token")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert "script-src 'nonce-" in answer.headers["content-security-policy"]
        assert bus.asked == []

    @pytest.mark.parametrize(
        ("form", "kind"),
        [
            (FORM, URLENCODED),
            (f"{FORM}&more=1", f"{URLENCODED}; charset=utf-8"),
            (PARTS, "multipart/form-data; boundary=x"),
        ],
    )
    def test_is_done_by_the_form_of_a_mail_program(self, http, bus, form: str, kind: str):
        bus.answer = lambda *_: Encoded(b'{"channel":"email"}')
        http.role = "nobody"
        answer = http("POST", "/u/a-token", content=form, headers={"content-type": kind})
        assert (answer.status_code, answer.json()) == (200, {"channel": "email"})
        ((command, request, context),) = bus.asked
        assert (command.name, request) == ("unsubscribe", {"token": "a-token"})
        assert (context.actor.kind, context.actor.scope) == ("anonymous", "own")

    @pytest.mark.parametrize("form", ["", "List-Unsubscribe=", "List-Unsubscribe=One-Click-Not"])
    def test_is_not_done_by_any_other_form(self, http, bus, form: str):
        answer = http("POST", "/u/a-token", content=form)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert bus.asked == []

    def test_takes_no_more_than_a_form(self, http, bus):
        assert http("POST", "/u/a-token", content="x" * 5000).status_code == 413

    def test_is_done_by_the_page_without_a_key(self, http, bus):
        http.role = "nobody"
        assert http("POST", "/v1/unsubscribes/a-token").status_code == 200
        assert bus.request == {"token": "a-token"}

    def test_of_a_foreign_link_is_not_found(self, http, bus):
        bus.answer = refuse(errors.NotFound("link_not_found", "No."))
        assert http("POST", "/u/a-token", content=self.FORM).status_code == 404

    def test_has_no_other_method(self, http):
        answer = http("DELETE", "/u/a-token")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
        assert http("POST", "/s/a-token").headers["allow"] == "GET, HEAD"

    def test_costs_the_address(self, http, gateway):
        gateway.limits["public"] = Limit("public", 0.001, 1)
        codes = [http("POST", "/u/x", content=self.FORM).status_code for _ in range(3)]
        assert codes[1:] == [429, 429]


class TestCustomer360:
    page = Encoded(codec.dumps({"items": [{"id": ID}], "page": {"next": None, "limit": 10}}))

    def test_shows_all_parts(self, http, bus):
        bus.answer = lambda command, _: FOUND if command.name == "get_customer" else self.page
        answer = http("GET", f"{PATH}/360")
        assert answer.status_code == 200
        assert "degraded" not in answer.headers
        shown = answer.json()
        assert shown["customer"]["name"] == "김"
        assert list(shown["parts"]) == list(customer_360.PARTS)
        assert shown["parts"]["orders"]["items"] == [{"id": ID}]
        asked = {command.name: request for command, request, _ in bus.asked}
        assert asked["list_orders"]["filter"] == {"customer_id": ID}

    def test_names_the_parts_that_do_not_answer(self, http, bus):
        def answer(command, _):
            if command.owner == "sales":
                raise errors.Unavailable("service_unavailable", "No.")
            return FOUND if command.name == "get_customer" else self.page

        bus.answer = answer
        shown = http("GET", f"{PATH}/360")
        assert shown.status_code == 200
        assert shown.headers["degraded"] == "opportunities, orders"
        assert shown.json()["parts"]["orders"]["status"] == "unavailable"
        assert shown.json()["parts"]["tickets"]["status"] == "ok"

    def test_shows_only_the_parts_one_may_see(self, http, bus):
        bus.answer = lambda command, _: FOUND if command.name == "get_customer" else self.page
        http.role = "integration"
        assert set(http("GET", f"{PATH}/360").json()["parts"]) == {"orders"}

    def test_refuses_when_the_customer_is_refused(self, http, bus):
        bus.answer = refuse(errors.NotFound("no_such", "No."))
        assert http("GET", f"{PATH}/360").status_code == 404

    def test_says_so_when_the_customer_itself_cannot_be_had(self, http, bus):
        bus.answer = refuse(errors.Unavailable("x", "No."))
        shown = http("GET", f"{PATH}/360")
        assert shown.status_code == 200
        assert shown.json()["customer"] is None
        assert shown.headers["degraded"].startswith("customer, ")

    def test_wants_an_id(self, http):
        assert http("GET", "/v1/customers/x/360").status_code == 400
