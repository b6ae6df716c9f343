"""Run a stack of fake processes as `crm up` would; called with its folder and port.

Once it ended well, what it had imported stands in ``modules <port>`` beside its folder.
"""

import sys
from pathlib import Path

from crmkit.local.stack import LocalStack
from crmkit.local.supervisor import StartFailed
from crmkit.local.up import run, show

FAKE_CRM = (sys.executable, str(Path(__file__).with_name("fake_crm.py")))


def main() -> None:
    folder = Path(sys.argv[1])
    stack = LocalStack(
        folder,
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
    folder.with_name(f"modules {sys.argv[2]}").write_text(" ".join(sys.modules))


if __name__ == "__main__":
    main()
