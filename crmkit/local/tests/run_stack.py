"""Run a stack of fake processes as `crm up` would; called with its folder and port."""

import sys
from pathlib import Path

from crmkit.local.stack import LocalStack
from crmkit.local.supervisor import StartFailed
from crmkit.local.up import run, show

FAKE_CRM = (sys.executable, str(Path(__file__).with_name("fake_crm.py")))


def main() -> None:
    stack = LocalStack(
        Path(sys.argv[1]),
        port=int(sys.argv[2]),
        services=("customers", "sales"),
        scale={"sales": 2},
        seed_customers=5,
        say=show,
        crm=FAKE_CRM,
    )
    try:
        run(stack)
    except StartFailed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
