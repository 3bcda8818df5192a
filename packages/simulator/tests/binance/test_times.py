"""The unit of a client's times."""

from __future__ import annotations

import pytest

from millrace_simulator.binance.times import TimeUnit


@pytest.mark.parametrize("asked", [None, "", "MILLISECOND", "second"])
def test_milliseconds_are_the_default(asked: str | None) -> None:
    """Only `MICROSECOND` changes the unit."""
    assert TimeUnit.asked_for(asked) is TimeUnit.MILLISECOND


@pytest.mark.parametrize("asked", ["MICROSECOND", "microsecond"])
def test_microseconds_are_asked_for_in_either_case(asked: str) -> None:
    """Both spellings are documented."""
    assert TimeUnit.asked_for(asked) is TimeUnit.MICROSECOND


def test_times_are_converted_without_rounding_up() -> None:
    """A time is never later than it was, and the end of a millisecond is its last microsecond."""
    assert TimeUnit.MILLISECOND.of_us(1_999) == 1
    assert TimeUnit.MICROSECOND.of_us(1_999) == 1_999
    assert TimeUnit.MICROSECOND.of_ms(59_999) == 59_999_000
    assert TimeUnit.MICROSECOND.end_of_ms(59_999) == 59_999_999
    assert TimeUnit.MILLISECOND.end_of_ms(59_999) == 59_999
