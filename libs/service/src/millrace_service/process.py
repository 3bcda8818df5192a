"""A service's process: settings, logging, signals, the event loop, the exit code."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from millrace_service.agent import Agent


def main(make_agent: Callable[[], Agent[Any, Any]], *, options: Mapping[str, str] | None = None) -> NoReturn:
    """Be the whole of `python -m millrace_gatherer --agent-id GATHERER [--redis-url URL]`; never returns.

    `options` names further command-line options of this service with their help: `{"plugin-dir": "…"}` adds
    `--plugin-dir`, another spelling of the environment variable `MILLRACE_PLUGIN_DIR`, which is set
    before `make_agent` is called.
    """
    raise NotImplementedError
