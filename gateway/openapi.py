"""The OpenAPI 3.1 description, generated from the rows and the contracts."""

import importlib
import re
import sys
from collections.abc import Iterable
from typing import Any

from marshmallow import fields

from crmkit import codec
from crmkit.pages import OPERATORS, ListQuery
from gateway.problems import MEDIA_TYPE
from gateway.routes import LOGGED_IN, PUBLIC, Route
from gateway.schemas import Components, plain, sample

VERSION = "1.0.0"

_FAILURES: dict[int, str] = {
    400: "The request cannot be understood.",
    401: "The token or key is missing or not valid any more.",
    403: "A permission is missing; `permission` names it.",
    404: "There is no such record, or it is not yours to see.",
    409: "The state of the record forbids it, or the same request is still running.",
    410: "The cursor is too old.",
    412: "The record changed meanwhile; `current_version` is its version now.",
    413: "The body is too large.",
    414: "The address has more than 4,094 bytes.",
    415: "The body is not JSON.",
    422: "Some fields need attention; `errors` lists them.",
    428: "If-Match is missing.",
    429: "Too many requests; wait as long as Retry-After says.",
    431: "A header has more than 8,190 bytes, or there are more than 100.",
    500: "A fault of ours; `request_id` helps to find it.",
    503: "Unavailable for the moment; ask again after Retry-After.",
}

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details. `code` never changes and is never translated.",
    "required": [
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "errors",
        "request_id",
        "retryable",
    ],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "retryable": {"type": "boolean"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "format": "json-pointer"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}

_HEADERS: dict[str, dict[str, Any]] = {
    "RequestId": {
        "description": "The same id stands in our logs and in every event the request caused.",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The version of the record, for If-Match and If-None-Match.",
        "schema": {"type": "string", "examples": ['"v3"']},
    },
    "Location": {
        "description": "Where the new record is.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "RateLimit": {
        "description": "What remains: `r` requests now, the bucket is full again in `t` seconds.",
        "schema": {"type": "string", "examples": ['"default";r=199;t=1']},
    },
    "RetryAfter": {
        "description": "Seconds to wait before asking again.",
        "schema": {"type": "integer"},
    },
    "IdempotentReplayed": {
        "description": "`true` when this is the stored answer to an earlier request.",
        "schema": {"type": "string"},
    },
}

_PARAMETERS: dict[str, dict[str, Any]] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "A value of your own; the same key again does nothing and answers the same.",
        "schema": {"type": "string", "pattern": "^[ -~]{1,255}$"},
        "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "The ETag you last saw.",
        "schema": {"type": "string", "pattern": '^"v[0-9]+"$'},
        "example": '"v3"',
    },
    "IfMatchUnlessNew": {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The ETag you last saw; left out for a record that is new.",
        "schema": {"type": "string", "pattern": '^"v[0-9]+"$'},
        "example": '"v3"',
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The ETag you last saw; 304 when the record is still the same.",
        "schema": {"type": "string"},
    },
    "AcceptLanguage": {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "description": "The language of titles in errors: en, ko, ja, zh-Hans or zh-Hant.",
        "schema": {"type": "string"},
    },
}

_SEGMENT = re.compile(r"\{[a-z_]*\}")
_ORDERED = (fields.Integer, fields.Float, fields.Decimal, fields.DateTime, fields.Date)


def document(rows: Iterable[Route], server: str) -> dict[str, Any]:
    """The whole description. ``server`` is the address under which the API is reached."""
    listed = list(rows)
    components = Components()
    components.schemas["Problem"] = _PROBLEM
    paths: dict[str, dict[str, Any]] = {}
    for row in listed:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, listed, components)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Rapport",
            "version": VERSION,
            "summary": "Customers, sales, service, marketing and reminders as one API.",
            "description": (
                "One shape for every list, error and version. A POST carries an Idempotency-Key, a"
                " change carries If-Match, a list is paged by an opaque cursor."
            ),
        },
        "servers": [{"url": server}],
        "tags": [_tag(owner) for owner in sorted({row.tag for row in listed})],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.schemas.items())),
            "responses": {_failure_name(status): _failure(status) for status in _FAILURES},
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token from POST /v1/sessions, or an API key.",
                }
            },
        },
        "security": [{"bearer": []}],
    }


