"""Questions about orders in a market that the exchange lists no more: ccxt asks without it, where the exchange can."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from msgspec.structs import replace

from millrace_core.clock import DAY_MS
from millrace_core.orders import Order
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.checked_answer import Asked, CheckedAnswer
from millrace_exchange.ccxt.open_orders import OpenOrders, market_by_name
from millrace_exchange.ccxt.recording.sending import Sending
from millrace_exchange.errors import IncompleteList, OrderNotFound, Rejected

_REACH_MS: Final = 30 * DAY_MS
"""How far back ended orders are asked for: an answer may cover a week."""


class DelistedOrders:
    """Orders of one account in markets that are gone."""

    def __init__(
        self,
        caller: CcxtCaller,
        open_orders: OpenOrders,
        ended: Callable[[int, Mapping[str, str]], Awaitable[list[Order]]],
    ) -> None:
        """`ended` returns the account's orders that ended since a time, with parameters of the question."""
        self._caller = caller
        self._open_orders = open_orders
        self._ended = ended

    async def fetch(self, symbol: str, order_ids: Collection[str], since_ms: int) -> dict[str, Order | None]:
        """Return what the exchange says of each order: None if it has none, or none that is open. See the port."""
        try:
            found = {order_id: await self._by_id(order_id) for order_id in order_ids}
        except Rejected:
            found = await self._in_lists(symbol, order_ids, since_ms)
        return {
            order_id: None if order is None else replace(order, symbol=symbol)
            for order_id, order in found.items()
            if order is None or not self._is_listed(order)
        }

    async def _by_id(self, order_id: str) -> Order | None:
        sending = Sending()
        checked = CheckedAnswer(self._caller.profile, "fetchOrder", sending)
        try:
            answer = await self._caller.call("fetchOrder", self._caller.ccxt.fetch_order, order_id, timed=sending)
        except OrderNotFound as error:
            checked.check_absence(error)
            return None
        return None if checked.is_empty_list else checked.order(answer, Asked(order_id=order_id))

    async def _in_lists(self, symbol: str, order_ids: Collection[str], since_ms: int) -> dict[str, Order | None]:
        if not self._open_orders.covers(symbol):
            return {}
        still_open, is_all = await _listed(self._open_orders.fetch(None))
        # Without its history it is known that they are open no more; not how they ended.
        since_ms = max(since_ms, self._caller.clock.now_ms() - _REACH_MS)
        ended, _ = await _listed(self._ended(since_ms, self._params_of(symbol)))
        found = {order.id: order for order in still_open + ended if not self._is_listed(order)}
        return {order_id: found.get(order_id) for order_id in order_ids if is_all or order_id in found}

    def _params_of(self, symbol: str) -> Mapping[str, str]:
        """Return the parameters that ask for orders of a symbol's kind: ccxt asks for those of one, mostly spot."""
        kind = str(market_by_name(symbol)["type"])
        asked, _ = self._caller.ccxt.handle_market_type_and_params("fetchClosedOrders", None, {})
        return {} if asked == kind else {"type": kind}

    def _is_listed(self, order: Order) -> bool:
        return order.symbol in (self._caller.ccxt.markets or {})


async def _listed(asking: Awaitable[list[Order]]) -> tuple[list[Order], bool]:
    """Return what is listed, and whether that is all."""
    try:
        return await asking, True
    except IncompleteList as cut:
        return cut.rows, False
    except Rejected:
        return [], False
