"""Cancels all open orders of one account. It is done when the exchange shows that none is left, not when it says so."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from millrace_core.clock import elapsed_s, now_ns
from millrace_core.orders import Order
from millrace_core.requests import CancelAllPayload, CancelPayload
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.changes import OrderChanges
from millrace_exchange.ccxt.checked_answer import CheckedAnswer, proves_nothing
from millrace_exchange.ccxt.order_arguments import further_params
from millrace_exchange.ccxt.recording.sending import Sending
from millrace_exchange.errors import (
    ExchangeError,
    Fatal,
    IncompleteList,
    OrderNotFound,
    OutcomeUnknown,
    Rejected,
    Retryable,
)
from millrace_exchange.ports import Acknowledgement
from millrace_exchange.request_gate import PATIENCE_S

T = TypeVar("T")
_ACTION: Final = "cancelAllOrders"
_MOST_PAGES: Final = 100
_AT_ONCE: Final = 10
"""Orders that one request names: every exchange with such a request takes as many."""


class _Sweep(NamedTuple):
    """One cancel-all."""

    params: dict[str, Any]
    timed: Sending
    canceled: list[Order]
    """Orders of which the answers say that they were canceled."""


class OrderSweeper:
    """Cancels the orders of one account."""

    def __init__(self, orders: OrderChanges, caller: CcxtCaller) -> None:
        self._orders = orders
        self._ccxt = caller.ccxt
        self._profile = caller.profile

    async def sweep(self, payload: CancelAllPayload) -> Acknowledgement:
        """Cancel the open orders of a symbol, or all; return those of which the answers say that they were canceled.

        Raises:
            OutcomeUnknown: some may still be open; the text says what the exchange refused.
            Rejected, Fatal: none was canceled, but for those that the error holds.
            Retryable: not all were canceled; it may be tried again.
        """
        swept = _Sweep(further_params(self._profile, _ACTION, payload), Sending(), [])
        try:
            if self._profile.cancels_all_of_symbol and payload.symbol:
                await self._all_of([payload.symbol], swept)
            else:
                await self._all_pages(payload.symbol, swept)
        except ExchangeError as error:
            error.canceled = tuple(swept.canceled)
            raise
        acknowledged_ns = now_ns()
        return Acknowledgement(tuple(swept.canceled), swept.timed.at_ns or acknowledged_ns, acknowledged_ns)

    async def _all_pages(self, symbol: str | None, swept: _Sweep) -> None:
        """Cancel what is listed as open until a list is whole: an exchange may list only so many at a time."""
        for page in range(_MOST_PAGES):
            try:
                listed, cut = await self._open(symbol)
                if cut is not None and not listed:
                    raise cut
                if self._profile.cancels_all_of_symbol:
                    await self._all_of(self._symbols_of(listed), swept)
                else:
                    await self._listed(listed, swept)
            except (Rejected, Retryable) as error:
                if page == 0:
                    raise
                self._not_done(f"not all open orders were canceled: {error}", error)
            if cut is None:
                return
        self._not_done(f"orders are still open after {_MOST_PAGES} lists of them were canceled", None)

    async def _open(self, symbol: str | None) -> tuple[list[Order], IncompleteList | None]:
        """Return the orders that are listed as open, and why that may not be all; None if it is."""
        try:
            return await self._orders.fetch_open_orders(symbol), None
        except IncompleteList as cut:
            return cut.rows, cut

    def _symbols_of(self, listed: Sequence[Order]) -> list[str]:
        symbols = {order.symbol or "" for order in listed}
        if "" in symbols:
            raise proves_nothing(self._profile, "fetchOpenOrders", "the answer does not say the symbol of an order")
        return sorted(symbols)

    async def _all_of(self, symbols: Sequence[str], swept: _Sweep) -> None:
        """Cancel the orders of whole symbols, each in one request."""
        await self._each(symbols, lambda symbol: self._all_of_one(symbol, swept))

    async def _each(self, symbols: Collection[str], cancel: Callable[[str], Awaitable[None]]) -> None:
        """Cancel the orders of each symbol: one that cannot be canceled must not keep the others open.

        Raises:
            ExchangeError: what failed, once all were tried.
        """
        failures: dict[str, ExchangeError] = {}
        for symbol in symbols:
            try:
                await cancel(symbol)
            except Fatal:
                raise
            except ExchangeError as error:
                failures[symbol] = error
        if failures:
            self._report(failures, are_all=len(failures) == len(symbols))

    def _report(self, failures: Mapping[str, ExchangeError], *, are_all: bool) -> NoReturn:
        errors = list(failures.values())
        again = next((error for error in errors if isinstance(error, Retryable)), None)
        unknown = next((error for error in errors if isinstance(error, OutcomeUnknown)), None)
        if len(errors) == 1 and (are_all or unknown is not None):
            raise errors[0]
        if unknown is None and again is not None:
            raise again
        if unknown is None and are_all:
            raise errors[0]
        reasons = "; ".join(f"{symbol}: {error}" for symbol, error in failures.items())
        self._not_done(f"not all open orders were canceled: {reasons}", unknown or errors[0])

    async def _all_of_one(self, symbol: str, swept: _Sweep) -> None:
        timed = swept.timed
        try:
            answer = await self._in_turn(
                lambda: self._orders.change(
                    _ACTION, self._ccxt.cancel_all_orders, symbol, dict(swept.params), timed=timed
                )
            )
            answered = CheckedAnswer(self._profile, _ACTION, timed).orders(answer, symbol)
        except (OrderNotFound, OutcomeUnknown):
            # Perhaps nothing was open, perhaps the answer names no orders: the open ones tell.
            answered = []
        swept.canceled.extend(order for order in answered if order.is_final)
        if not answered or not all(order.is_final for order in answered):
            await self._prove_none_of(symbol, None)

    async def _listed(self, listed: Sequence[Order], swept: _Sweep) -> None:
        """Cancel orders by their ids."""
        by_symbol = groupby(sorted(listed, key=_symbol), key=_symbol)
        ids = {symbol: [order.id for order in orders] for symbol, orders in by_symbol}
        await self._each(ids, lambda symbol: self._those_of(symbol, ids[symbol], swept))

    async def _those_of(self, symbol: str, ids: Sequence[str], swept: _Sweep) -> None:
        """Cancel orders of a symbol, as many in a request as can be."""
        refusal: ExchangeError | None = None
        at_once = _AT_ONCE if self._ccxt.has.get("cancelOrders") is True else 1
        for first in range(0, len(ids), at_once):
            part = ids[first : first + at_once]
            try:
                await self._in_turn(partial(self._some_of, symbol, part, swept))
            except (Rejected, OutcomeUnknown) as error:
                # Some may have ended by themselves: the list of open orders tells.
                refusal = error
        await self._prove_none_of(symbol, refusal, frozenset(ids))

    async def _some_of(self, symbol: str, ids: Sequence[str], swept: _Sweep) -> None:
        if len(ids) > 1:
            # What the answer says of each differs: which are left is asked for.
            await self._orders.change(_ACTION, self._ccxt.cancel_orders, list(ids), symbol, timed=swept.timed)
            return
        acknowledged = await self._orders.cancel_order(CancelPayload(symbol=symbol, order_id=ids[0]))
        swept.timed.at_ns = swept.timed.at_ns or acknowledged.sent_ns
        swept.canceled.extend(order for order in acknowledged.orders if order.is_final)

    async def _in_turn(self, send: Callable[[], Awaitable[T]]) -> T:
        """Return what a request returns; one that limits hold back waits, since others are canceled already."""
        patient_until_s = elapsed_s() + PATIENCE_S
        while True:
            try:
                return await send()
            except Retryable as held:
                if not held.retry_after_ms or elapsed_s() + held.retry_after_s > patient_until_s:
                    raise
                await asyncio.sleep(held.retry_after_s)

    async def _prove_none_of(
        self, symbol: str, refusal: ExchangeError | None, ids: frozenset[str] | None = None
    ) -> None:
        """Return if the exchange shows that no order of a symbol is open any more, or none of certain ones."""
        try:
            listed, _ = await self._open(symbol)
            left = [each for each in listed if ids is None or each.id in ids]
        except Fatal:
            raise
        except ExchangeError as error:
            self._not_done(f"whether orders of {symbol} are still open cannot be asked: {error}", error)
        if left:
            self._not_done(f"{len(left)} orders of {symbol} are still open{f': {refusal}' if refusal else ''}", refusal)

    def _not_done(self, reason: str, cause: ExchangeError | None) -> NoReturn:
        kind = "OperationFailed" if cause is None else cause.kind
        raise OutcomeUnknown(reason, exchange=self._profile.exchange, action=_ACTION, kind=kind) from cause


def _symbol(order: Order) -> str:
    return order.symbol or ""
