"""What the tests of the machine room ask of the machine: who is alive, did it happen."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

FAKE_CRM = (sys.executable, str(Path(__file__).with_name("fake_crm.py")))


def eventually(probe: Callable[[], object], seconds: float = 60.0) -> None:
    """Return as soon as the probe is true; fail when it never is."""
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether the process still runs (a zombie does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def processes_of(folder: Path) -> list[str]:
    """The command lines of all living processes that name the folder or work for it."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.environ().get("HOME", "")]
            mails = process.environ().get("MAIL_CATCHER_FILE", "")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and any(str(folder) in word for word in (*words, mails)):
            found.append(" ".join(words)[:120])
    return found
