"""Processes that the kernel ends together with their parent, even when the parent is killed -9.

Run as a script: `die_with_parent.py PARENT_PID PROGRAM ARGUMENTS…`. A script of its own, because only the child
itself can ask for this, and running Python between fork and exec is not safe in a process with threads. It imports
nothing of ours, so that it starts at once.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def bound_to_us(*command: str) -> list[str]:
    """Return the command that runs another one, as one process, which ends with this one from its first moment on."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def end_with_parent(parent_pid: int, signum: int = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal when the thread that started it ends; nothing happens outside Linux.

    `parent_pid` is the parent's id as it saw it itself.

    Raises:
        SystemExit: the parent has ended already.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signum)
    # The parent may have ended before the wish was stated.
    if os.getppid() != parent_pid:
        sys.exit("the parent has ended")


def main(parent_pid: int, program: list[str]) -> None:
    """Ask to be ended, then become the program."""
    end_with_parent(parent_pid)
    os.execv(program[0], program)  # noqa: S606


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
