"""Runs Rapport's command line with handlers of events that fail now and then, half of them late.

``LocalStack(crm=(python, "-m", "tests.chaos.faulty"))`` starts all processes this way; how often
is CHAOS_FAILING_PERCENT. The application itself knows nothing of it.
"""

import importlib
import os
import random
import sys
from typing import Any

from crmkit.__main__ import main

FAILING = "CHAOS_FAILING_PERCENT"


def fail_now_and_then(percent: float) -> None:
    """Have that share of the attempts to handle an event end as if something below had failed."""
    from crmkit.db import Work
    from crmkit.errors import Unavailable

    whole = Work.once
    dice = random.Random()

    def once(self: Work, event: Any, use_case: Any) -> bool:
        fails, late = dice.random() * 100 < percent, dice.random() < 0.5

        def spoiled(session: Any, event: Any) -> None:
            if not fails or late:
                use_case(session, event)
            if fails:
                raise Unavailable("chaos", "A fault was asked for.")

        return whole(self, event, spoiled)

    Work.once = once  # type: ignore[method-assign]


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"] and float(os.environ.get(FAILING, "0")):
        # Makes the standard library cooperative first, as `crm serve` needs it.
        importlib.import_module("crmkit.serve")
        fail_now_and_then(float(os.environ[FAILING]))
    main()
