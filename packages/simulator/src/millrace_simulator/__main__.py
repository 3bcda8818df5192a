"""Run the simulator by itself: `python -m millrace_simulator`, with the options that --help lists."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvloop

from millrace_simulator.config import ConfigError, SimulatorConfig, default_config, load
from millrace_simulator.server import DEFAULT_HOST, serve

DEFAULT_PORT = 9080
PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; gives the process's exit code."""
    options = _parser().parse_args(arguments)
    if options.die_with_parent is not None:
        _die_with_parent(options.die_with_parent)
    _set_up_logging()
    try:
        config = _configure(options)
        uvloop.run(_run(config, options.host, options.port))
    except (ConfigError, OSError) as error:
        structlog.get_logger().error("simulator cannot start", reason=str(error))
        return 1
    return 0


async def _run(config: SimulatorConfig, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    log = structlog.get_logger()
    async with await serve(config, host, port) as server:
        log.info("simulator is ready", address=server.url, symbols=len(server.venue.instruments), seed=config.seed)
        waiting = asyncio.create_task(stopped.wait())
        tasks: list[asyncio.Task[Any]] = [waiting] if server.driver is None else [waiting, server.driver]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for task in done:
            # A market that broke must end the process loudly: a silent exchange looks like a quiet one.
            task.result()
    log.info("simulator stopped")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("millrace_simulator", description="An exchange to trade against.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as JSON; what is left out is built in")
    parser.add_argument("--host", default=DEFAULT_HOST, help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--seed", type=int, metavar="N", help="decides everything that the participants do")
    parser.add_argument("--events-per-second", type=float, metavar="N", help="changes of order books, over all symbols")
    parser.add_argument("--depth-interval-ms", type=int, metavar="N", help="how long @depth@100ms gathers changes")
    parser.add_argument("--record", action="store_true", default=None, help="keep every change of every book")
    parser.add_argument(
        "--die-with-parent",
        nargs="?",
        type=int,
        const=0,
        metavar="PID",
        help="end when the process that started this ends; its id makes it sure from the first moment on",
    )
    return parser


def _configure(options: argparse.Namespace) -> SimulatorConfig:
    config = default_config() if options.config is None else load(options.config)
    names = ("seed", "events_per_second", "depth_interval_ms", "record")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    return msgspec.structs.replace(config, **given)


def _die_with_parent(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that happens (Linux).

    `parent` is the parent's process id, 0 where it is not known: then only an end from now on is noticed.
    """
    parent = parent or os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        # It ended before the kernel was told.
        os.kill(os.getpid(), signal.SIGTERM)


def _set_up_logging() -> None:
    """One line an event on standard output: for people on a terminal, as JSON otherwise."""
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
