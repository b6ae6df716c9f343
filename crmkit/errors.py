"""The five refusals that may cross a process border, and how they look on the wire.

CrmError
├── Invalid        the body does not fit the schema          422
├── NotFound       no such record, or not yours to see       404
├── Forbidden      the actor may not                         403
├── Conflict       the state forbids it                      409 (412 when the version is stale)
└── Unavailable    something below failed, ask again         503

Anything else that is raised is a bug: 500 with a request id, its traceback in the log only.
"""

from typing import Any, ClassVar

STALE_VERSION = "stale_version"


class CrmError(Exception):
    """A refusal with a stable ``code``, a sentence for people and details for programs."""

    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, code: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = details or {}

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Invalid(CrmError):
    """``details`` maps each field, dotted when nested, to a list of sentences."""

    status = 422


class NotFound(CrmError):
    """Also said of a record that exists out of the actor's scope, so that ids cannot be probed.

    ``may_come`` says that the record is a copy whose event may still be under way: whoever asked
    may ask again in a moment, without holding anybody up meanwhile.
    """

    status = 404
    may_come = False


class Forbidden(CrmError):
    """``details["permission"]`` names what is missing."""

    status = 403


class Conflict(CrmError):
    """The request was understood; the state of the record does not allow it."""

    status = 409


class Unavailable(CrmError):
    """``details["retry_after"]`` is in seconds."""

    status = 503
    retryable = True


KINDS: dict[str, type[CrmError]] = {
    kind.__name__: kind for kind in (Invalid, NotFound, Forbidden, Conflict, Unavailable)
}


def to_wire(error: BaseException) -> dict[str, Any]:
    """The error as JSON-ready values; of a bug nothing leaves but the word ``internal``."""
    if isinstance(error, CrmError):
        wire = {
            "kind": type(error).__name__,
            "code": error.code,
            "message": error.message,
            "details": error.details,
        }
        return wire | {"may_come": True} if isinstance(error, NotFound) and error.may_come else wire
    return {"kind": "Bug", "code": "internal", "message": "Something went wrong.", "details": {}}


def from_wire(data: dict[str, Any]) -> CrmError:
    """The error that ``to_wire`` described; a plain CrmError (500) for a bug or an unknown kind."""
    kind = KINDS.get(str(data.get("kind")), CrmError)
    error = kind(
        str(data.get("code", "internal")),
        str(data.get("message", "Something went wrong.")),
        data.get("details") or {},
    )
    if isinstance(error, NotFound):
        error.may_come = bool(data.get("may_come"))
    return error


def stale(base_version: int, current: int) -> Conflict:
    """The refusal of a change that was made against an older version of the record."""
    return Conflict(
        STALE_VERSION,
        f"The record changed meanwhile: you saw version {base_version}, it is now {current}.",
        {"base_version": base_version, "current_version": current},
    )