def _tag(owner: str) -> dict[str, str]:
    described = importlib.import_module(f"contracts.{owner}").__doc__ or ""
    return {"name": owner, "description": plain(described)}


def _failure_name(status: int) -> str:
    return f"Problem{status}"


def _failure(status: int) -> dict[str, Any]:
    headers: dict[str, Any] = {"Request-Id": {"$ref": "#/components/headers/RequestId"}}
    if status in {429, 503}:
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": _FAILURES[status],
        "headers": headers,
        "content": {MEDIA_TYPE.decode(): {"schema": schema}},
    }


def _operation(row: Route, rows: list[Route], components: Components) -> dict[str, Any]:
    described = [row.description, plain(row.command.__doc__ or "")]
    operation: dict[str, Any] = {
        "operationId": row.command.name,
        "tags": [row.tag],
        "summary": row.summary,
        "description": "\n\n".join(one for one in described if one),
        "parameters": _parameters(row, components),
        "responses": _responses(row, components),
        "x-permission": row.permission,
    }
    if row.permission == PUBLIC:
        operation["security"] = []
    if links := _links(row, rows):
        operation["responses"][str(row.status)]["links"] = links
    if row.takes_body:
        operation["requestBody"] = _body(row, components)
    return operation


def _apart(row: Route) -> frozenset[str]:
    """Fields of the command that do not come in the body or the query."""
    return frozenset((*row.parameters, "if_match"))


