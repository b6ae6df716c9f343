"""The description against the running system: what it says is answered, is answered (T17)."""

import subprocess
import sys
from pathlib import Path

from crmkit.local.stack import LocalStack
from tests.talking import Api

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
LEFT_OUT = {
    "sign_out": "would end the login that the run itself uses",
    "end_my_session": "the same",
    "change_password": "the same",
    "read_events": "may wait for events",
}


def test_every_operation_answers_as_described(stack: LocalStack, tmp_path: Path) -> None:
    run = stack.addresses()
    with Api(stack.base_url) as api:
        token = api.log_in(run["email"], run["password"])["access_token"]
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{stack.base_url}/openapi.json",
        *("--header", f"Authorization: Bearer {token}"),
        *("--phases", "examples,fuzzing"),
        *("--max-examples", "5"),
        *("--checks", ",".join(CHECKS)),
        *("--rate-limit", "90/s"),
        *("--seed", "1"),
        "--continue-on-failure",
        "--no-color",
    ]
    for operation in LEFT_OUT:
        command += ["--exclude-operation-id", operation]
    found = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
    )
    assert found.returncode == 0, found.stdout[-20_000:]
