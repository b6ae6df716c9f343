"""The one shape of every error: RFC 9457 problem details, and the page that explains each kind."""

import html
from collections.abc import Mapping
from typing import Any

from crmkit import codec
from crmkit.errors import STALE_VERSION, Conflict, CrmError, Invalid
from gateway import languages

MEDIA_TYPE = b"application/problem+json"
_MEMBERS = frozenset(
    ("type", "title", "status", "detail", "instance", "code", "errors", "request_id", "retryable")
)


class Problem(Exception):
    """A refusal by the gateway itself, or that of a service as HTTP shows it.

    ``extra`` are members of its own; ``headers`` go with the answer. A ``detail`` that was given
    wins over the generic sentence only in English.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str = "",
        *,
        errors: list[dict[str, str]] | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.extra = {k: v for k, v in (extra or {}).items() if k not in _MEMBERS}
        self.headers = dict(headers or {})
        self.retryable = retryable

    def body(self, *, language: str, instance: str, request_id: str) -> bytes:
        """The problem document."""
        title, generic = languages.sentences(self.code, self.status, language)
        detail = self.detail if language == languages.DEFAULT and self.detail else generic
        return codec.dumps(
            {
                "type": f"/problems/{self.code}",
                "title": title,
                "status": self.status,
                "detail": detail or self.detail or title,
                "instance": instance,
                "code": self.code,
                "errors": self.errors,
                "request_id": request_id,
                "retryable": self.retryable,
                **self.extra,
            }
        )


def from_error(error: CrmError, *, reading: bool = False) -> Problem:
    """What HTTP says of a refusal. What is wrong with a query (``reading``) is 400, not 422."""
    if isinstance(error, Invalid):
        errors = pointers(error.details)
        status = 400 if reading else error.status
        return Problem(status, error.code, error.message, errors=errors)
    status = 412 if isinstance(error, Conflict) and error.code == STALE_VERSION else error.status
    if status == 500:
        return Problem(500, "internal")
    extra = dict(error.details)
    wait = extra.pop("retry_after", None)
    headers = {} if wait is None else {"retry-after": str(wait)}
    retryable = error.retryable or wait is not None
    return Problem(
        status, error.code, error.message, extra=extra, headers=headers, retryable=retryable
    )


def pointers(details: Mapping[str, Any]) -> list[dict[str, str]]:
    """``{"address.city": ["Too long."]}`` as ``[{"pointer": "/address/city", "detail": …}]``."""
    found = []
    for field, sentences in details.items():
        escaped = field.replace("~", "~0").replace("/", "~1")  # RFC 6901
        pointer = "" if field == "_" else "/" + escaped.replace(".", "/")
        for sentence in sentences if isinstance(sentences, list) else [sentences]:
            found.append({"pointer": pointer, "detail": str(sentence)})
    return found


def invalid(field: str, sentence: str, code: str = "invalid", status: int = 422) -> Problem:
    """The problem of a single field."""
    return Problem(status, code, sentence, errors=pointers({field: [sentence]}))


_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{code}</title>
<style nonce="{nonce}">
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 42rem; margin: 12vh auto;
  padding: 0 1.5rem; color: #1d2433; background: #fbfbfd; }}
code {{ font: 0.95em ui-monospace, monospace; background: #eceff5; padding: .15em .4em;
  border-radius: .3em; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e4e7ee; background: #12151c; }}
  code {{ background: #232937; }} a {{ color: #8fb4ff; }} }}
</style>
<h1>{title}</h1><p>{detail}</p>
<p><code>{code}</code></p><p><a href="/docs">API</a></p></html>"""


def page(code: str, language: str, nonce: str) -> bytes:
    """The page at a problem's type; codes that only a service knows get the general one."""
    known = code in languages.EN
    title, detail = (
        languages.sentences(code, 0, language)
        if known
        else (
            code.replace("_", " ").capitalize(),
            "The detail of the answer says what stood in the way; the code never changes.",
        )
    )
    values = {"code": code, "title": title, "detail": detail, "language": language}
    escaped = {name: html.escape(value) for name, value in values.items()}
    return _PAGE.format(nonce=nonce, **escaped).encode()
