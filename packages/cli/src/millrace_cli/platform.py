"""The demo's platform: Valkey, the simulated exchange and the services, with the example configurations."""

import asyncio
import importlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from millrace_bus import Bus, EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_cli import configs, data_folder, sign_in
from millrace_cli.kept_configs import put_configs
from millrace_cli.options import url_of
from millrace_cli.ports import http_port
from millrace_cli.processes import Processes, Service, ServiceEnded, listening
from millrace_cli.up import ALERTS, ENDS, started_when_configured
from millrace_core.clock import DAY_MS, now_ms
from millrace_core.heartbeat import Heartbeat
from millrace_core.names import PUBLIC, Tenant, tenant

SIMULATOR_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 20.0
_POLL_S = 0.05
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
    api_port: int = 8080
    console_port: int = 8081
    seed: int = 1
    events_per_second: float | None = None
    exchange: str = configs.EXAMPLE_EXCHANGE
    """The exchange that is simulated."""
    plugin_dir: Path | None = None
    """None for the examples' strategies."""
    reset: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Platform:
    """The running platform."""

    redis_url: str
    headline: str
    notices: tuple[str, ...]
    """Which configurations were kept, and the new tokens; to be shown once."""
    processes: Processes


@asynccontextmanager
async def running(
    options: DemoOptions, say: Callable[[str], None], trouble: Callable[[str, str], None]
) -> AsyncIterator[Platform]:
    """Run the platform; `trouble` is called with a service's name and what became of it.

    Raises:
        MillraceError: a part could not be started; nothing is left running.
    """
    with data_folder.locked(options.data_dir):
        if options.reset:
            data_folder.reset(options.data_dir)
        logs = options.data_dir / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        ports = _ports(options)
        exchange_url = f"http://127.0.0.1:{ports.exchange}"
        agents = configs.load(options.examples, exchange_url, options.exchange, strategies=options.plugin_dir)
        say("Starting Valkey …")
        server = await EmbeddedServer.start(options.data_dir / "valkey", port=free_port(options.redis_port))
        processes = Processes(logs, trouble)
        try:
            say(f"Starting the simulated exchange and the services; their logs are in {logs} …")
            await processes.start(_simulator(options, ports.exchange))
            async with Bus.connect(server.url, name="demo-setup") as bus:
                kept = await put_configs(bus, agents, options.data_dir, exchange_url)
                for agent in sorted(agents, key=lambda agent: agent.kind == "magicbox"):
                    if agent.kind == "magicbox":
                        await _orders_can_be_sent(bus, processes)
                    await processes.start(_service(agent, server.url, ports.api, options))
            await processes.start(_console(options, ports))
            notices = (
                [f"configurations that you changed are kept: {', '.join(kept)}; --reset starts anew"] if kept else []
            )
            await _simulator_ready(ports.exchange, logs)
            headline = (
                f"API http://127.0.0.1:{ports.api}/api/v1  exchange :{ports.exchange}  Redis :{server.port}  "
                f"Ctrl-C ends it\n{_sign_in_again(options, ports)}"
            )
            alerts = _service(configs.AgentFile("alerts", ALERTS, ""), server.url, ports.api, options)
            async with started_when_configured(processes, alerts, server.url):
                yield Platform(server.url, headline, (*notices, *await _ways_in(options, ports)), processes)
        finally:
            say("Stopping …")
            await processes.stop()
            await server.stop()


async def _orders_can_be_sent(bus: Bus, processes: Processes) -> None:
    """Wait until the executor is ready, else first requests would expire; not for ever, since it may fail."""
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    is_ready = False
    while not is_ready and time.monotonic() < deadline_s:
        await asyncio.sleep(_POLL_S)
        is_ready = any(_is_ready(each, processes.pids().get("executor")) for each in await bus.heartbeats())


def _is_ready(agent: Heartbeat, pid: int | None) -> bool:
    return agent.pid == pid and bool(agent.units) and all(unit.state == "live" for unit in agent.units)


class _Ports(NamedTuple):
    exchange: int
    api: int
    console: int


def _ports(options: DemoOptions) -> _Ports:
    """Return the ports.

    Raises:
        PortBusy: the API's or the console's is in use.
    """
    return _Ports(
        free_port(options.simulator_port),
        http_port("API", options.api_port, "--api-port"),
        http_port("console", options.console_port, "--console-port"),
    )


def _console(options: DemoOptions, ports: _Ports) -> Service:
    arguments = ("--port", str(ports.console), "--api-url", f"http://127.0.0.1:{ports.api}")
    return Service("console", "millrace_console", (*arguments, "--data-dir", str(options.data_dir)))


def _simulator(options: DemoOptions, port: int) -> Service:
    arguments = ["--port", str(port), "--seed", str(options.seed), "--dialect", options.exchange]
    arguments += ["--journal", str(options.data_dir / "exchange.journal")]
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
            "MILLRACE_PLUGIN_DIR": str(options.plugin_dir or options.examples / "strategies"),
            "MILLRACE_PORT": str(api_port),
        },
        ENDS[agent.kind],
    )


async def _ways_in(options: DemoOptions, ports: _Ports) -> tuple[str, ...]:
    """Return the console's sign-in link, and a new admin token of the tenant and of the operator, valid for a day.

    They can be used at once: API and console listen by now.
    """
    # The database code takes a while to import; in a thread, the services start meanwhile and Ctrl-C works.
    tokens = await asyncio.to_thread(importlib.import_module, "millrace_cli.tokens")
    url, console = url_of(None, options.data_dir), f"http://localhost:{ports.console}"
    link = await sign_in.link(url, [TENANT, PUBLIC], "admin", 1.0, console, usable_ms=DAY_MS)
    lines = [f"console, signed in (this link works once): {link}"]
    for whose, title in ((TENANT, str(TENANT)), (PUBLIC, "the operator")):
        token = await tokens.create(url, Tenant(whose), f"demo {now_ms()}", "admin", days=1)
        lines.append(f"token of {title}: {token}")
    for port in (ports.api, ports.console):
        with suppress(TimeoutError):  # one that cannot start is reported as such, and the demo goes on without it
            await listening(port, READY_TIMEOUT_S)
    return tuple(lines)


def _sign_in_again(options: DemoOptions, ports: _Ports) -> str:
    """Return the command that prints another link, once the first is no longer shown."""
    address = f"http://localhost:{ports.console}"
    elsewhere = "" if address == sign_in.CONSOLE else f" --console {address}"
    # As the demo itself was called: `make demo` puts no command on PATH.
    return f"sign in again: {sys.argv[0]} sign-in --data-dir {options.data_dir} --tenant {TENANT}{elsewhere}"


async def _simulator_ready(port: int, logs: Path) -> None:
    try:
        await listening(port, SIMULATOR_TIMEOUT_S)
    except TimeoutError as error:
        raise ServiceEnded(f"the simulated exchange did not start; see {logs / 'simulator.log'}") from error
