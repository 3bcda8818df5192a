"""What a process uses, as the kernel reports it; nothing outside Linux."""

import os
import time
from collections import deque
from pathlib import Path
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_SAMPLES: Final = 10


class ProcessUsage:
    """Measures one process, again at each call of `measure`."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        self._samples = deque([(time.monotonic(), _cpu_s(self._stat()))], maxlen=_SAMPLES)
        self.memory_mb = 0.0
        """Resident memory."""
        self.cpu_percent = 0.0
        """Of one core, over the last measurements."""
        self.is_runnable = True
        """Whether it runs or waits for its turn, rather than for something else."""

    def measure(self) -> None:
        """Measure; a process that has ended uses nothing."""
        fields = self._stat()
        self._samples.append((time.monotonic(), _cpu_s(fields)))
        (first_s, before_s), (last_s, used_s) = self._samples[0], self._samples[-1]
        self.cpu_percent = round(100 * max(0.0, used_s - before_s) / max(last_s - first_s, 1e-3), 1)
        self.memory_mb = self._memory_mb()
        self.is_runnable = fields[0] == "R"

    @property
    def cpu_s(self) -> float:
        """The CPU time that it has used in all, when it was last measured."""
        return self._samples[-1][1]

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
