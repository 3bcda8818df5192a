"""The past of an account where an answer holds less than there is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import pytest

from millrace_exchange import IncompleteList
from millrace_exchange.ccxt.history import HistoryReader, Page
from millrace_exchange.profile import HistoryWindow

PAGE = 10
END_MS = 100_000


class Row(NamedTuple):
    """A fill, or an order with the time of its last change."""

    id: int
    timestamp: int
    changed: int
    symbol: str = "A"


def fills(*times: int) -> list[Row]:
    """Return fills of these times."""
    return [Row(number, at_ms, at_ms) for number, at_ms in enumerate(times)]


def incomplete(rows: Sequence[Row]) -> IncompleteList:
    """Return the error for a part."""
    return IncompleteList(rows, exchange="x", action="fetchMyTrades")


def reader(ask: Any, full_page: Literal["newest", "unknown"] = "unknown") -> HistoryReader[Row]:
    """Return a reader of answers of ten rows."""
    return HistoryReader(HistoryWindow(page=PAGE, full_page=full_page), ask, lambda row: row.id, incomplete)


def newest_of(past: list[Row], by: Callable[[Row], int] = lambda row: row.changed, unit_ms: int = 1) -> Any:
    """Return an exchange that lists the newest by a time, and a client that leaves out other symbols."""

    async def ask(since_ms: int, params: Mapping[str, int]) -> Page[Row]:
        start_ms, until_ms = since_ms // unit_ms * unit_ms, params.get("until", END_MS) // unit_ms * unit_ms
        full = sorted((row for row in past if start_ms <= by(row) <= until_ms), key=by)[-PAGE:]
        return Page([row for row in full if row.symbol == "A"], len(full))

    return ask


@pytest.mark.parametrize("full_page", ["newest", "unknown"])
async def test_more_of_one_moment_than_an_answer_holds_cuts_off_nothing_else(
    full_page: Literal["newest", "unknown"],
) -> None:
    """A large order fills at once: what came before and after is found, and that some may not be is said."""
    past = fills(1_000, *[2_000] * (PAGE + 5), 3_000, 3_001)
    with pytest.raises(IncompleteList) as cut:
        await reader(newest_of(past), full_page).since(500, 4_000)
    found = cut.value.rows
    assert {1_000, 3_000, 3_001} <= {fill.timestamp for fill in found}
    assert len({fill.id for fill in found if fill.timestamp == 2_000}) >= PAGE


@pytest.mark.parametrize("full_page", ["newest", "unknown"])
@pytest.mark.parametrize("unit_ms", [1, 1_000])
async def test_an_order_made_long_ago_hides_no_others(full_page: Literal["newest", "unknown"], unit_ms: int) -> None:
    """An exchange may list orders by when they changed, and take an end in whole seconds."""
    past = [Row(number, 10_000 + 731 * number, 10_100 + 731 * number) for number in range(100)]
    past += [Row(100 + number, 10_000 + number, 40_050 + 4_000 * number) for number in range(8)]
    past += [Row(200, 3_000, 50_000), Row(201, 3_000, 80_000)]
    found = await reader(newest_of(past, unit_ms=unit_ms), full_page).since(10_000, 90_000)
    assert {row.id for row in found} == {row.id for row in past}


async def test_other_symbols_hide_none_of_the_one_that_is_asked_for() -> None:
    """The exchange's answer is full although little is left of it, or nothing."""
    past = [Row(number, 10_000 + 500 * number, 0, "A" if number % 40 == 7 else "B") for number in range(120)]
    past = [row._replace(changed=row.timestamp) for row in past]
    found = await reader(newest_of(past)).since(10_000, 90_000)
    assert [row.id for row in found] == [7, 47, 87]


async def test_newest_rows_without_an_end_are_a_part() -> None:
    """An exchange that lists the newest, and takes no end: what lies before cannot be asked for."""
    past = fills(*range(10_000, 60_000, 1_000))

    async def ask(since_ms: int, params: Mapping[str, int]) -> Page[Row]:
        newest = [row for row in past if since_ms <= row.timestamp][-PAGE:]
        return Page(newest, len(newest))

    with pytest.raises(IncompleteList):
        await reader(ask, "newest").since(10_000, 90_000)
