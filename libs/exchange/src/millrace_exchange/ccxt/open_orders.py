"""Reads the open orders of an account to their end: an answer may hold only so many of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from millrace_core.orders import Order
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.checked_answer import CheckedAnswer
from millrace_exchange.ccxt.recording.sending import Sending
from millrace_exchange.errors import IncompleteList

_ACTION: Final = "fetchOpenOrders"
_MOST_READINGS: Final = 3

_Orders = dict[tuple[str | None, str], Order]
"""Orders by what tells them apart: some exchanges number those of each symbol."""


class OpenOrders:
    """The open orders of one account."""

    def __init__(self, caller: CcxtCaller) -> None:
        self._caller = caller
        self._rules = caller.profile.open_orders

    async def fetch(self, symbol: str | None) -> list[Order]:
        """Return those of a symbol, or all.

        Raises:
            IncompleteList: there may be more than the exchange lists; it holds those that are listed.
            Retryable, Rejected, Fatal: they cannot be asked for.
        """
        found: _Orders = {}
        for params in self._rules.of_account if symbol is None else ({},):
            found |= await self._read(symbol, params)
        return list(found.values())

    async def _read(self, symbol: str | None, params: Mapping[str, Any]) -> _Orders:
        """Read all pages. Where they go by number, again until they are the same: one that ends moves the later."""
        found, pages = await self._pages(symbol, params)
        if self._rules.next_by != "number" or pages == 1:
            return found
        for _ in range(1, _MOST_READINGS):
            before = found
            found, _ = await self._pages(symbol, params)
            if found.keys() == before.keys():
                return found
        raise self._part(found)

    async def _pages(self, symbol: str | None, params: Mapping[str, Any]) -> tuple[_Orders, int]:
        found: _Orders = {}
        asked, number = dict(params), 1
        while True:
            page, content = await self._page(symbol, asked)
            known = len(found)
            found |= {(order.symbol, order.id): order for order in page}
            if self._is_last(page, content):
                return found, number
            if len(found) == known:
                raise self._part(found)
            number += 1
            asked = {**params, **self._rules.params, self._rules.parameter: self._next(page, content, number, found)}

    async def _page(self, symbol: str | None, params: Mapping[str, Any]) -> tuple[list[Order], Any]:
        sending = Sending()
        ask = self._caller.ccxt.fetch_open_orders
        answer = await self._caller.call(_ACTION, ask, symbol, None, None, dict(params), timed=sending)
        return CheckedAnswer(self._caller.profile, _ACTION, sending).orders(answer, symbol), sending.content

    def _is_last(self, page: Sequence[Order], content: Any) -> bool:
        rules = self._rules
        if rules.page is None or not page or (rules.paged_in and _value_of(content, rules.paged_in) is None):
            return True
        if rules.next_by == "cursor" and (cursor := _value_of(content, rules.cursor)) is not None:
            return bool(cursor == "")
        return max(Counter(order.symbol for order in page).values()) < rules.page

    def _next(self, page: Sequence[Order], content: Any, number: int, found: _Orders) -> str | int:
        """Return what names the next page."""
        match self._rules.next_by:
            case "oldest_id":
                return min((order.id for order in page), key=lambda each: (len(each), each))
            case "oldest_time" if all(order.timestamp is not None for order in page):
                return min(order.timestamp or 0 for order in page)
            case "number":
                return number
            case "cursor" if cursor := _value_of(content, self._rules.cursor):
                return str(cursor)
        raise self._part(found)

    def _part(self, found: _Orders) -> IncompleteList:
        return IncompleteList(list(found.values()), exchange=self._caller.profile.exchange, action=_ACTION)


def _value_of(content: Any, name: str) -> Any:
    """Return the value of a field, wherever it stands in an object; None if there is none."""
    if not isinstance(content, Mapping):
        return None
    if content.get(name) is not None:
        return content[name]
    return next((found for each in content.values() if (found := _value_of(each, name)) is not None), None)
