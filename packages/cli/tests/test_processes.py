import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from millrace_bus.server.ports import free_port
from millrace_cli.processes import Processes, Service, ServiceEnded, listening
from millrace_core.backoff import BackoffPolicy

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


class Said:
    """What was said of services, as it comes."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def __call__(self, service: str, text: str) -> None:
        """Note a line."""
        self._lines.put_nowait((service, text))

    async def next(self) -> tuple[str, str]:
        """Return what is said next."""
        return await asyncio.wait_for(self._lines.get(), 20)


@pytest.fixture
def said() -> Said:
    """What is said of the services."""
    return Said()


async def is_up(log: Path) -> None:
    async with asyncio.timeout(60):
        while "up" not in (log.read_text() if log.exists() else ""):
            await asyncio.sleep(0.01)


async def test_services_end_on_sigterm_and_the_stubborn_are_killed(modules: Path, said: Said) -> None:
    """A service that does not end in time is named and killed."""
    processes = Processes(modules, said)
    for name in ("obedient", "stubborn"):
        await processes.start(Service(name, name))
        await is_up(modules / f"{name}.log")
    assert set(processes.pids()) == {"obedient", "stubborn"}
    assert await processes.stop(timeout=0.5) == ["stubborn"]
    assert processes.pids() == {}


async def test_services_end_wave_by_wave_and_nobody_waits_for_the_stubborn(modules: Path, said: Said) -> None:
    """The second wave is ended when the first has ended, or when its share of the time is over."""
    (modules / "noting.py").write_text(
        "import signal, time\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "print('up', flush=True)\n"
        "signal.sigwait([signal.SIGTERM])\n"
        "print(time.monotonic_ns(), flush=True)\n"
    )
    processes = Processes(modules, said)
    for name, module, ends in (("last", "noting", 2), ("first", "noting", 0), ("stubborn", "stubborn", 1)):
        await processes.start(Service(name, module, ends=ends))
        await is_up(modules / f"{name}.log")
    assert await processes.stop(timeout=0.6) == ["stubborn"]
    first, last = (int((modules / f"{name}.log").read_text().split()[-1]) for name in ("first", "last"))
    assert first < last


async def test_a_service_that_ends_by_itself_is_started_again_after_growing_pauses(modules: Path, said: Said) -> None:
    """Each end is told with the exit code and the pause; the other services run on."""
    processes = Processes(modules, said, BackoffPolicy(first_s=0.2, limit_s=5.0))
    await processes.start(Service("obedient", "obedient"))
    obedient = processes.pids()["obedient"]
    await processes.start(Service("failing", "failing"))
    pauses = []
    for _ in range(3):
        name, text = await said.next()
        assert (name, "exit code 3" in text, "starting it again" in text) == ("failing", True, True)
        pauses.append(float(text.split()[-2]))
    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[0]
    assert processes.pids()["obedient"] == obedient
    assert await processes.stop() == []


async def test_a_killed_service_runs_again(modules: Path, said: Said) -> None:
    """It is told by what it was ended, and has a new process."""
    processes = Processes(modules, said, BackoffPolicy(first_s=0.05))
    pid = await processes.start(Service("obedient", "obedient"))
    await is_up(modules / "obedient.log")
    os.kill(pid, signal.SIGKILL)
    assert "SIGKILL" in (await said.next())[1]
    async with asyncio.timeout(60):
        while processes.pids().get("obedient") in (None, pid):
            await asyncio.sleep(0.01)
    assert await processes.stop() == []


async def test_a_service_with_wrong_settings_is_not_started_again(modules: Path, said: Said) -> None:
    """What to set is told once, from the service's own last line; with no service left, it is over."""
    (modules / "choosy.py").write_text("import sys\nprint('set MILLRACE_COLOUR', flush=True)\nsys.exit(2)\n")
    processes = Processes(modules, said, BackoffPolicy(first_s=0.05))
    await processes.start(Service("choosy", "choosy"))
    with pytest.raises(ServiceEnded):
        await asyncio.wait_for(processes.until(asyncio.Event()), 20)
    assert await said.next() == ("choosy", "cannot start, and is not started again: set MILLRACE_COLOUR")
    assert await processes.stop() == []


async def test_a_service_that_waits_to_be_started_again_ends_at_once(modules: Path, said: Said) -> None:
    """Nobody waits for the pause to be over."""
    processes = Processes(modules, said, BackoffPolicy(first_s=60.0, limit_s=60.0))
    await processes.start(Service("failing", "failing"))
    await said.next()
    assert await asyncio.wait_for(processes.stop(), 5) == []
    assert processes.pids() == {}


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


async def test_waiting_for_a_listener_ends_when_there_is_one() -> None:
    """It returns once a process listens, or fails when the time is over."""
    port = free_port(0)
    with pytest.raises(TimeoutError):
        await listening(port, 0.1)
    with socket.create_server(("127.0.0.1", port)):
        await listening(port, 5)


async def test_what_a_service_left_running_delays_nothing(modules: Path, said: Said) -> None:
    """A process that a service started holds the service's output open, and lives on when the service has ended."""
    (modules / "leaving.py").write_text(
        "import subprocess, sys\n"
        "subprocess.Popen(['sleep', '20'], start_new_session=True)\n"
        "print('no key', flush=True)\n"
        "sys.exit(2)\n"
    )
    processes = Processes(None, said)
    for name in ("one", "two", "three"):
        await processes.start(Service(name, "leaving"))
    async with asyncio.timeout(60):
        for _ in range(3):
            assert (await said.next())[1].endswith("not started again: no key")
        # A limit for each output after the other would exceed this.
        async with asyncio.timeout(1.2):
            assert await processes.stop() == []
