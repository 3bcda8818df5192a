"""Reads the open orders of an account to their end: an answer may hold only so many of them, or those of one kind."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from millrace_core.instrument import Instrument
from millrace_core.orders import Order
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.checked_answer import CheckedAnswer
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.ccxt.recording.sending import Sending
from millrace_exchange.errors import ExchangeError, IncompleteList, Rejected
from millrace_exchange.order_ids import OpenOrderPages

_ACTION: Final = "fetchOpenOrders"
_MOST_READINGS: Final = 3
_SYMBOLS_AT_ONCE: Final = 10
_SETTLE: Final = "USDT"
"""What exchanges list contracts of where a question names no other currency."""

_Orders = dict[tuple[str | None, str], Order]
"""Orders by what tells them apart: some exchanges number those of each symbol."""


class OpenOrders:
    """The open orders of one account."""

    def __init__(self, caller: CcxtCaller, listing: MarketListing | None = None) -> None:
        self._caller = caller
        self._listing = listing or MarketListing(caller)
        self._rules = caller.profile.open_orders
        self._expected: dict[str, None] = {}

    def expect_in(self, symbols: Iterable[str]) -> None:
        """Ask for those of these symbols too where the questions for the whole account leave them out."""
        self._expected.update(dict.fromkeys(symbols))

    def left_out(self) -> list[str]:
        """Return the symbols of all markets whose orders the questions for the whole account leave out."""
        return [symbol for symbol in self._markets if not self._is_covered(symbol)]

    async def fetch(self, symbol: str | None) -> list[Order]:
        """Return those of a symbol, or all.

        Raises:
            IncompleteList: there may be more than the exchange lists; it holds those that are listed.
            Retryable, Rejected, Fatal: they cannot be asked for.
        """
        if symbol is not None:
            return list((await self._read(symbol, {})).values())
        found, symbols = await self._of_account()
        # The account has placed orders in these: none is of a kind of market that the keys are not for.
        symbols += [each for each in self._expected if not self._is_covered(each)]
        failure = await self._add(found, symbols)
        if failure is not None:
            raise self._part(found, failure) from failure
        return list(found.values())

    async def _of_account(self) -> tuple[_Orders, list[str]]:
        """Return what the questions for the whole account list, and the symbols that have to be asked for instead."""
        found: _Orders = {}
        try:
            for params in self._rules.of_account:
                found |= await self._read(None, params)
        except Rejected:
            if self._rules.symbols_method is None:
                raise
            return found, await self._open_symbols(self._rules.symbols_method)
        return found, []

    async def _open_symbols(self, method: str) -> list[str]:
        ccxt = self._caller.ccxt

        async def symbols() -> list[str]:
            answer = await getattr(ccxt, method)()
            return [ccxt.safe_symbol(market_id) for market_id in answer["data"]["symbols"]]

        found: list[str] = await self._caller.call(_ACTION, symbols)
        return found

    async def _add(self, found: _Orders, symbols: Sequence[str]) -> ExchangeError | None:
        """Ask for the orders of each symbol; return the first failure; the others are asked for nevertheless."""
        failure: ExchangeError | None = None
        for first in range(0, len(symbols), _SYMBOLS_AT_ONCE):
            asked = (self._of_symbol(each) for each in symbols[first : first + _SYMBOLS_AT_ONCE])
            for orders, failed in await asyncio.gather(*asked):
                found |= orders
                failure = failure or failed
        return failure

    async def _of_symbol(self, symbol: str) -> tuple[_Orders, ExchangeError | None]:
        try:
            await self._listing.know(symbol)
            return await self._read(symbol, {}), None
        except IncompleteList as cut:
            return {(order.symbol, order.id): order for order in cut.rows}, cut
        except Rejected as refusal:
            # In a market that the exchange has no more, nothing is open.
            self._listing.doubt()
            return {}, refusal if symbol in self._markets else None
        except ExchangeError as error:
            return {}, error

    def covers(self, symbol: str) -> bool:
        """Tell whether the questions for the whole account list the orders of a symbol, listed or not."""
        return self._is_of_account(self._markets.get(symbol) or market_by_name(symbol))

    def _is_covered(self, symbol: str) -> bool:
        """Tell whether the questions for the whole account list a symbol's orders, as far as that is sure."""
        market = self._markets.get(symbol)
        return market is not None and self._is_of_account(market)

    def _is_of_account(self, market: Mapping[str, Any]) -> bool:
        if self._rules.covers == "account":
            return not self._rules.apart or self._rules.apart not in (market.get("baseName") or "")
        return any(self._lists(params, market) for params in self._rules.of_account)

    def _lists(self, params: Mapping[str, Any], market: Mapping[str, Any]) -> bool:
        ccxt = self._caller.ccxt
        kind, _ = ccxt.handle_market_type_and_params(_ACTION, None, dict(params))
        if kind != market["type"] or kind == "spot":
            return bool(kind == market["type"])
        of, _ = ccxt.handle_sub_type_and_params(_ACTION, None, dict(params), "linear")
        settle = params.get("settleCoin", _SETTLE)
        return bool(kind == "swap" and of == "linear" and market.get("linear") and market.get("settle") == settle)

    @property
    def _markets(self) -> Mapping[str, Any]:
        return self._caller.ccxt.markets or {}

    async def _read(self, symbol: str | None, params: Mapping[str, Any]) -> _Orders:
        """Read all pages. Where they go by number, again until they are the same: one that ends moves the later."""
        rules = self._rules_of(symbol, params)
        found, pages = await self._pages(rules, symbol, params)
        if rules.next_by != "number" or pages == 1:
            return found
        for _ in range(1, _MOST_READINGS):
            before = found
            found, _ = await self._pages(rules, symbol, params)
            if found.keys() == before.keys():
                return found
        raise self._part(found)

    def _rules_of(self, symbol: str | None, params: Mapping[str, Any]) -> OpenOrderPages:
        if self._rules.contracts is None:
            return self._rules
        market = None if symbol is None else self._markets[symbol]
        kind, _ = self._caller.ccxt.handle_market_type_and_params(_ACTION, market, dict(params))
        return self._rules if kind == "spot" else self._rules.contracts

    async def _pages(self, rules: OpenOrderPages, symbol: str | None, params: Mapping[str, Any]) -> tuple[_Orders, int]:
        found: _Orders = {}
        asked, number = dict(params), 1
        while True:
            page, content = await self._page(rules, symbol, asked)
            known = len(found)
            found |= {(order.symbol, order.id): order for order in page}
            if _is_last(rules, page, content):
                return found, number
            if len(found) == known:
                raise self._part(found)
            number += 1
            following = self._next(rules, page, content, number, found)
            asked = {**params, **rules.params, rules.parameter: following}

    async def _page(
        self, rules: OpenOrderPages, symbol: str | None, params: Mapping[str, Any]
    ) -> tuple[list[Order], Any]:
        sending = Sending()
        ask = self._caller.ccxt.fetch_open_orders
        answer = await self._caller.call(_ACTION, ask, symbol, None, rules.limit, dict(params), timed=sending)
        return CheckedAnswer(self._caller.profile, _ACTION, sending).orders(answer, symbol), sending.content

    def _next(
        self, rules: OpenOrderPages, page: Sequence[Order], content: Any, number: int, found: _Orders
    ) -> str | int:
        """Return what names the next page."""
        match rules.next_by:
            case "oldest_id":
                return min((order.id for order in page), key=lambda each: (len(each), each))
            case "oldest_time" if all(order.timestamp is not None for order in page):
                return min(order.timestamp or 0 for order in page)
            case "number":
                return number
            case "cursor" if cursor := _value_of(content, rules.cursor):
                return str(cursor)
        raise self._part(found)

    def _part(self, found: _Orders, why: ExchangeError | None = None) -> IncompleteList:
        return IncompleteList(list(found.values()), exchange=self._caller.profile.exchange, action=_ACTION, why=why)


def market_by_name(symbol: str) -> dict[str, Any]:
    """Return what ccxt would say of a market of this name."""
    traded = Instrument.of(symbol)
    kind = "spot" if traded.settle is None else "future" if "-" in symbol.partition(":")[2] else "swap"
    return {"type": kind, "linear": traded.settle == traded.quote, "settle": traded.settle}


def _is_last(rules: OpenOrderPages, page: Sequence[Order], content: Any) -> bool:
    if rules.page is None or not page or (rules.paged_in and _value_of(content, rules.paged_in) is None):
        return True
    if rules.next_by == "cursor" and (cursor := _value_of(content, rules.cursor)) is not None:
        return bool(cursor == "")
    return max(Counter(order.symbol for order in page).values()) < rules.page


def _value_of(content: Any, name: str) -> Any:
    """Return the value of a field, wherever it stands in an object; None if there is none."""
    if not isinstance(content, Mapping):
        return None
    if content.get(name) is not None:
        return content[name]
    return next((found for each in content.values() if (found := _value_of(each, name)) is not None), None)
