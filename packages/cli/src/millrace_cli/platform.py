"""The demo's platform: Valkey, the simulated exchange and the services, with the example configurations."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from millrace_bus import Bus, EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_cli import configs, data_folder
from millrace_cli.kept_configs import put_configs
from millrace_cli.options import url_of
from millrace_cli.ports import api_port
from millrace_cli.processes import Processes, Service, ServiceEnded, listening
from millrace_cli.up import ENDS
from millrace_core.clock import now_ms
from millrace_core.names import PUBLIC, Tenant, tenant

SIMULATOR_TIMEOUT_S = 60.0
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
        ports = free_port(options.simulator_port), api_port(options.api_port, "--api-port")
        agents = configs.load(options.examples, exchange_url := f"http://127.0.0.1:{ports[0]}", options.exchange)
        say("Starting Valkey …")
        server = await EmbeddedServer.start(options.data_dir / "valkey", port=free_port(options.redis_port))
        processes = Processes(logs, trouble)
        try:
            say(f"Starting the simulated exchange and the services; their logs are in {logs} …")
            await processes.start(_simulator(options, ports[0]))
            async with Bus.connect(server.url, name="demo-setup") as bus:
                kept = await put_configs(bus, agents, options.data_dir, exchange_url)
            for agent in agents:
                await processes.start(_service(agent, server.url, ports[1], options))
            notices = (
                [f"configurations that you changed are kept: {', '.join(kept)}; --reset starts anew"] if kept else []
            )
            await _simulator_ready(ports[0], logs)
            headline = (
                f"API http://127.0.0.1:{ports[1]}/api/v1  exchange :{ports[0]}  Redis :{server.port}  Ctrl-C ends it"
            )
            yield Platform(server.url, headline, (*notices, *await _new_tokens(options)), processes)
        finally:
            say("Stopping …")
            await processes.stop()
            await server.stop()


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


async def _new_tokens(options: DemoOptions) -> tuple[str, ...]:
    """Return a line for the tenant's and one for the operator's new admin token, valid for a day."""
    # The database code takes a while to import; in a thread, the services start meanwhile and Ctrl-C works.
    tokens = await asyncio.to_thread(importlib.import_module, "millrace_cli.tokens")
    lines = []
    for whose, title in ((TENANT, str(TENANT)), (PUBLIC, "the operator")):
        token = await tokens.create(url_of(None, options.data_dir), Tenant(whose), f"demo {now_ms()}", "admin", days=1)
        lines.append(f"token of {title}: {token}")
    return tuple(lines)


async def _simulator_ready(port: int, logs: Path) -> None:
    try:
        await listening(port, SIMULATOR_TIMEOUT_S)
    except TimeoutError as error:
        raise ServiceEnded(f"the simulated exchange did not start; see {logs / 'simulator.log'}") from error
