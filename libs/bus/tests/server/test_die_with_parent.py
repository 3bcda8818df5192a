"""Processes that end with their parent."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from millrace_bus.server import bound_to_us

PARENT = """
import os, subprocess, sys, time
from millrace_bus.server import bound_to_us
child = "import time; print('up', flush=True); time.sleep(600)"
own = "import os, sys, time; from millrace_bus.server import end_with_parent; end_with_parent(int(sys.argv[1]))" \
    "; print('up', flush=True); time.sleep(600)"
bound = subprocess.Popen(bound_to_us(sys.executable, "-c", child), stdout=subprocess.PIPE)
asked = subprocess.Popen([sys.executable, "-c", own, str(os.getpid())], stdout=subprocess.PIPE)
for process in (bound, asked):
    process.stdout.readline()
print(bound.pid, asked.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends processes with their parent")
async def test_both_ways_end_a_process_with_its_parent() -> None:
    """Though the parent is killed -9: the command that runs another, and the call for a process's own use."""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    children = [int(pid) for pid in (await parent.stdout.readline()).split()]
    assert len(children) == 2
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(60):
        while any(_runs(pid) for pid in children):
            await asyncio.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends processes with their parent")
async def test_a_parent_that_has_ended_already_is_noticed() -> None:
    """Between its start and its call a process may have lost its parent: then it ends itself."""
    orphan = "from millrace_bus.server import end_with_parent; end_with_parent(1)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", orphan, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert said.strip() == b"the parent has ended"
    assert process.returncode == 1


def test_the_command_is_one_process() -> None:
    """It names our process, so that a child that starts late still learns of our end."""
    assert bound_to_us("program", "argument")[-3:] == [str(os.getpid()), "program", "argument"]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
