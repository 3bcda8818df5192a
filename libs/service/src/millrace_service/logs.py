"""Logging: one line for each event that a person acts on; readable on a terminal, JSON otherwise.

Our own lines go through structlog straight to the stream. What libraries log through the standard library, and their
warnings, take the same way, so that everything has one form and is cleaned of secrets.
"""

import contextlib
import io
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from millrace_core.clock import now_ns
from millrace_service.redaction import clean_field, clean_text
from millrace_service.settings import LogFormat, LogLevel

_REPEATED_S: Final = 60.0
_MOST_FAILURES: Final = 1_000
"""Of libraries, as far as it is remembered that they were logged."""
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure_logging(
    level: LogLevel, form: LogFormat, *, about: Mapping[str, str], stream: TextIO | None = None
) -> None:
    """Set up logging for the whole process; `about` is added to every line.

    `level` applies to our own lines; libraries' lines are kept from `warning` on, and all of them at `debug`.
    """
    stream = stream or sys.stderr
    console = form == "console" or (form == "auto" and stream.isatty())
    structlog.configure(
        processors=_processors(about, console=console, colors=console and stream.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _LossyStream(stream))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        handlers=[_IntoStructlog()],
        level=logging.DEBUG if level == "debug" else max(_LEVELS[level], logging.WARNING),
        force=True,
    )
    logging.captureWarnings(capture=True)


def _processors(about: Mapping[str, str], *, console: bool, colors: bool) -> list[Processor]:
    def add_about(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**about, **event}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp,
        structlog.processors.format_exc_info,
        _clean,
    ]
    if console:
        # A person at a terminal knows which program it is.
        plain = structlog.dev.plain_traceback
        return [*shared, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    return [add_about, *shared, structlog.processors.JSONRenderer(serializer=_to_json)]


def _stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    at = datetime.fromtimestamp(now_ns() / 1e9, UTC)
    event["timestamp"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: clean_field(name, value) for name, value in event.items()}


def _to_json(event: EventDict, **_: Any) -> str:
    return msgspec.json.encode(event).decode()


class _LossyStream(io.TextIOBase):
    """Drops lines that cannot be written: a full disk or a closed pipe must not end what is being logged."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class CleanedOutput(_LossyStream):
    """Writes texts without secrets to a stream."""

    def write(self, text: str) -> int:
        """Write a text, cleaned."""
        super().write(clean_text(text))
        return len(text)

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the number of the stream's file."""
        return self._stream.fileno()


class _IntoStructlog(logging.Handler):
    """Passes what libraries log on to structlog; a failure that one repeats is logged once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[tuple[str, str, type[BaseException] | None], float] = {}
        """When each failure was logged, s: by logger, text before its values are filled in, and error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a library's line as ours, with the library's name."""
        fields: dict[str, Any] = {"logger": record.name}
        level = record.levelno
        if record.exc_info:
            fields["exc_info"] = record.exc_info
            level = logging.DEBUG if self._is_repeated(record) else level
        structlog.get_logger().log(level, record.getMessage().strip(), **fields)

    def _is_repeated(self, record: logging.LogRecord) -> bool:
        key = (record.name, str(record.msg), record.exc_info[0] if record.exc_info else None)
        if record.created - self._logged.get(key, -_REPEATED_S) < _REPEATED_S:
            return True
        if len(self._logged) >= _MOST_FAILURES:
            self._logged.clear()
        self._logged[key] = record.created
        return False
