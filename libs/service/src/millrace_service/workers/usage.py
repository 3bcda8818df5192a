"""What a process uses, as the kernel reports it; nothing outside Linux."""

import os
import time
from collections import deque
from pathlib import Path
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_SAMPLES: Final = 20
_WAITED: Final = "\nvoluntary_ctxt_switches:"


class ProcessUsage:
    """Measures one process, again at each call of `measure`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._folder = Path(f"/proc/{pid}")
        self._samples = deque([(time.monotonic(), _cpu_s(self._stat()))], maxlen=_SAMPLES)
        self.memory_mb = 0.0
        """Resident memory."""
        self.cpu_percent = 0.0
        """Of one core, over the last measurements."""
        self.is_runnable = True
        """Whether it runs or waits for its turn, rather than for something else."""
        self.has_waited = True
        """Whether it has waited for something since the measurement before."""
        self._waits = ""

    def measure(self) -> None:
        """Measure; a process that has ended uses nothing."""
        fields = self._stat()
        self._samples.append((time.monotonic(), _cpu_s(fields)))
        (first_s, before_s), (last_s, used_s) = self._samples[0], self._samples[-1]
        self.cpu_percent = round(100 * max(0.0, used_s - before_s) / max(last_s - first_s, 1e-3), 1)
        self.memory_mb = self._memory_mb()
        self.is_runnable = fields[0] == "R"
        waits, self._waits = self._waits, self._count_of_waits()
        self.has_waited = waits != self._waits

    @property
    def cpu_s(self) -> float:
        """The CPU time that it has used in all, when it was last measured."""
        return self._samples[-1][1]

    @property
    def share_of_core(self) -> float:
        """What it has used of one core between the last two measurements."""
        if len(self._samples) < 2:
            return 0.0
        (before_s, used_before_s), (now_s, used_s) = self._samples[-2], self._samples[-1]
        return max(0.0, used_s - used_before_s) / max(now_s - before_s, 1e-3)

    def _count_of_waits(self) -> str:
        try:
            return (self._folder / "status").read_text().partition(_WAITED)[2].split(maxsplit=1)[0]
        except (OSError, IndexError):
            return ""

    def _memory_mb(self) -> float:
        try:
            return round(int((self._folder / "statm").read_text().split()[1]) * _PAGE_BYTES / 1e6, 1)
        except (OSError, IndexError):
            return 0.0

    def _stat(self) -> list[str]:
        """Return the fields of its statistics behind the name, which may hold spaces."""
        try:
            return (self._folder / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            return ["X", *("0" * 20)]


def _cpu_s(fields: list[str]) -> float:
    """Return user and system time together."""
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
