"""What a venue that goes on after an end remembers: its trades, and its accounts' orders, lists, fills and balances."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from millrace_simulator.venue.accounts import Balance
from millrace_simulator.venue.order_changes import Amendment, PreventedMatch
from millrace_simulator.venue.order_lists import ListStatus, OrderList
from millrace_simulator.venue.orders import Order, OrderExpiry, OrderStatus, OwnTrade
from millrace_simulator.venue.tape import PublicTrade

KEPT_TRADES = 5_000
"""Of each symbol."""
KEPT_ORDERS = 20_000
"""Of all accounts together, and as many fills."""


class Record(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that happened; the fields that are set say what."""

    trade: PublicTrade | None = None
    order: Order | None = None
    """The newest state of an account's order."""
    fill: OwnTrade | None = None
    prevented: PreventedMatch | None = None
    amendment: Amendment | None = None
    order_list: OrderList | None = None
    """The newest state of an account's order list."""
    balances: tuple[Balance, ...] = ()
    account_id: int = 0
    """Of the fill and the balances."""
    execution_id: int = 0
    """The last one that was reported."""


class Past:
    """Everything that a venue needs in order to go on."""

    def __init__(self) -> None:
        self.trades: dict[str, deque[PublicTrade]] = {}
        self.orders: dict[tuple[str, int], Order] = {}
        self.fills: deque[tuple[int, OwnTrade]] = deque(maxlen=KEPT_ORDERS)
        self.prevented: dict[tuple[str, int], PreventedMatch] = {}
        self.amendments: deque[Amendment] = deque(maxlen=KEPT_ORDERS)
        self.order_lists: dict[int, OrderList] = {}
        self.balances: dict[tuple[int, str], Balance] = {}
        self.execution_id = 0

    def add(self, record: Record) -> None:
        """Take in the next record."""
        if record.trade is not None:
            self._trades_of(record.trade.symbol).append(record.trade)
        if record.order is not None:
            self.orders[record.order.symbol, record.order.order_id] = record.order
        if record.fill is not None:
            self.fills.append((record.account_id, record.fill))
        if record.prevented is not None:
            # A match is reported by both of its orders.
            self.prevented[record.prevented.symbol, record.prevented.match_id] = record.prevented
        if record.amendment is not None:
            self.amendments.append(record.amendment)
        if record.order_list is not None:
            self.order_lists[record.order_list.list_id] = record.order_list
        for balance in record.balances:
            self.balances[record.account_id, balance.asset] = balance
        self.execution_id = max(self.execution_id, record.execution_id)

    def trim(self) -> None:
        """Drop the oldest orders; of trades and fills never more are held than are kept."""
        self.orders = dict(list(self.orders.items())[-KEPT_ORDERS:])
        self.prevented = dict(list(self.prevented.items())[-KEPT_ORDERS:])
        self.order_lists = dict(list(self.order_lists.items())[-KEPT_ORDERS:])

    def end(self, now_us: int) -> None:
        """Drop what is old, and end every open order, which frees what it held: the books begin empty."""
        self.trim()
        self.orders = {key: _ended(order, now_us) for key, order in self.orders.items()}
        self.order_lists = {key: _done(order_list, now_us) for key, order_list in self.order_lists.items()}
        self.balances = {
            key: Balance(balance.asset, balance.free + balance.locked, balance.locked * 0)
            for key, balance in self.balances.items()
        }

    def last_order_id(self, symbol: str) -> int:
        """Return the highest order id of a symbol that anybody has seen; 0 if none."""
        traded = (max(trade.buyer_order_id, trade.seller_order_id) for trade in self.trades.get(symbol, ()))
        own = (order_id for of, order_id in self.orders if of == symbol)
        return max((*traded, *own), default=0)

    def records(self) -> Iterable[Record]:
        """Yield records that add up to this past."""
        yield Record(execution_id=self.execution_id)
        for trades in self.trades.values():
            yield from (Record(trade=trade) for trade in trades)
        yield from (Record(order=order) for order in self.orders.values())
        yield from (Record(fill=fill, account_id=account_id) for account_id, fill in self.fills)
        yield from (Record(prevented=match) for match in self.prevented.values())
        yield from (Record(amendment=amendment) for amendment in self.amendments)
        yield from (Record(order_list=order_list) for order_list in self.order_lists.values())
        for (account_id, _), balance in self.balances.items():
            yield Record(balances=(balance,), account_id=account_id)

    def _trades_of(self, symbol: str) -> deque[PublicTrade]:
        if symbol not in self.trades:
            self.trades[symbol] = deque(maxlen=KEPT_TRADES)
        return self.trades[symbol]


def _ended(order: Order, now_us: int) -> Order:
    if not order.status.is_open:
        return order
    return replace(order, status=OrderStatus.EXPIRED, expiry=OrderExpiry.EXCHANGE_CANCELED, updated_us=now_us)


def _done(order_list: OrderList, now_us: int) -> OrderList:
    return replace(order_list, status=ListStatus.ALL_DONE, updated_us=now_us) if order_list.is_open else order_list
