import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from millrace_cli.processes import Processes, Service, free_port, listening

OBEDIENT = "import signal, time\nprint('up', flush=True)\nsignal.pause()\n"
STUBBORN = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{OBEDIENT}"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Services of the test's own, to be started as `python -m`."""
    (tmp_path / "obedient.py").write_text(OBEDIENT)
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    (tmp_path / "failing.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


async def is_up(log: Path) -> None:
    async with asyncio.timeout(10):
        while "up" not in (log.read_text() if log.exists() else ""):
            await asyncio.sleep(0.01)


async def test_services_end_on_sigterm_and_the_stubborn_are_killed(modules: Path) -> None:
    """A service that does not end in time is named and killed."""
    processes = Processes(modules)
    for name in ("obedient", "stubborn"):
        await processes.start(Service(name, name))
        await is_up(modules / f"{name}.log")
    assert set(processes.pids()) == {"obedient", "stubborn"}
    assert await processes.stop(timeout=0.5) == ["stubborn"]
    assert processes.pids() == {}


async def test_services_end_wave_by_wave_and_nobody_waits_for_the_stubborn(modules: Path) -> None:
    """The second wave is ended when the first has ended, or when its share of the time is over."""
    (modules / "noting.py").write_text(
        "import signal, time\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "print('up', flush=True)\n"
        "signal.sigwait([signal.SIGTERM])\n"
        "print(time.monotonic_ns(), flush=True)\n"
    )
    processes = Processes(modules)
    for name, module, ends in (("last", "noting", 2), ("first", "noting", 0), ("stubborn", "stubborn", 1)):
        await processes.start(Service(name, module, ends=ends))
        await is_up(modules / f"{name}.log")
    assert await processes.stop(timeout=0.6) == ["stubborn"]
    first, last = (int((modules / f"{name}.log").read_text().split()[-1]) for name in ("first", "last"))
    assert first < last


async def test_a_service_that_ends_by_itself_is_named(modules: Path) -> None:
    """With its exit code."""
    processes = Processes(modules)
    await processes.start(Service("obedient", "obedient"))
    await processes.start(Service("failing", "failing"))
    ended = await processes.first_end()
    assert (ended.name, ended.returncode) == ("failing", 3)
    await processes.stop()


async def test_a_service_ends_when_its_parent_is_killed(modules: Path) -> None:
    """Even kill -9 leaves no orphan: the kernel ends the service."""
    program = (
        "import subprocess, sys, time\n"
        "from millrace_cli.processes import Service\n"
        "child = subprocess.Popen(Service('x', 'obedient').command(), stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    watch = os.pidfd_open(int(await asyncio.wait_for(parent.stdout.readline(), 30)))
    parent.kill()
    await parent.wait()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(watch, ended.set)
    await asyncio.wait_for(ended.wait(), 5)
    asyncio.get_running_loop().remove_reader(watch)
    os.close(watch)


def test_a_free_port_is_kept_and_a_busy_one_replaced() -> None:
    """The usual port is chosen if it is free."""
    port = free_port(0)
    assert free_port(port) == port
    with socket.create_server(("127.0.0.1", port)):
        assert free_port(port) != port


async def test_waiting_for_a_listener_ends_when_there_is_one() -> None:
    """It returns once a process listens, or fails when the time is over."""
    port = free_port(0)
    with pytest.raises(TimeoutError):
        await listening(port, 0.1)
    with socket.create_server(("127.0.0.1", port)):
        await listening(port, 5)
