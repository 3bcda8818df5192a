"""Logging: one form for everything, cleaned of secrets."""

import errno
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from millrace_service.logs import configure_logging
from millrace_service.settings import LogFormat, LogLevel

ABOUT = {"service": "gatherer", "agent": "GATHERER"}


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


class FullDisk(io.StringIO):
    """A stream that cannot be written."""

    def write(self, _text: str, /) -> int:
        """Fail as a full disk does."""
        raise OSError(errno.ENOSPC, "No space left on device")


Configure = Callable[..., io.StringIO]


@pytest.fixture
def configure() -> Iterator[Configure]:
    """Sets logging up on a stream of its own, and everything back after the test."""
    root = logging.getLogger()
    handlers, level, former = root.handlers[:], root.level, structlog.get_config()

    def set_up(level: LogLevel = "info", form: LogFormat = "json", stream: io.StringIO | None = None) -> io.StringIO:
        stream = stream or io.StringIO()
        # What pytest itself hangs there stays out of the test.
        root.handlers[:] = []
        configure_logging(level, form, about=ABOUT, stream=stream)
        return stream

    yield set_up
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**former)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the logged JSON lines."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_that_says_whose_it_is(configure: Configure) -> None:
    """In JSON each event is one line with time, level, service, agent and its own fields."""
    stream = configure()
    structlog.get_logger().info("configuration in force", revision="abc", units=3, missing=None)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    wanted = {"event": "configuration in force", "level": "info", "revision": "abc", "units": 3, "missing": None}
    assert line == wanted | ABOUT


def test_a_terminal_gets_readable_lines(configure: Configure) -> None:
    """`auto` means text on a terminal, and JSON elsewhere."""
    terminal = configure(form="auto", stream=Terminal())
    structlog.get_logger().warning("unit failed", cause="OSError: no route")
    assert "unit failed" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    piped = configure(form="auto")
    structlog.get_logger().warning("unit failed")
    assert lines(piped)


def test_lines_below_the_level_are_dropped(configure: Configure) -> None:
    """The configured level applies to our own lines."""
    stream = configure("warning")
    log = structlog.get_logger()
    log.info("hidden")
    log.warning("seen")
    assert [line["event"] for line in lines(stream)] == ["seen"]


def test_an_error_is_logged_in_the_same_line_without_secrets(configure: Configure) -> None:
    """A traceback is a field of its line, cleaned like every other."""
    stream = configure()
    try:
        int("GET /api/v3/order?signature=abcdef0123")
    except ValueError:
        structlog.get_logger().exception("request failed", apiKey="K3Y", url="wss://x/?token=t0k3n")
    (line,) = lines(stream)
    assert "Traceback" in line["exception"]
    text = stream.getvalue()
    assert not any(secret in text for secret in ("abcdef0123", "K3Y", "t0k3n"))


def test_what_libraries_log_comes_through_the_same(configure: Configure) -> None:
    """A library's line has our form and its name; lines below `warning` are dropped."""
    stream = configure()
    library = logging.getLogger("some.library")
    library.info("chatter")
    library.warning("connecting with %s", "apiKey=abcdef")
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("connecting with apiKey=***", "some.library", "warning")
    assert line["agent"] == "GATHERER"


def test_a_failure_that_a_library_repeats_is_logged_once(configure: Configure) -> None:
    """One line with its traceback, not one a second; another failure is another line, and so are those without one."""
    stream = configure()
    library = logging.getLogger("some.pool")
    for error in (OSError("refused"), OSError("refused again"), ValueError("something else")):
        try:
            raise error
        except (OSError, ValueError):
            library.warning("connection %s failed", id(error), exc_info=True)
    for _ in range(2):
        library.warning("connection lost")
    assert [line["event"].split()[-1] for line in lines(stream)] == ["failed", "failed", "lost", "lost"]
    assert ["refused" in line.get("exception", "") for line in lines(stream)] == [True, False, False, False]


def test_warnings_of_libraries_come_through_the_same(configure: Configure) -> None:
    """A Python warning becomes a line of the log."""
    stream = configure()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("this will go", DeprecationWarning, stacklevel=1)
    (line,) = lines(stream)
    assert "this will go" in line["event"]
    assert line["logger"] == "py.warnings"


def test_a_value_that_is_no_json_is_logged_as_its_text(configure: Configure) -> None:
    """A line with any object in it is written."""
    stream = configure()
    structlog.get_logger().info("odd", value=object, error=TimeoutError(), numbers={1: (2, 3)})
    (line,) = lines(stream)
    assert line["error"].startswith("TimeoutError")
    assert line["numbers"] == {"1": [2, 3]}


def test_a_log_that_cannot_be_written_ends_nothing(configure: Configure) -> None:
    """A full disk costs lines of the log, and nothing else."""
    configure(stream=FullDisk())
    structlog.get_logger("lost").error("nobody reads this")
