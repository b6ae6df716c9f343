"""The one shape of errors, and the languages it is said in."""

import pytest

from crmkit import codec, errors
from gateway import languages, problems
from gateway.problems import Problem, from_error


def document(problem: Problem, language: str = "en") -> dict[str, object]:
    body = problem.body(language=language, instance="/v1/orders", request_id="r1")
    return dict(codec.loads(body))


class TestShape:
    def test_has_every_member_always(self):
        assert document(Problem(404, "path_not_found")) == {
            "type": "/problems/path_not_found",
            "title": "Not found",
            "status": 404,
            "detail": "There is nothing at this address.",
            "instance": "/v1/orders",
            "code": "path_not_found",
            "errors": [],
            "request_id": "r1",
            "retryable": False,
        }

    def test_points_at_the_fields_that_are_wrong(self):
        details = {"address.city": ["Too long.", "Not blank."], "_": ["No."]}
        problem = from_error(errors.Invalid("invalid", "Some fields need attention.", details))
        assert problem.status == 422
        assert problem.errors == [
            {"pointer": "/address/city", "detail": "Too long."},
            {"pointer": "/address/city", "detail": "Not blank."},
            {"pointer": "", "detail": "No."},
        ]

    def test_says_400_of_a_query(self):
        error = errors.Invalid("invalid_query", "No.", {"sort": ["Cannot sort by x."]})
        assert from_error(error, reading=True).status == 400

    def test_says_412_and_both_versions_of_a_stale_one(self):
        shown = document(from_error(errors.stale(3, 5)))
        assert shown["status"] == 412
        assert (shown["base_version"], shown["current_version"]) == (3, 5)

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (errors.NotFound("x_not_found", "No."), 404),
            (errors.Forbidden("x", "No."), 403),
            (errors.Conflict("x", "No."), 409),
            (errors.Unavailable("x", "No."), 503),
            (errors.CrmError("internal", "secret text"), 500),
        ],
    )
    def test_keeps_the_kind_of_refusal(self, error: errors.CrmError, status: int):
        assert from_error(error).status == status

    def test_lets_nothing_of_a_bug_out(self):
        shown = document(from_error(errors.CrmError("internal", "secret text", {"at": "line 3"})))
        assert "secret" not in str(shown)
        assert "line 3" not in str(shown)

    def test_tells_when_to_ask_again(self):
        error = errors.Unavailable("service_unavailable", "No.", {"retry_after": 2, "service": "x"})
        problem = from_error(error)
        assert problem.headers == {"retry-after": "2"}
        assert problem.retryable
        assert document(problem)["service"] == "x"

    def test_lets_no_detail_stand_in_for_a_member(self):
        problem = from_error(errors.Conflict("x", "No.", {"status": "won", "type": "y", "a": 1}))
        assert document(problem)["status"] == 409
        assert document(problem)["a"] == 1


class TestLanguage:
    def test_translates_title_and_generic_detail_but_never_the_code(self):
        shown = document(Problem(404, "path_not_found"), "ja")
        assert shown["title"] == "見つかりません"
        assert shown["detail"] == "このアドレスには何もありません。"
        assert shown["code"] == "path_not_found"

    def test_keeps_the_detail_in_english_where_no_sentence_fits(self):
        shown = document(Problem(409, "stage_not_allowed", "It is won."), "ko")
        assert shown["title"] == "현재 상태에서는 할 수 없습니다"
        assert shown["detail"] == "It is won."

    @pytest.mark.parametrize("language", languages.SENTENCES)
    def test_has_every_sentence_in_every_language(self, language: str):
        spoken = languages.SENTENCES[language]
        assert spoken.keys() == languages.EN.keys()
        for code, (title, detail) in languages.EN.items():
            assert spoken[code][0]
            assert bool(spoken[code][1]) == bool(detail), code
            assert (spoken[code][0] != title) == (language != "en")

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
            ("fr,ja;q=0.5", "ja"),
            ("zh-TW", "zh-Hant"),
            ("zh-Hant-HK", "zh-Hant"),
            ("zh-CN,en", "zh-Hans"),
            ("zh", "zh-Hans"),
            ("en;q=0.1, ja;q=0.2", "ja"),
            ("ko;q=0, en", "en"),
            ("ko;q=x, en", "en"),
            ("fr", None),
            ("*", None),
            ("", None),
            (";;;,,,", None),
        ],
    )
    def test_is_what_the_reader_prefers(self, header: str, expected: str | None):
        assert languages.negotiate(header) == expected


class TestPage:
    def test_explains_a_code_in_the_readers_language(self):
        page = problems.page("idempotency_key_missing", "ko", "n0nce").decode()
        assert "Idempotency-Key가 없습니다" in page
        assert 'nonce="n0nce"' in page

    def test_lets_no_markup_in(self):
        assert b"<script>" not in problems.page("<script>", "en", "n")


class TestPointers:
    @pytest.mark.parametrize(
        ("field", "pointer"),
        [("_", ""), ("name.family", "/name/family"), ("a~b", "/a~0b"), ("a/b", "/a~1b")],
    )
    def test_are_those_of_rfc_6901(self, field: str, pointer: str):
        assert problems.pointers({field: ["No."]}) == [{"pointer": pointer, "detail": "No."}]
