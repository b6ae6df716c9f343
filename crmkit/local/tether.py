"""Start a program that cannot outlive the process that started it.

Run as a script by path, isolated and without site-packages (20 ms), because the alternative, a
``preexec_fn`` in a process with threads, may deadlock between fork and exec.

On Linux the kernel does it: PR_SET_PDEATHSIG, set after the change of user, which would clear it.
Elsewhere this process stays in between, passes signals on and watches who its parent is.
"""

import ctypes
import os
import signal
import struct
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
# Without it the kernel drops capabilities with the user, and access(2), which PostgreSQL asks for
# its own programs, would not count those that were kept.
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
# Either lets a process walk through a directory that its user may not enter; the first, which
# only ever reads, is preferred, the second is what a default container leaves to root.
CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE = 2, 1
ORPHANED = 70


def permitted_capabilities() -> int:
    """This process's permitted capabilities as a bit set."""
    # No pathlib here: it alone takes longer to import than everything else.
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        for line in status:
            if line.startswith("CapPrm:"):
                return int(line.split()[1], 16)
    return 0


def become(uid: int, gid: int, *, keep_search: bool) -> None:
    """Give up root for this user; with `keep_search` still walk through any directory.

    The latter is for a clone below a home directory of mode 0700: nothing on disk has to be made
    accessible to the unprivileged user for it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    held = permitted_capabilities() if keep_search else 0
    kept = next((c for c in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if held >> c & 1), None)
    if kept is not None:
        libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([gid])
    os.setgid(gid)
    os.setuid(uid)
    if kept is not None:
        header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
        data = struct.pack("6I", 1 << kept, 1 << kept, 1 << kept, 0, 0, 0)
        if libc.capset(header, data) or libc.prctl(
            PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept, 0, 0
        ):
            raise OSError(ctypes.get_errno(), "cannot keep the right to search directories")


def watch(command: list[str], parent: int) -> int:
    """Run the command in this process group until it ends or the parent is gone."""
    child = subprocess.Popen(command)  # noqa: S603 - the supervisor's own command

    def pass_on(number: int, _frame: object) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, pass_on)
    while child.poll() is None:
        if os.getppid() != parent:
            os.killpg(0, signal.SIGKILL)
        time.sleep(0.2)
    code = child.returncode
    return code if code >= 0 else 128 - code


def main(arguments: list[str]) -> int:
    """``parent signal uid gid keep|drop command…``; uid -1 stays the same user."""
    parent, orphan_signal, uid, gid = (int(word) for word in arguments[:4])
    keep_search, command = arguments[4] == "keep", arguments[5:]
    if uid >= 0:
        become(uid, gid, keep_search=keep_search)
    if not sys.platform.startswith("linux"):
        return watch(command, parent)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, orphan_signal, 0, 0, 0)
    if os.getppid() != parent:
        return ORPHANED
    try:
        os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - goes to the log file
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
