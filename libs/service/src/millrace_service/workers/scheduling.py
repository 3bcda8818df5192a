"""The scheduling of a process that does not wait: it gives way to those that do, as long as that lasts.

A loop without end takes one core whole until its limit stops it; on a machine with few cores every other strategy pays
for that with its slowest decisions. In the kernel's idle class it takes only what nobody else wants.
"""

import os
import resource
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from millrace_service.workers.usage import ProcessUsage

_BUSY_SHARE: Final = 0.8
"""A process is busy that has used so much of a core since it was last looked at, and has not waited once."""
_STARVED_SHARE: Final = 0.2
"""A process that gives way and gets less than this would never end its work on a busy machine."""
_CAP_SYS_NICE: Final = 1 << 23
_NORMAL_NICE: Final = 20
"""The value of the limit `RLIMIT_NICE` from which a process may take its normal class back."""


class Scheduling:
    """The scheduling class of one process, decided anew whenever its use has been measured."""

    def __init__(self, usage: ProcessUsage) -> None:
        self._usage = usage
        self.gives_way = False
        """Whether it is in the idle class."""

    def decide(self) -> None:
        """Have it give way if it is busy, and take its turn again once it has waited or gets nothing."""
        share = self._usage.share_of_core
        if self._usage.has_waited or (self.gives_way and share < _STARVED_SHARE):
            self._set(gives_way=False)
        elif share >= _BUSY_SHARE:
            self._set(gives_way=True)

    def _set(self, *, gives_way: bool) -> None:
        if gives_way == self.gives_way or not _can_be_taken_back():
            return
        with suppress(OSError):  # it has ended
            os.sched_setscheduler(self._usage.pid, os.SCHED_IDLE if gives_way else os.SCHED_OTHER, os.sched_param(0))
            self.gives_way = gives_way


@cache
def _can_be_taken_back() -> bool:
    """Return whether the system lets a process leave the idle class again: not without the capability or the limit."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return False
    capabilities = int(status.partition("CapEff:")[2].split(maxsplit=1)[0], 16)
    return bool(capabilities & _CAP_SYS_NICE) or resource.getrlimit(resource.RLIMIT_NICE)[0] >= _NORMAL_NICE
