"""Processes: started for a measurement, and as the kernel reports them: CPU time, memory, children."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def started(module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a Python module while the context lasts; its output can be read, its log has errors only."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        env=os.environ | {"MILLRACE_LOG_LEVEL": "error"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, user and system, in s."""
    user, system = _stat(pid)[11:13]
    return (int(user) + int(system)) / _TICKS_PER_S


def resident_mb(pid: int) -> float:
    """Return the memory that a process holds, what it shares included, in MB; 0 when it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def proportional_mb(pid: int) -> float:
    """Return a process's share of the memory that the machine holds, in MB; 0 when it has ended.

    Of a page that several processes share, as forked workers do, each has its part, so that the sum over all counts it
    once: the kernel calls it the proportional set size.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1_024 / 1e6 for line in lines if line.startswith("Pss:")), 0.0)


def peak_mb(pid: int) -> float:
    """Return the most memory that a process ever held, in MB; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1_024 / 1e6 for line in lines if line.startswith("VmHWM")), 0.0)


def family(pid: int) -> list[int]:
    """Return a process and all that it started, directly or not."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int(_stat(int(entry.name))[1])
        except OSError:
            continue  # it ended meanwhile
    members = [pid]
    for member in members:
        members += [child for child, parent in parents.items() if parent == member]
    return members


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/…/stat after the name, which may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
