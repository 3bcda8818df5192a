"""What strategies log while they run on recorded data."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.typing import EventDict


def strategy_log(name: str, now_ns: Callable[[], int]) -> Any:
    """Return a strategy's log: with virtual times, and on standard error, since standard output may be a document."""

    def stamp(_logger: Any, _method: str, event: EventDict) -> EventDict:
        moment = datetime.fromtimestamp(now_ns() / 1e9, UTC)
        return {"timestamp": moment.isoformat(sep=" ", timespec="milliseconds"), **event}

    shown = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[structlog.processors.add_log_level, stamp, shown],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        strategy=name,
    )
