"""The endpoints of operators."""

from contracts.gateway import views as contract
from gateway import parked
from gateway.routes import Route

_ONE = "/v1/ops/parked/{parked_id}"

ROUTES = [
    Route(
        "GET",
        "/v1/ops/parked",
        contract.ListParked,
        "ops.read",
        "List what nobody could do.",
        description=(
            "Of all owners; one that does not answer is missing and named in the header `Degraded`."
        ),
        handler=parked.list_parked,
    ),
    Route(
        "POST",
        f"{_ONE}/actions/replay",
        contract.ReplayParked,
        "ops.write",
        "Have it tried again.",
        description="`owner` is as the list says. What was replayed meanwhile is answered by 404.",
        handler=parked.replay_parked,
    ),
    Route(
        "POST",
        f"{_ONE}/actions/discard",
        contract.DiscardParked,
        "ops.write",
        "Give it up for good.",
        handler=parked.discard_parked,
    ),
]
