"""Cancels all open orders of one account. It is done when the exchange shows that none is left, not when it says so."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final, NoReturn

from millrace_core.clock import now_ns
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

_ACTION: Final = "cancelAllOrders"
_MOST_PAGES: Final = 100
_AT_ONCE: Final = 10
"""Orders that one request names: every exchange with such a request takes as many."""


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
            Rejected, Retryable, Fatal: none was canceled.
        """
        params, timed = further_params(self._profile, _ACTION, payload), Sending()
        if self._profile.cancels_all_of_symbol and payload.symbol:
            canceled = await self._all_of([payload.symbol], params, timed)
        else:
            canceled = await self._all_pages(payload.symbol, params, timed)
        acknowledged_ns = now_ns()
        return Acknowledgement(tuple(canceled), timed.at_ns or acknowledged_ns, acknowledged_ns)

    async def _all_pages(self, symbol: str | None, params: dict[str, Any], timed: Sending) -> list[Order]:
        """Cancel what is listed as open until a list is whole: an exchange may list only so many at a time."""
        canceled: list[Order] = []
        for page in range(_MOST_PAGES):
            try:
                listed, cut = await self._open(symbol)
                if cut is not None and not listed:
                    raise cut
                if self._profile.cancels_all_of_symbol:
                    canceled += await self._all_of(self._symbols_of(listed), params, timed)
                else:
                    canceled += await self._listed(listed, timed)
            except (Rejected, Retryable) as error:
                if page == 0:
                    raise
                self._not_done(f"not all open orders were canceled: {error}", error)
            if cut is None:
                break
        else:
            self._not_done(f"orders are still open after {_MOST_PAGES} lists of them were canceled", None)
        return canceled

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

    async def _all_of(self, symbols: Sequence[str], params: dict[str, Any], timed: Sending) -> list[Order]:
        """Cancel the orders of whole symbols, each in one request."""
        canceled: list[Order] = []
        for number, symbol in enumerate(symbols):
            try:
                canceled += await self._all_of_one(symbol, params, timed)
            except Rejected as error:
                if number == 0:
                    raise
                self._not_done(f"the orders of {symbol} were not canceled: {error}", error)
        return canceled

    async def _all_of_one(self, symbol: str, params: dict[str, Any], timed: Sending) -> list[Order]:
        try:
            answer = await self._orders.change(_ACTION, self._ccxt.cancel_all_orders, symbol, dict(params), timed=timed)
            canceled = CheckedAnswer(self._profile, _ACTION, timed).orders(answer, symbol)
        except (OrderNotFound, OutcomeUnknown):
            # Perhaps nothing was open, perhaps the answer names no orders: the open ones tell.
            canceled = []
        if not canceled or not all(order.is_final for order in canceled):
            await self._prove_none_of(symbol, None)
        return [order for order in canceled if order.is_final]

    async def _listed(self, listed: Sequence[Order], timed: Sending) -> list[Order]:
        """Cancel orders by their ids, as many in a request as can be."""
        canceled: list[Order] = []
        by_symbol = groupby(sorted(listed, key=_symbol), key=_symbol)
        for symbol, orders in [(symbol, list(orders)) for symbol, orders in by_symbol]:
            refusal: Rejected | None = None
            for first in range(0, len(orders), _AT_ONCE):
                part = orders[first : first + _AT_ONCE]
                try:
                    canceled += await self._some_of(symbol, [order.id for order in part], timed)
                except Rejected as error:
                    refusal = error
            await self._prove_none_of(symbol, refusal, frozenset(order.id for order in orders))
        return canceled

    async def _some_of(self, symbol: str, ids: Sequence[str], timed: Sending) -> list[Order]:
        if self._ccxt.has.get("cancelOrders") is True and len(ids) > 1:
            # What the answer says of each differs: which are left is asked for.
            await self._orders.change(_ACTION, self._ccxt.cancel_orders, list(ids), symbol, timed=timed)
            return []
        canceled: list[Order] = []
        for order_id in ids:
            try:
                acknowledged = await self._orders.cancel_order(CancelPayload(symbol=symbol, order_id=order_id))
            except (OrderNotFound, OutcomeUnknown):
                continue  # It ended by itself, or the list of open orders tells.
            timed.at_ns = timed.at_ns or acknowledged.sent_ns
            canceled += [order for order in acknowledged.orders if order.is_final]
        return canceled

    async def _prove_none_of(self, symbol: str, refusal: Rejected | None, ids: frozenset[str] | None = None) -> None:
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
