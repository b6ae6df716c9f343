"""Runs Rapport's command line with faults planted in its processes.

``LocalStack(crm=(python, "-m", "tests.chaos.faulty"))`` starts all of them this way. Handlers of
events fail now and then, half of them late: how often is CHAOS_FAILING_PERCENT. Processes die where
a test wishes it: see ``points``. The application itself knows nothing of it.
"""

import importlib
import os
import random
import sys
from typing import Any

from crmkit.__main__ import main
from tests.chaos import points

FAILING = "CHAOS_FAILING_PERCENT"


def fail_now_and_then(percent: float) -> None:
    """Have that share of the attempts to handle an event end as if something below had failed."""
    from crmkit.db import Together, Work
    from crmkit.errors import Unavailable

    dice = random.Random()

    def spoil(work: Any) -> None:
        whole = work.__dict__["once"]

        def once(self: Any, event: Any, use_case: Any) -> bool:
            fails, late = dice.random() * 100 < percent, dice.random() < 0.5

            def spoiled(session: Any, event: Any) -> None:
                if not fails or late:
                    use_case(session, event)
                if fails:
                    raise Unavailable("chaos", "A fault was asked for.")

            return bool(whole(self, event, spoiled))

        work.once = once

    # Alone or with others: one that failed with others is handled alone, and may fail again.
    spoil(Work)
    spoil(Together)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"] and float(os.environ.get(FAILING, "0")):
        # Makes the standard library cooperative first, as `crm serve` needs it.
        importlib.import_module("crmkit.serve")
        fail_now_and_then(float(os.environ[FAILING]))
    points.plant(sys.argv[1:])
    main()
