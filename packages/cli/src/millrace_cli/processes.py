"""Child processes: started, started again when they end by themselves, and ended together, so that none is left."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from millrace_bus.server import bound_to_us
from millrace_cli.output import LogFile, NamedLines, Output
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.errors import MillraceError
from millrace_service.process import UNUSABLE_SETTINGS

STOP_TIMEOUT_S = 4.0
"""How long services may take to end before they are killed, so that Ctrl-C takes 5 s at most."""
RESTARTS = BackoffPolicy(first_s=0.5, limit_s=30.0)
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
    is_useful_alone: bool = True
    """Whether it is worth running while no other service can start."""

    def command(self) -> list[str]:
        """Return the command line; the kernel ends the process with this one, even when this one is killed."""
        return bound_to_us(sys.executable, "-m", self.module, *self.arguments)


class ServiceEnded(MillraceError):
    """A part of the platform did not start, or cannot be started again."""


class Processes:
    """Child processes, each logging to a file of its own in `log_dir`, or by named lines to this terminal.

    One that ends by itself is started again after a pause that grows; one whose settings are wrong is not. Either is
    told to `say`, with the service's name first.
    """

    def __init__(
        self, log_dir: Path | None, say: Callable[[str, str], None], restarts: BackoffPolicy = RESTARTS
    ) -> None:
        self._log_dir, self._say, self._restarts = log_dir, say, restarts
        self._services: dict[str, Service] = {}
        self._running: dict[str, Process] = {}
        self._outputs: dict[str, Output] = {}
        self._keepers: set[asyncio.Task[None]] = set()
        self._awaited: set[asyncio.Task[None]] = set()
        """The keepers of services that are useful alone."""
        self._stopping = asyncio.Event()
        self._starting = asyncio.Lock()

    async def start(self, service: Service) -> int:
        """Start a service, keep it running, and return its process id."""
        self._services[service.name] = service
        self._outputs[service.name] = self._output(service.name)
        process = await self._spawn(service)
        keeper = asyncio.create_task(self._keep(service), name=f"keep {service.name}")
        self._keepers.add(keeper)
        if service.is_useful_alone:
            self._awaited.add(keeper)
        return process.pid

    def pids(self) -> dict[str, int]:
        """Return the process id of each running service."""
        return {name: process.pid for name, process in self._running.items() if process.returncode is None}

    async def until(self, stop: asyncio.Event, seconds: float | None = None) -> None:
        """Wait until `stop` is set or `seconds` have passed.

        Raises:
            ServiceEnded: no service runs, and none will be started again.
        """
        stopped = asyncio.create_task(stop.wait())
        kept = asyncio.create_task(asyncio.wait(self._awaited, return_when=asyncio.FIRST_EXCEPTION))
        try:
            await asyncio.wait({stopped, kept}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if kept.done() and not stop.is_set():
                for keeper in self._awaited:
                    if keeper.done():
                        keeper.result()
                raise ServiceEnded("no service can start with these settings")
        finally:
            stopped.cancel()
            kept.cancel()

    async def stop(self, timeout: float = STOP_TIMEOUT_S) -> list[str]:
        """End every service in order; return the names of those that had to be killed.

        Each wave gets an equal share of the remaining time. Services that exceed it do not delay the next wave, and
        are killed after `timeout` seconds.
        """
        self._stopping.set()
        async with self._starting:
            running = {name: process for name, process in self._running.items() if process.returncode is None}
        waits = {name: asyncio.ensure_future(process.wait()) for name, process in running.items()}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        waves = sorted({self._services[name].ends for name in running})
        for left, wave in zip(range(len(waves), 0, -1), waves, strict=True):
            names = [name for name in running if self._services[name].ends == wave]
            for name in names:
                running[name].send_signal(signal.SIGTERM)
            await asyncio.wait([waits[name] for name in names], timeout=(deadline - loop.time()) / left)
        late = [name for name, wait in waits.items() if not wait.done()]
        for name in late:
            running[name].kill()
        await asyncio.gather(*waits.values(), *self._keepers, return_exceptions=True)
        await asyncio.gather(*(output.close() for output in self._outputs.values()))
        self._running.clear()
        return late

    async def _keep(self, service: Service) -> None:
        """Start a service again whenever it ends by itself, until `stop`."""
        backoff, loop = Backoff(self._restarts), asyncio.get_running_loop()
        while not self._stopping.is_set():
            started_s = loop.time()
            code = await self._running[service.name].wait()
            if self._stopping.is_set():
                return
            if code == UNUSABLE_SETTINGS:
                why = await self._outputs[service.name].last_line() or "its settings are wrong"
                self._say(service.name, f"cannot start, and is not started again: {why}")
                return
            if loop.time() - started_s >= self._restarts.healthy_after_s:
                backoff.recovered()
            pause_s = backoff.failed()
            self._say(service.name, f"{self._how_it_ended(service.name, code)}; starting it again in {pause_s:.1f} s")
            await self._pause(pause_s)
            await self._spawn(service)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _spawn(self, service: Service) -> Process:
        async with self._starting:
            if self._stopping.is_set():
                return self._running[service.name]
            output = self._outputs[service.name]
            async with output.file() as file:
                process = await asyncio.create_subprocess_exec(
                    *service.command(),
                    env={**os.environ, **output.environment, **service.environment},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=file,
                    stderr=asyncio.subprocess.STDOUT,
                    # Ctrl-C goes to the whole foreground group; in a group of their own, services end in our order.
                    process_group=0,
                )
            self._running[service.name] = process
        return process

    def _output(self, name: str) -> Output:
        return NamedLines(name, sys.stderr) if self._log_dir is None else LogFile(self._log_dir / f"{name}.log")

    def _how_it_ended(self, name: str, code: int) -> str:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"{how} ({self._log_dir / name}.log)" if self._log_dir else how


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
