"""Reads the past of an account in spans that the exchange answers in full, whichever rows a full answer holds.

Where it gives no more than a part of a span, that is an error: what is missing must not pass for what never was.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from millrace_exchange.profile import HistoryWindow


class HistoryRow(Protocol):
    """What has a place in time: a trade or an order."""

    @property
    def timestamp(self) -> int | None:
        """When it happened or was made, ms."""


_Row = TypeVar("_Row", bound=HistoryRow)
Ask = Callable[[int, Mapping[str, int]], Awaitable[list[_Row]]]
"""Asks for one page of rows from a time on, with further parameters of ccxt's."""


class HistoryReader(Generic[_Row]):
    """Reads one kind of rows. `identity` tells one row from another; `incomplete` makes the error for a part."""

    def __init__(
        self,
        window: HistoryWindow,
        ask: Ask[_Row],
        identity: Callable[[_Row], object],
        incomplete: Callable[[Sequence[Any]], Exception],
    ) -> None:
        self._window = window
        self._ask = ask
        self._identity = identity
        self._incomplete = incomplete
        self._is_cut = False
        """Whether a full answer was followed by nothing else."""

    async def since(self, since_ms: int, now_ms: int) -> list[_Row]:
        """Return every row from a time on, oldest first, as far back as the exchange answers.

        Raises:
            IncompleteList: it does not give all of them.
        """
        found: list[_Row] = []
        for start_ms in self._window.starts(since_ms, now_ms):
            found += await self._span(start_ms, now_ms)
        rows = sorted(self._each_once(found).values(), key=_time)
        if self._is_cut:
            raise self._incomplete(rows)
        return rows

    async def _span(self, start_ms: int, now_ms: int) -> list[_Row]:
        page = await self._ask(start_ms, {})
        if len(page) < self._window.page:
            return page
        if self._window.full_page == "newest":
            return await self._rest(page, lambda last, by: (start_ms, {"until": min(map(_time, last)) - by}))
        if self._window.full_page == "oldest":
            return await self._forward(page)
        width_ms = self._window.width_ms
        end_ms = now_ms if width_ms is None else min(now_ms, start_ms + width_ms)
        return page + await self._halves(start_ms, end_ms)

    async def _halves(self, start_ms: int, end_ms: int) -> list[_Row]:
        """Return the rows of a span whose answer was full: a shorter span is answered in full."""
        if start_ms >= end_ms:
            self._is_cut = True
            return []
        middle_ms = (start_ms + end_ms) // 2
        found: list[_Row] = []
        for first_ms, last_ms in ((start_ms, middle_ms), (middle_ms + 1, end_ms)):
            page = await self._ask(first_ms, {"until": last_ms})
            found += page
            if any(_time(row) > last_ms for row in page):
                # The exchange does not take an end: then a full answer begins with the oldest rows.
                found += await self._forward(page)
            elif len(page) >= self._window.page:
                found += await self._halves(first_ms, last_ms)
        return found

    async def _forward(self, page: list[_Row]) -> list[_Row]:
        return await self._rest(page, lambda last, by: (max(map(_time, last)) + by, {}))

    async def _rest(
        self, page: list[_Row], next_question: Callable[[list[_Row], int], tuple[int, Mapping[str, int]]]
    ) -> list[_Row]:
        """Return a full page and those that follow it, until one brings nothing new.

        `next_question` gets the last page, and by how many ms to go beyond its end.
        """
        found, beyond_ms = self._each_once(page), 0
        while len(page) >= self._window.page:
            page = await self._ask(*next_question(page, beyond_ms))
            known = len(found)
            found |= self._each_once(page)
            if len(found) > known:
                beyond_ms = 0
                continue
            # A moment that fills an answer by itself may have more rows, which cannot be asked for.
            self._is_cut = self._is_cut or len(page) >= self._window.page
            if beyond_ms or _time(page[0]) != _time(page[-1]):
                break
            beyond_ms = 1
        return list(found.values())

    def _each_once(self, rows: Iterable[_Row]) -> dict[object, _Row]:
        return {self._identity(row): row for row in rows}


def _time(row: HistoryRow) -> int:
    return row.timestamp or 0
