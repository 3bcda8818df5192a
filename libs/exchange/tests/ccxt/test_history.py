"""The past of an account where an answer holds less than there is."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import pytest

from millrace_exchange import IncompleteList
from millrace_exchange.ccxt.history import HistoryReader
from millrace_exchange.profile import HistoryWindow

PAGE = 10


class Fill(NamedTuple):
    """A row of the past."""

    id: int
    timestamp: int


@pytest.mark.parametrize("full_page", ["newest", "oldest", "unknown"])
async def test_more_of_one_moment_than_an_answer_holds_cuts_off_nothing_else(
    full_page: Literal["newest", "oldest", "unknown"],
) -> None:
    """A large order fills at once: what came before and after is found, and that some may not be is said."""
    times = [1_000, *[2_000] * (PAGE + 5), 3_000, 3_001]
    past = [Fill(number, at_ms) for number, at_ms in enumerate(times)]

    async def ask(since_ms: int, params: Mapping[str, int]) -> list[Fill]:
        found = [fill for fill in past if since_ms <= fill.timestamp <= params.get("until", 5_000)]
        return found[:PAGE] if full_page == "oldest" else found[-PAGE:]

    def incomplete(rows: Sequence[Fill]) -> IncompleteList:
        return IncompleteList(rows, exchange="x", action="fetchMyTrades")

    reader = HistoryReader(HistoryWindow(page=PAGE, full_page=full_page), ask, lambda fill: fill.id, incomplete)
    with pytest.raises(IncompleteList) as cut:
        await reader.since(500, 4_000)
    found = cut.value.rows
    assert {1_000, 3_000, 3_001} <= {fill.timestamp for fill in found}
    assert len({fill.id for fill in found if fill.timestamp == 2_000}) >= PAGE