def _body(row: Route, components: Components) -> dict[str, Any]:
    apart = _apart(row)
    schema = components.described(row.command, without=apart)
    example = sample(row.command, without=apart)
    return {
        "required": bool(schema.get("required")),
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def _parameters(row: Route, components: Components) -> list[dict[str, Any]]:
    declared = {one.data_key or name: one for name, one in row.command().fields.items()}
    found = [
        {"name": name, "in": "path", "required": True, "schema": components.field(declared[name])}
        for name in row.parameters
    ]
    if not row.takes_body:
        apart = _apart(row)
        for name, one in declared.items():
            if name not in apart:
                found.extend(_query(row, name, one, components))
    headers = ["AcceptLanguage"]
    if row.needs_key:
        headers.append("IdempotencyKey")
    if row.needs_version:
        headers.append("IfMatch")
    elif row.versioned and row.method == "PUT":
        headers.append("IfMatchUnlessNew")
    if row.method == "GET" and "version" in row.command.reply().fields:
        headers.append("IfNoneMatch")
    return [*found, *({"$ref": f"#/components/parameters/{name}"} for name in headers)]


def _query(
    row: Route, name: str, one: fields.Field[Any], components: Components
) -> list[dict[str, Any]]:
    command = row.command
    if issubclass(command, ListQuery) and name == "filter":
        return [
            parameter
            for field, kind in command.filters.items()
            for parameter in _filters(field, kind, components)
        ]
    schema = components.field(one)
    if issubclass(command, ListQuery) and name == "sort":
        both = [order + sort for sort in command.sorts for order in ("", "-")]
        schema = {"type": "string", "enum": both, "default": command.default_sort}
    return [{"name": name, "in": "query", "required": one.required, "schema": schema}]


def _filters(name: str, kind: fields.Field[Any], components: Components) -> list[dict[str, Any]]:
    operators = [""]
    if isinstance(kind, _ORDERED):
        operators += [f"[{one}]" for one in OPERATORS if one not in {"eq", "ne", "in"}]
    schema = components.field(kind)
    return [
        {"name": f"filter[{name}]{one}", "in": "query", "required": False, "schema": schema}
        for one in operators
    ]


def _responses(row: Route, components: Components) -> dict[str, Any]:
    found: dict[str, Any] = {str(row.status): _success(row, components)}
    if row.method == "GET" and "version" in row.command.reply().fields:
        found["304"] = {"description": "The record is still as If-None-Match says."}
    for status in sorted(_statuses(row)):
        found[str(status)] = {"$ref": f"#/components/responses/{_failure_name(status)}"}
    return found


def _links(row: Route, rows: list[Route]) -> dict[str, Any]:
    """What can be done next with the record in an answer, or with the first one in a list."""
    if "id" in row.command.reply().fields and not row.path.endswith("/360"):
        record, pointer = row.path.split("/actions/")[0], "/id"
    elif row.method == "GET" and issubclass(row.command, ListQuery):
        record, pointer = row.path, "/items/0/id"
    else:
        return {}
    below = record if record.endswith("}") else record + "/{}"
    found = {}
    for other in rows:
        thing = other.path.split("/actions/")[0]
        one = len(other.parameters) == 1 and _SEGMENT.sub("{}", thing) == _SEGMENT.sub("{}", below)
        if one and other is not row and (pointer == "/id" or other.method == "GET"):
            found[other.command.name] = _link(other, f"$response.body#{pointer}")
    return found


def _link(other: Route, identity: str) -> dict[str, Any]:
    parameters = {f"path.{other.parameters[0]}": identity}
    if other.needs_version:
        parameters["header.If-Match"] = "$response.header.ETag"
    return {"operationId": other.command.name, "parameters": parameters}


def _success(row: Route, components: Components) -> dict[str, Any]:
    headers = ["RequestId", "RateLimit"]
    if "version" in row.command.reply().fields:
        headers.append("ETag")
    if row.status == 201:
        headers.append("Location")
    if row.needs_key:
        headers.append("IdempotentReplayed")
    names = {"RequestId": "Request-Id", "IdempotentReplayed": "Idempotent-Replayed"}
    success: dict[str, Any] = {
        "description": plain(row.command.reply.__doc__ or row.summary),
        "headers": {
            names.get(name, name): {"$ref": f"#/components/headers/{name}"} for name in headers
        },
    }
    if row.status != 204:
        schema = components.reference(row.command.reply)
        example = sample(row.command.reply)
        success["content"] = {"application/json": {"schema": schema, "example": example}}
    return success


_LOGINS = frozenset(("sign_in", "verify_sign_in", "refresh_session", "finish_oidc"))


_MORE: dict[str, frozenset[int]] = {
    "read_events": frozenset((410,)),
    "start_oidc": frozenset((404,)),
    "finish_oidc": frozenset((403, 404)),
    "start_mfa": frozenset((403,)),
    "confirm_mfa": frozenset((403,)),
    "turn_off_mfa": frozenset((403,)),
    "renew_recovery_codes": frozenset((403,)),
    "change_password": frozenset((403,)),
    "list_my_sessions": frozenset((409,)),
    "get_mfa": frozenset((409,)),
}


def _names_others(row: Route) -> bool:
    """Whether a field refers to another record, which may not be there."""
    declared = row.command().fields
    return any(isinstance(one, fields.UUID) and name != "id" for name, one in declared.items())


def _statuses(row: Route) -> set[int]:
    statuses = {400, 414, 429, 431, 500, 503}
    if row.permission != PUBLIC or row.command.name in _LOGINS:
        statuses.add(401)
    if row.permission not in {PUBLIC, LOGGED_IN}:
        statuses.add(403)
    if row.parameters or _names_others(row):
        statuses.add(404)
    if row.command.changes:
        statuses.add(409)
    if row.takes_body:
        statuses |= {413, 415, 422}
    if row.versioned:
        statuses |= {412} if row.method == "POST" else {412, 428}
    return statuses | _MORE.get(row.command.name, frozenset())


def main() -> None:
    """Print the description of the whole table."""
    from gateway.api import rows  # Only here: whoever serves the description has the rows already.

    sys.stdout.buffer.write(codec.dumps(document(rows(), "/")))


if __name__ == "__main__":
    main()
