"""Step 1: a member of staff logs in."""

from tests.talking import Api


def test_a_login_gives_tokens_that_work(api: Api) -> None:
    me = api.read("/v1/me")
    assert me["staff"]["email"] == "admin@rapport.example"


def test_a_wrong_password_is_refused_in_the_one_error_format(api: Api) -> None:
    wrong = {"email": "admin@rapport.example", "password": "not the password"}
    answer = api.answer("POST", "/v1/sessions", wrong)
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert {"type", "title", "status", "detail", "code", "request_id"} <= answer.json().keys()


def test_nobody_gets_in_without_a_token(api: Api) -> None:
    answer = api.get("/v1/customers", headers={"Authorization": ""})
    assert answer.status_code == 401
