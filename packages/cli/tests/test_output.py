import asyncio
import io

import pytest

from millrace_cli.output import NamedLines


async def written(*parts: bytes) -> tuple[str, NamedLines]:
    """What a terminal shows of a service that writes these parts and ends."""
    terminal, stream = io.StringIO(), asyncio.StreamReader(limit=64)
    output = NamedLines("api", terminal)
    output.follow(stream)
    for part in parts:
        stream.feed_data(part)
    stream.feed_eof()
    await output.close()
    return terminal.getvalue(), output


async def test_every_line_names_the_service_that_speaks() -> None:
    """Also a line that came in parts and one that nothing ended; the last one is remembered."""
    shown, output = await written(b"on", b"e\ntwo\n", b"three")
    assert shown == "api       | one\napi       | two\napi       | three\n"
    assert await output.last_line() == "three"


async def test_lines_of_json_stay_as_they_are() -> None:
    """They name their service themselves, and programs read them."""
    shown, _ = await written(b'{"service":"api"}\n')
    assert shown == '{"service":"api"}\n'


async def test_an_endless_line_is_shown_in_pieces() -> None:
    """It fills no memory, and what comes after it is shown too."""
    shown, _ = await written(b"x" * 1_000 + b"\n", b"after\n")
    assert shown.count("x") == 1_000
    assert shown.endswith("| after\n")


class Terminal(io.StringIO):
    """A terminal with a person in front of it."""

    def isatty(self) -> bool:
        """Return True."""
        return True


async def test_a_person_gets_lines_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services write to a pipe, and would write JSON; what a person set comes first."""
    monkeypatch.delenv("MILLRACE_LOG_FORMAT", raising=False)
    assert NamedLines("api", Terminal()).environment == {"MILLRACE_LOG_FORMAT": "console"}
    assert NamedLines("api", io.StringIO()).environment == {}
    monkeypatch.setenv("MILLRACE_LOG_FORMAT", "json")
    assert NamedLines("api", Terminal()).environment == {}
