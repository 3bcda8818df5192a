"""Becomes another program that the kernel ends together with its parent, even when the parent is killed -9.

Run as a script: `die_with_parent.py PARENT_PID PROGRAM ARGUMENTS…`. A script of its own, because the wish can only
be stated by the child itself, and running Python between fork and exec is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def bound_to_us(*command: str) -> list[str]:
    """Return the command that runs another one, as one process, which ends with this one from its first moment on."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main(parent: int, program: list[str]) -> None:
    """State the wish, then become the program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        # The parent may have ended before the wish was stated.
        if os.getppid() != parent:
            sys.exit("the parent has ended")
    os.execv(program[0], program)  # noqa: S606


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
