"""A service's process: settings, logging, signals, the event loop, the exit code.

Exit codes: 0 ended in order; 2 a setting is missing or wrong; 1 failed, and the log says why, or did not end within
5 s of a signal, and a stack dump shows where it hung. A second signal ends the process at once.
"""

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, NoReturn, TextIO, cast

import structlog
import uvloop

from millrace_bus.server import end_with_parent
from millrace_core.config.workers import WorkersConfig
from millrace_service import redaction
from millrace_service.agent import Agent
from millrace_service.errors import SettingsInvalid, describe, traceback_of
from millrace_service.garbage import spare_what_stands
from millrace_service.logs import CleanedOutput, configure_logging
from millrace_service.runner import run_agent
from millrace_service.settings import Settings, read_settings, secrets_of
from millrace_service.workers.fork_server import ForkServer
from millrace_service.workers.worker import run_worker

END_LIMIT_S: Final = 4.8
"""A process that has not ended this long after a signal is ended by force; the limit promised is 5 s."""
UNUSABLE_SETTINGS: Final = 2
"""The exit code of a service whose settings are missing or wrong."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

log = structlog.get_logger()


def main(make_agent: Callable[[], Agent[Any, Any]], *, options: Mapping[str, str] | None = None) -> NoReturn:
    """Run a service as `python -m millrace_gatherer --agent-id GATHERER [--redis-url URL]`; never return.

    `options` are further command-line options of this service, with their help: `{"plugin-dir": "…"}` adds
    `--plugin-dir`, which sets the environment variable `MILLRACE_PLUGIN_DIR` before `make_agent` is called.
    """
    # Until the loop handles it, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    kind = _service_name()
    try:
        settings = read_settings(kind, sys.argv[1:], os.environ, options)
        # A service reads its options and its folder from the environment, however they were set.
        os.environ.update({**settings.options, "MILLRACE_DATA_DIR": str(settings.data_dir)})
        if settings.secret_key_file is not None:
            os.environ["MILLRACE_SECRET_KEY_FILE"] = settings.secret_key_file
        agent = make_agent()
    except SettingsInvalid as error:
        sys.stderr.write(f"millrace {kind}: {error}\n")
        sys.exit(UNUSABLE_SETTINGS)
    redaction.learn(secrets_of(settings, os.environ))
    # What plugins print, and what Python itself says of errors in threads, is cleaned like the log.
    log_stream = sys.stderr
    sys.stdout, sys.stderr = cast("TextIO", CleanedOutput(sys.stdout)), cast("TextIO", CleanedOutput(sys.stderr))
    about = {"service": kind, "agent": settings.agent_id}
    configure_logging(settings.log_level, settings.log_format, about=about, stream=log_stream)
    sys.excepthook = _log_failure
    if settings.parent is not None:
        end_with_parent(settings.parent or os.getppid())
    fork_server = ForkServer.start(run_worker) if issubclass(agent.config_model, WorkersConfig) else None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_live(agent, settings, fork_server))
    _leave()


async def _live(agent: Agent[Any, Any], settings: Settings, fork_server: ForkServer | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(signum: int, _frame: FrameType | None) -> None:
        # Not the loop's own signal handlers: they would wait forever for a loop that a unit blocks.
        _limit_the_end()
        loop.call_soon_threadsafe(_end, signal.Signals(signum).name, stop)

    for signum in _SIGNALS:
        signal.signal(signum, on_signal)
    spare_what_stands()
    await run_agent(agent, settings, stop=stop, fork_server=fork_server)


def _leave() -> NoReturn:
    """End the process at once: Python would first free, for a third of a second, what the kernel frees with it."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _limit_the_end() -> None:
    # Neither of the two needs Python code to run, so they end even a process that hangs.
    faulthandler.dump_traceback_later(END_LIMIT_S, exit=True)
    for signum in _SIGNALS:
        signal.signal(signum, signal.SIG_DFL)


def _end(signum: str, stop: asyncio.Event) -> None:
    log.info("shutting down", signal=signum)
    stop.set()


def _log_failure(_kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    # Instead of Python's own traceback, which would not be cleaned of secrets.
    log.critical("process failed", cause=describe(error), exc_info=traceback_of(error))


def _service_name() -> str:
    """Return what runs: `gatherer` of `python -m millrace_gatherer`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.parent or spec.name if spec else Path(sys.argv[0]).stem
    return str(module).removeprefix("millrace_")
