"""Run the simulator by itself: `python -m millrace_simulator`, with the options that --help lists."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvloop

from millrace_simulator.config import ConfigError, SimulatorConfig, default_config, load
from millrace_simulator.dialects import DIALECTS
from millrace_simulator.journal import JournalError
from millrace_simulator.server import DEFAULT_HOST, serve

DEFAULT_PORT = 9080


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; return the process's exit code."""
    options = _parser().parse_args(arguments)
    _set_up_logging()
    try:
        config = _configure(options)
        uvloop.run(_run(config, options.host, options.port, options.journal))
    except (ConfigError, JournalError, OSError) as error:
        structlog.get_logger().error("simulator cannot start", reason=str(error))
        return 1
    return 0


async def _run(config: SimulatorConfig, host: str, port: int, journal: Path | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    log = structlog.get_logger()
    async with await serve(config, host, port, journal=journal) as server:
        symbols = len(server.venue.instruments)
        log.info("simulator is ready", address=server.url, dialect=config.dialect, symbols=symbols, seed=config.seed)
        waiting = asyncio.create_task(stopped.wait())
        tasks: list[asyncio.Task[Any]] = [waiting] if server.driver is None else [waiting, server.driver]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for task in done:
            # A failed market must end the process: an exchange without events looks like a quiet market.
            task.result()
    log.info("simulator stopped")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "millrace_simulator", description="A simulated exchange that speaks the protocol of a real one."
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="JSON file with settings")
    parser.add_argument("--dialect", choices=DIALECTS, help="whose protocol it speaks (default binance)")
    parser.add_argument("--host", default=DEFAULT_HOST, help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 picks a free port (default %(default)s)")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the market: the same seed makes the same market")
    parser.add_argument("--events-per-second", type=float, metavar="N", help="order book changes, all symbols")
    parser.add_argument("--depth-interval-ms", type=int, metavar="N", help="interval of the @depth@100ms streams in ms")
    parser.add_argument(
        "--journal", type=Path, metavar="FILE", help="go on where the run before ended that had this file"
    )
    parser.add_argument("--record", action="store_true", default=None, help="record every order book change")
    return parser


def _configure(options: argparse.Namespace) -> SimulatorConfig:
    dialect = options.dialect
    config = default_config(dialect or "binance") if options.config is None else load(options.config, dialect)
    names = ("seed", "events_per_second", "depth_interval_ms", "record")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    return msgspec.structs.replace(config, **given)


def _set_up_logging() -> None:
    """Log one line an event to standard output: readable on a terminal, else as JSON."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stdout.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        cache_logger_on_first_use=True,
    )


if __name__ == "__main__":
    sys.exit(main())
