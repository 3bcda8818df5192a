"""The demo: the whole platform on this machine, watched in the terminal, with nothing left running at the end."""

import asyncio
import importlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from millrace_bus import Bus, EmbeddedServer
from millrace_cli import configs
from millrace_cli.dashboard import show
from millrace_cli.observer import Observer
from millrace_cli.picture import Picture
from millrace_cli.processes import Processes, Service, ServiceEnded, free_port, listening
from millrace_cli.stored import url_of
from millrace_cli.up import ENDS
from millrace_core.clock import now_ms
from millrace_core.names import PUBLIC, Tenant, tenant

SIMULATOR_TIMEOUT_S = 20.0
TENANT = tenant("StrankaXY")
"""The tenant of the example strategy and account."""


@dataclass(frozen=True)
class DemoOptions:
    """Options of `millrace demo`."""

    data_dir: Path
    examples: Path
    seconds: float | None = None
    """None to run until Ctrl-C."""
    report: Path | None = None
    redis_port: int = 6379
    simulator_port: int = 9080
    api_port: int = 8081
    seed: int = 1
    events_per_second: float | None = None
    quiet: bool = False


async def run(options: DemoOptions, console: Console, stop: asyncio.Event) -> Picture:
    """Run the demo until its time is over or `stop` is set; return what was observed.

    Raises:
        ServiceEnded: a service exited unexpectedly; the text names its log.
        MillraceError: a part could not be started; nothing is left running.
    """
    picture = Picture(time.monotonic())
    say = _silent if options.quiet else console.print
    try:
        async with _stoppable(stop) as started, _platform(options, say) as platform:
            started.set()
            say(platform.headline)
            async with Bus.connect(platform.redis_url, name="demo") as bus:
                await _watch(platform, bus, picture, options, console, stop)
    except _StoppedEarly:
        return picture
    if options.report:
        options.report.write_text(json.dumps(picture.report(time.monotonic()), indent=2) + "\n")
        say(f"Report: {options.report}")
    return picture


class _StoppedEarly(Exception):
    """The demo was stopped while it was still starting."""


@asynccontextmanager
async def _stoppable(stop: asyncio.Event) -> AsyncIterator[asyncio.Event]:
    """Cancel the body when `stop` is set before the body has set the yielded event.

    Raises:
        _StoppedEarly: the body was cancelled, and has cleaned up.
    """
    started, ours = asyncio.Event(), asyncio.current_task()
    was_cancelled = False

    async def watch() -> None:
        nonlocal was_cancelled
        await stop.wait()
        if not started.is_set() and ours is not None:
            was_cancelled = ours.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield started
    except asyncio.CancelledError:
        if was_cancelled and ours is not None and ours.uncancel() == 0:
            raise _StoppedEarly from None
        raise
    finally:
        watching.cancel()


@dataclass(frozen=True)
class _Platform:
    """The running platform."""

    redis_url: str
    headline: str
    processes: Processes
    logs: Path


@asynccontextmanager
async def _platform(options: DemoOptions, say: Callable[[str], None]) -> AsyncIterator[_Platform]:
    logs = options.data_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    simulator_port, api_port = free_port(options.simulator_port), free_port(options.api_port)
    agents = configs.load(options.examples, f"http://127.0.0.1:{simulator_port}")
    say("Starting Valkey …")
    server = await EmbeddedServer.start(options.data_dir / "valkey", port=free_port(options.redis_port))
    processes = Processes(logs)
    try:
        say("Starting the simulated exchange and the services …")
        await processes.start(_simulator(options, simulator_port))
        async with Bus.connect(server.url, name="demo-setup") as bus:
            for agent in agents:
                await bus.put_config(agent.agent, agent.text)
                await processes.start(_service(agent, server.url, api_port, options))
        await _simulator_ready(simulator_port, logs)
        token, operator = [await _new_token(options, whose) for whose in (TENANT, PUBLIC)]
        headline = (
            f"Redis 127.0.0.1:{server.port}   exchange http://127.0.0.1:{simulator_port}   logs {logs}\n"
            f"API http://127.0.0.1:{api_port}/api/v1   Ctrl-C ends it\n"
            f"  token of {TENANT}: {token}\n"
            f"  token of the operator: {operator}"
        )
        yield _Platform(server.url, headline, processes, logs)
    finally:
        say("Stopping …")
        await processes.stop()
        await server.stop()


async def _watch(
    platform: _Platform, bus: Bus, picture: Picture, options: DemoOptions, console: Console, stop: asyncio.Event
) -> None:
    observer = Observer(bus, picture)
    async with asyncio.TaskGroup() as group:
        observing = group.create_task(observer.run())
        showing = group.create_task(show(picture, console, platform.headline, quiet=options.quiet))
        ended = await platform.processes.end_before(stop, options.seconds)
        observer.sample()
        observing.cancel()
        showing.cancel()
    if ended is not None:
        raise ServiceEnded(
            f"{ended.name} exited unexpectedly (code {ended.returncode}); see {platform.logs / ended.name}.log"
        )


def _simulator(options: DemoOptions, port: int) -> Service:
    arguments = ["--port", str(port), "--seed", str(options.seed)]
    if options.events_per_second is not None:
        arguments += ["--events-per-second", str(options.events_per_second)]
    return Service("simulator", "millrace_simulator", tuple(arguments), ends=max(ENDS.values()) + 1)


def _service(agent: configs.AgentFile, redis_url: str, api_port: int, options: DemoOptions) -> Service:
    return Service(
        agent.kind,
        f"millrace_{agent.kind}",
        ("--agent-id", agent.agent),
        {
            "MILLRACE_REDIS_URL": redis_url,
            "MILLRACE_DATA_DIR": str(options.data_dir),
            "MILLRACE_DATABASE_URL": url_of(None, options.data_dir),
            "MILLRACE_PLUGIN_DIR": str(options.examples / "strategies"),
            "MILLRACE_PORT": str(api_port),
        },
        ENDS[agent.kind],
    )


async def _new_token(options: DemoOptions, whose: Tenant) -> str:
    """Return a new admin token of a tenant, valid for a day."""
    # The database code takes a while to import; in a thread, the services start meanwhile and Ctrl-C works.
    tokens = await asyncio.to_thread(importlib.import_module, "millrace_cli.tokens")
    token: str = await tokens.create(url_of(None, options.data_dir), whose, f"demo {now_ms()}", "admin", days=1)
    return token


async def _simulator_ready(port: int, logs: Path) -> None:
    try:
        await listening(port, SIMULATOR_TIMEOUT_S)
    except TimeoutError as error:
        raise ServiceEnded(f"the simulated exchange did not start; see {logs / 'simulator.log'}") from error


def _silent(_text: str) -> None:
    """Print nothing."""
