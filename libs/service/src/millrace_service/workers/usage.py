"""What a process uses, as the kernel reports it; nothing outside Linux."""

import os
import time
from pathlib import Path
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class ProcessUsage:
    """Measures one process; each call of `measure` returns what was used since the call before."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        self._at_s, self._cpu_s = time.monotonic(), self._cpu()
        self.memory_mb = 0.0
        """Resident memory."""
        self.cpu_percent = 0.0
        """Of one core, since the measurement before."""

    def measure(self) -> None:
        """Measure; a process that has ended uses nothing."""
        now_s, cpu_s = time.monotonic(), self._cpu()
        self.memory_mb = self._memory_mb()
        if now_s > self._at_s:
            self.cpu_percent = round(max(0.0, 100 * (cpu_s - self._cpu_s) / (now_s - self._at_s)), 1)
        self._at_s, self._cpu_s = now_s, cpu_s

    def _memory_mb(self) -> float:
        try:
            return round(int((self._folder / "statm").read_text().split()[1]) * _PAGE_BYTES / 1e6, 1)
        except (OSError, IndexError):
            return 0.0

    def _cpu(self) -> float:
        try:
            # The name, in parentheses, may hold spaces.
            fields = (self._folder / "stat").read_text().rpartition(") ")[2].split()
            return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        except (OSError, IndexError):
            return 0.0
