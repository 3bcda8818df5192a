"""Reads the past of an account in spans that the exchange answers in full, whichever rows a full answer holds.

Where it gives no more than a part of a span, that is an error: what is missing must not pass for what never was.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from millrace_exchange.profile import HistoryWindow

SECOND_MS: Final = 1_000
"""Some exchanges take an end in whole seconds, which cuts off the rest of the last one."""


class HistoryRow(Protocol):
    """What has a place in time: a trade or an order."""

    @property
    def timestamp(self) -> int | None:
        """When it happened or was made, ms."""


_Row = TypeVar("_Row", bound=HistoryRow)


class Page(NamedTuple, Generic[_Row]):
    """One answer."""

    rows: list[_Row]
    """Those that were asked for."""
    size: int
    """How many rows it held: ccxt leaves out those of other symbols, and orders that were made before they changed."""


Ask = Callable[[int, Mapping[str, int]], Awaitable[Page[_Row]]]
"""Asks for one page of rows from a time on, with further parameters of ccxt's."""


class HistoryReader(Generic[_Row]):
    """Reads one kind of rows. `identity` tells one row from another; `incomplete` makes the error for a part.

    Of a span whose answer is full, shorter spans are asked for. To go on from the last row of an answer would need the
    time by which the exchange lists them, and that of an order may be any: when it was made, or when it ended.
    """

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
        """Whether there may be more than the answers hold."""

    async def since(self, since_ms: int, now_ms: int) -> list[_Row]:
        """Return every row from a time on, oldest first, as far back as the exchange answers.

        Raises:
            IncompleteList: it does not give all of them.
        """
        found: list[_Row] = []
        for start_ms in self._window.starts(since_ms, now_ms):
            page = await self._ask(start_ms, {})
            found += page.rows
            if page.size >= self._window.page:
                width_ms = self._window.width_ms
                end_ms = now_ms if width_ms is None else min(now_ms, start_ms + width_ms)
                found += await self._halves(start_ms, end_ms)
        rows = sorted(self._each_once(found).values(), key=_time)
        if self._is_cut:
            raise self._incomplete(rows)
        return rows

    async def _halves(self, start_ms: int, end_ms: int) -> list[_Row]:
        """Return the rows of a span whose answer was full: a shorter span is answered in full."""
        if start_ms >= end_ms:
            self._is_cut = True
            return []
        middle_ms = (start_ms + end_ms) // 2
        # What both halves bring counts once.
        beyond_ms = SECOND_MS if end_ms - start_ms > 4 * SECOND_MS else 0
        found: list[_Row] = []
        for first_ms, last_ms in ((start_ms, middle_ms + beyond_ms), (middle_ms + 1, end_ms)):
            page = await self._ask(first_ms, {"until": last_ms})
            found += page.rows
            if any(_time(row) > last_ms for row in page.rows):
                # The exchange does not take an end.
                found += await self._forward(page)
            elif page.size >= self._window.page:
                found += await self._halves(first_ms, last_ms)
        return found

    async def _forward(self, page: Page[_Row]) -> list[_Row]:
        """Return the rows of a full answer and of those that follow it, until one brings nothing new.

        It must begin with the oldest rows.
        """
        if self._window.full_page == "newest":
            self._is_cut = True
            return page.rows
        found, beyond_ms = self._each_once(page.rows), 0
        while page.size >= self._window.page:
            if not page.rows:
                self._is_cut = True
                break
            page = await self._ask(max(map(_time, page.rows)) + beyond_ms, {})
            known = len(found)
            found |= self._each_once(page.rows)
            if len(found) > known:
                beyond_ms = 0
                continue
            # A moment that fills an answer by itself may have more rows, which cannot be asked for.
            self._is_cut = self._is_cut or page.size >= self._window.page
            if beyond_ms or not page.rows or _time(page.rows[0]) != _time(page.rows[-1]):
                break
            beyond_ms = 1
        return list(found.values())

    def _each_once(self, rows: Iterable[_Row]) -> dict[object, _Row]:
        return {self._identity(row): row for row in rows}


def _time(row: HistoryRow) -> int:
    return row.timestamp or 0
