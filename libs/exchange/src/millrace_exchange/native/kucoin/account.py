"""How the streams of a KuCoin account are asked for, and what their events mean."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from millrace_core.actions import BALANCE, ORDERS, StreamAction
from millrace_core.decimals import number
from millrace_core.json_problems import UNREADABLE
from millrace_core.market import Balance, Balances, Trade
from millrace_core.orders import Order
from millrace_core.position import EXACT
from millrace_exchange.account_events import UNKNOWN, Listed, account_event_problem
from millrace_exchange.ccxt.conversion import order_of, plain, trade_of
from millrace_exchange.native.dialect import Endpoint, Event, Notice, Other, Topic, Unreadable
from millrace_exchange.native.fills import OrderFills
from millrace_exchange.native.kucoin import frames
from millrace_exchange.native.kucoin.messages import BalanceChange, OrderChange
from millrace_exchange.native.kucoin.sockets import KucoinSockets
from millrace_exchange.whole_orders import is_whole

_ORDERS: Final = "/spotMarket/tradeOrdersV2"
_BALANCE: Final = "/account/balance"
_TRADING: Final = frozenset({"trade", "trade_hf"})
"""How events begin that concern the accounts of the spot market."""
_NS: Final = 1_000_000
"""In a millisecond."""


class KucoinAccount(KucoinSockets):
    """The port `AccountDialect`."""

    is_private = True

    def decode(self, frame: bytes) -> Event | Notice:
        """Return what a frame says."""
        try:
            event = frames.decode(frame)
        except UNREADABLE as error:
            return Unreadable(None, str(error))
        if isinstance(event, Other):
            # What concerns nobody is of a kind that is not known, so it may have concerned somebody.
            return Unreadable(None, UNKNOWN)
        if isinstance(event, OrderChange | BalanceChange) and (problem := self._problem(event)) is not None:
            return Unreadable(event.route, problem)
        return event

    def _problem(self, event: OrderChange | BalanceChange) -> str | None:
        ccxt, subject = self._caller.ccxt, "orderChange" if isinstance(event, OrderChange) else "account.balance"
        frame = {"topic": event.topic, "subject": subject, "data": event.data}
        listed = Listed(ccxt.markets_by_id or (), ccxt.currencies_by_id or ())
        return account_event_problem("kucoin_spot", frame, listed)

    async def endpoint(self) -> Endpoint:
        """Return where to connect."""
        return await self._endpoint(ORDERS, self._caller.ccxt.private_post_bullet_private)

    async def is_native(self) -> bool:
        """Tell whether it is an account of the classic kind; the unified one has streams of its own."""
        return not await self._caller.call(ORDERS.name, self._caller.ccxt.is_uta_enabled)

    def topic(self, action: StreamAction, market_id: str | None = None) -> Topic:
        """Return the stream of an action, of orders and trades those in one market."""
        return Topic(_BALANCE, _BALANCE) if action is BALANCE else Topic(_ORDERS, (_ORDERS, market_id))

    def time(self, event: OrderChange | BalanceChange) -> int | None:
        """Return the exchange's time of an event, ms."""
        return event.position // _NS if isinstance(event, OrderChange) else event.position

    def trade(self, event: OrderChange) -> Trade | None:
        """Return the own trade of an event; None if it says something else of an order."""
        return trade_of(self._caller.ccxt.parse_ws_trade(event.data)) if event.data["type"] == "match" else None

    def balances(self, event: BalanceChange) -> Balances:
        """Return the balance that changed; none if it is that of an account which does not trade."""
        data = event.data
        if data.get("relationEvent", "").partition(".")[0] not in _TRADING:
            return {}
        free, used, total = (number(str(data[name])) for name in ("available", "hold", "total"))
        return {str(self._caller.ccxt.safe_currency_code(data["currency"])): Balance(free=free, used=used, total=total)}

    def orders(self) -> "KucoinOrders":
        """Return a reader of the orders in one market."""
        return KucoinOrders(self._caller.ccxt)


class KucoinOrders:
    """The port `OrderReader`: an order's cost is the sum of its fills, which come one by one."""

    def __init__(self, ccxt: Any) -> None:
        self._ccxt = ccxt
        self._fills = OrderFills()

    def order(self, event: OrderChange) -> Order:
        """Return the order of an event as it is now."""
        data = event.data
        if data["type"] == "match":
            amount = Decimal(data["matchSize"])
            cost = EXACT.multiply(amount, Decimal(data["matchPrice"]))
            self._fills.add(data["orderId"], data["tradeId"], amount, cost)
        order = order_of(self._ccxt.parse_ws_order(_known_to_ccxt(data)))
        spent = Decimal(0) if order.filled == 0 else self._fills.cost(order.id, order.filled)
        average = plain(spent / order.filled) if spent and order.filled else None
        if order.is_final:
            self._fills.forget(order.id)
        updated = event.position // _NS
        order = msgspec.structs.replace(order, cost=spent, average=average, last_update_timestamp=updated)
        left, market = data.get("canceledFunds") or data.get("remainFunds"), self._ccxt.safe_market(data["symbol"])
        # KuCoin says `canceled` of market orders that are over.
        if order.status == "canceled" and is_whole(order, left, market["precision"]["amount"]):
            return msgspec.structs.replace(order, status="closed")
        return order


def _known_to_ccxt(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event of the newer form says as the older form does, which ccxt reads."""
    known = {"size": data.get("originSize"), **data}
    return known | {"type": "open"} if data["type"] == "received" else known
