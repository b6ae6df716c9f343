"""From an HTTP request to the fields of a command; what they mean is their owner's business."""

import hmac
import re
from hashlib import sha256
from typing import Any
from unicodedata import is_normalized, normalize
from urllib.parse import unquote_to_bytes

from crmkit import codec
from gateway.problems import Problem, invalid
from gateway.routes import Route

DEEPEST = 20
LONGEST_LIST = 10_000
MOST_PARAMETERS = 100
_FILTER = re.compile(r"filter\[([A-Za-z_][A-Za-z0-9_.]*)\](?:\[([a-z]+)\])?")
_IF_MATCH = re.compile(r'"v(\d{1,9})"')
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_JSON_TYPE = re.compile(
    r"application/(?:[a-z0-9.-]+\+)?json\s*(?:;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE
)


def from_body(body: bytes, content_type: str | None) -> dict[str, Any]:
    """The fields in a JSON body; an empty body has none."""
    if not body:
        return {}
    if content_type is None or not _JSON_TYPE.fullmatch(content_type):
        raise Problem(415, "unsupported_content_type", headers={"accept": "application/json"})
    try:
        value = codec.loads(body)
    except ValueError as error:
        raise Problem(400, "malformed_json", f"The body is no JSON: {error}.") from None
    if not isinstance(value, dict):
        raise Problem(400, "not_an_object", "The body must be a JSON object.")
    if _is_plain(body):
        return value
    tidied: dict[str, Any] = tidy(value)
    return tidied


def _is_plain(body: bytes) -> bool:
    """Whether a glance shows that nothing in it can need tidying or exceed a bound."""
    return (
        len(body) < LONGEST_LIST
        and body.isascii()
        and b"\\u" not in body
        and body.count(b"{") + body.count(b"[") <= DEEPEST
    )


def tidy(value: Any, depth: int = 1) -> Any:
    """The value with all strings in Unicode's composed form (NFC).

    Half-composed Hangul and kana from macOS would otherwise never equal what others typed. What is
    nested or listed beyond bounds is refused, and so is NUL, which PostgreSQL cannot store.
    """
    if isinstance(value, str):
        return text(value)
    if not isinstance(value, dict | list):
        return value
    if depth > DEEPEST:
        raise Problem(400, "too_deep", f"The body is nested deeper than {DEEPEST} levels.")
    if len(value) > LONGEST_LIST:
        raise Problem(400, "too_long", f"A list has more than {LONGEST_LIST} members.")
    if isinstance(value, dict):
        return {text(name): tidy(inner, depth + 1) for name, inner in value.items()}
    return [tidy(inner, depth + 1) for inner in value]


def text(value: str) -> str:
    """The string in NFC."""
    if "\0" in value:
        raise Problem(400, "nul_character", "A string holds the character U+0000.")
    if value.isascii() or is_normalized("NFC", value):
        return value
    return normalize("NFC", value)


def from_query(query: bytes, lists: frozenset[str]) -> dict[str, Any]:
    """The fields in a query string; ``filter[amount][gte]=1`` becomes nested, lists may repeat."""
    fields: dict[str, Any] = {}
    if not query:
        return fields
    parts = query.split(b"&")
    if len(parts) > MOST_PARAMETERS:
        raise Problem(400, "too_many_parameters", f"At most {MOST_PARAMETERS} parameters.")
    for part in parts:
        if not part:
            continue
        name, _, value = part.partition(b"=")
        _place(fields, _decoded(name), _decoded(value), lists)
    return fields


def _decoded(raw: bytes) -> str:
    try:
        return text(unquote_to_bytes(raw.replace(b"+", b" ")).decode())
    except UnicodeDecodeError:
        raise Problem(400, "malformed_query", "The query is not UTF-8.") from None


def _place(fields: dict[str, Any], name: str, value: str, lists: frozenset[str]) -> None:
    if name in lists:
        fields.setdefault(name, []).append(value)
        return
    found = _FILTER.fullmatch(name)
    if found is None:
        _once(fields, name, value, name)
        return
    asked = fields.setdefault("filter", {})
    field, operator = found.groups()
    if not isinstance(asked, dict):
        raise _repeated(name)
    if operator is None:
        _once(asked, field, value, name)
        return
    by_operator = asked.setdefault(field, {})
    if not isinstance(by_operator, dict):
        raise _repeated(name)
    _once(by_operator, operator, value, name)


def _once(fields: dict[str, Any], name: str, value: str, whole: str) -> None:
    if name in fields:
        raise _repeated(whole)
    fields[name] = value


def _repeated(name: str) -> Problem:
    return invalid(name, f"The parameter {name} stands there twice.", "invalid_query", 400)


def fields_of(
    route: Route, values: list[str], query: bytes, body: bytes, headers: dict[bytes, bytes]
) -> dict[str, Any]:
    """All fields of a row's command: from the path, the body or the query, and If-Match."""
    if not route.takes_body:
        fields = from_query(query, route.lists)
    elif query:
        raise Problem(400, "unexpected_query", "This address takes its fields in the body.")
    else:
        content_type = headers.get(b"content-type")
        fields = from_body(body, content_type.decode("latin-1") if content_type else None)
    for name, value in zip(route.parameters, values, strict=True):
        if name in fields:
            raise invalid(name, f"{name} is said by the address already.")
        fields[name] = text(value)
    if route.versioned:
        if "if_match" in fields:
            raise invalid("if_match", "Send the version as the header If-Match.")
        fields["if_match"] = version_in(headers.get(b"if-match"), needed=route.needs_version)
    return fields


def version_in(if_match: bytes | None, *, needed: bool) -> int | None:
    """The version in an If-Match header; 428 when it is needed and missing, 400 when malformed."""
    if if_match is None:
        if needed:
            raise Problem(428, "if_match_missing")
        return None
    found = _IF_MATCH.fullmatch(if_match.decode("latin-1").strip())
    if found is None:
        raise Problem(400, "if_match_malformed", 'If-Match must be one ETag such as "v3".')
    return int(found.group(1))


def idempotency(
    route: Route, path: str, principal: str | None, headers: dict[bytes, bytes]
) -> str | None:
    """The command id that stands for this principal, address and Idempotency-Key.

    None without a key; 400 when the row needs one. On repeatable rows it does not count, and
    neither without a login, where it would be everybody's.
    """
    raw = headers.get(b"idempotency-key")
    if raw is None:
        if route.needs_key:
            raise Problem(400, "idempotency_key_missing")
        return None
    key = raw.decode("latin-1")
    if not _KEY.fullmatch(key):
        raise Problem(400, "idempotency_key_malformed", "1 to 255 printable ASCII characters.")
    if principal is None or route.repeatable or not route.command.changes:
        return None
    return sha256("\n".join((principal, route.method, path, key)).encode()).hexdigest()


def fingerprint(fields: dict[str, Any], key: bytes) -> str:
    """What tells two requests under the same Idempotency-Key apart.

    It is stored, and fields may be passwords: nobody without ``key`` can try what they might be.
    """
    return hmac.new(key, codec.canonical(fields), "sha256").hexdigest()
