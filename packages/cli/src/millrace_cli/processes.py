"""Child processes: started, watched and ended together, so that none is left behind; and their ports."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from millrace_bus.server import bound_to_us
from millrace_core.errors import MillraceError

STOP_TIMEOUT_S = 4.0
"""How long services may take to end before they are killed, so that Ctrl-C takes 5 s at most."""
_LOOPBACK = "127.0.0.1"
_RETRY_S = 0.02


@dataclass(frozen=True)
class Service:
    """A process to run: `python -m {module} {arguments}`."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    ends: int = 0
    """Services with a lower number are ended first, while those with a higher one can still serve them."""

    def command(self) -> list[str]:
        """Return the command line; the kernel ends the process with this one, even when this one is killed."""
        return bound_to_us(sys.executable, "-m", self.module, *self.arguments)


@dataclass(frozen=True)
class Ended:
    """A service that exited unexpectedly."""

    name: str
    returncode: int


class ServiceEnded(MillraceError):
    """A part of the platform exited unexpectedly, or did not start."""


class Processes:
    """Child processes, each logging to a file of its own in `log_dir`, or to this terminal."""

    def __init__(self, log_dir: Path | None) -> None:
        self._log_dir = log_dir
        self._running: dict[str, Process] = {}
        self._waves: dict[str, int] = {}
        self._logs: list[IO[bytes]] = []

    async def start(self, service: Service) -> int:
        """Start a service and return its process id."""
        process = await asyncio.create_subprocess_exec(
            *service.command(),
            env={**os.environ, **service.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._log(service.name),
            stderr=asyncio.subprocess.STDOUT if self._log_dir else None,
            # Ctrl-C goes to the whole foreground group; in a group of their own, services end in our order.
            process_group=0,
        )
        self._running[service.name] = process
        self._waves[service.name] = service.ends
        return process.pid

    def pids(self) -> dict[str, int]:
        """Return the process id of each running service."""
        return {name: process.pid for name, process in self._running.items() if process.returncode is None}

    async def first_end(self) -> Ended:
        """Wait until a service exits unexpectedly."""
        waits = {asyncio.ensure_future(process.wait()): name for name, process in self._running.items()}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        ended = next(iter(done))
        return Ended(waits[ended], ended.result())

    async def end_before(self, stop: asyncio.Event, seconds: float | None = None) -> Ended | None:
        """Wait until `stop` is set, `seconds` have passed, or a service exits unexpectedly; return that service."""
        end = asyncio.create_task(self.first_end())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({end, stopped}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return end.result() if end.done() and not stop.is_set() else None
        finally:
            end.cancel()
            stopped.cancel()

    async def stop(self, timeout: float = STOP_TIMEOUT_S) -> list[str]:
        """End every service in order; return the names of those that had to be killed.

        Each wave gets an equal share of the remaining time. Services that exceed it do not delay the next wave, and
        are killed after `timeout` seconds.
        """
        running = {name: process for name, process in self._running.items() if process.returncode is None}
        waits = {name: asyncio.ensure_future(process.wait()) for name, process in running.items()}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        waves = sorted({self._waves[name] for name in running})
        for left, wave in zip(range(len(waves), 0, -1), waves, strict=True):
            names = [name for name in running if self._waves[name] == wave]
            for name in names:
                running[name].send_signal(signal.SIGTERM)
            await asyncio.wait([waits[name] for name in names], timeout=(deadline - loop.time()) / left)
        late = [name for name, wait in waits.items() if not wait.done()]
        for name in late:
            running[name].kill()
        await asyncio.gather(*waits.values())
        for log in self._logs:
            log.close()
        self._running.clear()
        return late

    def _log(self, name: str) -> IO[bytes] | None:
        if self._log_dir is None:
            return None
        log = (self._log_dir / f"{name}.log").open("ab")
        self._logs.append(log)
        return log


def free_port(preferred: int) -> int:
    """Return `preferred` when it is free, else a port chosen by the system."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free on this machine")


async def listening(port: int, timeout: float) -> None:
    """Wait until a process listens on a port.

    Raises:
        TimeoutError: none did within `timeout` seconds.
    """
    async with asyncio.timeout(timeout):
        while True:
            try:
                _, writer = await asyncio.open_connection(_LOOPBACK, port)
            except OSError:
                await asyncio.sleep(_RETRY_S)
            else:
                writer.close()
                return
