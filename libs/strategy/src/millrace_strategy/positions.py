"""What a strategy's own fills add up to, by market: its positions with exact profit and loss. Pure.

The arithmetic is that of `/positions` and `/pnl`: `millrace_core.position`. A position is never behind the strategy's
orders: where a fill's own trade has not come yet, the order's report stands for it.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Final, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from millrace_core.instrument import Instrument
from millrace_core.market import Trade
from millrace_core.names import Action
from millrace_core.orders import OrderKey
from millrace_core.position import Position, after, average_price, charged, unrealised
from millrace_strategy.fills import (
    KEPT_ORDERS,
    KEPT_TRADES,
    Reported,
    StrategyFill,
    fees_beyond,
    fill_of_order,
    fill_of_trade,
)
from millrace_strategy.orders import StrategyOrder, StrategyOrders
from millrace_strategy.views import SubscribedStream

MY_TRADES: Final = Action("watchMyTrades")
MOST_AHEAD: Final = 50
"""Orders whose trades are waited for; more are a sign that no trades come."""
KEPT_UNDECIDED: Final = 1_000
"""Orders whose trades wait until it is known whose the order is."""

_ZERO: Final = Decimal(0)
_Market = tuple[str, str]
K = TypeVar("K")
V = TypeVar("V")


class StrategyPosition(NamedTuple):
    """The strategy's position in one market, as it was at one moment. Money is in `currency`."""

    exchange: str
    symbol: str
    position: Position = Position()

    @property
    def quantity(self) -> Decimal:
        """What it holds, in base currency or contracts; below zero for a short position."""
        return self.position.quantity

    @property
    def cost(self) -> Decimal:
        """What the open position cost, below zero for what a short position was sold for."""
        return self.position.cost

    @property
    def average_price(self) -> Decimal | None:
        """The average price of the open position (28 digits); None without one, and for contracts."""
        return None if self.instrument.settle is not None else average_price(self.position)

    @property
    def realised(self) -> Decimal:
        """Profit of what was closed, less fees; fees whose value is not known are in `position.unvalued_fees`."""
        return self.position.realised

    @property
    def fees(self) -> Decimal:
        """The value of all fees that have one."""
        return self.position.fees

    @property
    def instrument(self) -> Instrument:
        """What is traded."""
        return Instrument.of(self.symbol)

    @property
    def currency(self) -> str:
        """The currency of cost and profit."""
        return self.instrument.currency

    def unrealised(self, price: Decimal | float | str) -> Decimal:
        """Return what closing the position at a price would earn, before fees. Spot markets only."""
        return unrealised(self.position, Decimal(str(price)))

    def profit(self, price: Decimal | float | str) -> Decimal:
        """Return realised and unrealised profit at a price. Spot markets only."""
        return self.realised + self.unrealised(price)


class PositionChange(NamedTuple):
    """A fill, and the position after it."""

    fill: StrategyFill
    position: StrategyPosition


class _SavedMarket(msgspec.Struct, frozen=True):
    """A market's position and which fills it counts, as they are kept over a restart."""

    exchange: str
    symbol: str
    position: Position
    orders: dict[str, Reported]
    trades: list[str]


_SAVED: Final = msgspec.json.Decoder(list[_SavedMarket])


class _Ledger:
    """The fills of one market that were counted, and those that only orders have reported so far."""

    def __init__(self, exchange: str, symbol: str) -> None:
        self.exchange, self.symbol = exchange, symbol
        self.counted = Position()
        self.orders: dict[str, Reported] = {}
        """What was counted of each order."""
        self.trades: dict[str, None] = {}
        """The ids of the trades that were counted."""
        self.current = StrategyPosition(exchange, symbol)
        """The position with everything that is known."""
        self._ahead: dict[str, StrategyOrder] = {}
        """Orders whose reports are ahead of their trades."""
        self._instrument = Instrument.of(symbol)

    @property
    def is_contract(self) -> bool:
        """Whether a fill's value is what the exchange says."""
        return self._instrument.settle is not None

    def count(self, fill: StrategyFill, counted_of_order: Reported) -> PositionChange:
        """Count a fill; with it, this is counted of its order."""
        self.counted = after(self.counted, [fill.fill], self._instrument)
        self.orders[fill.order_id] = counted_of_order
        _keep_newest(self.orders, KEPT_ORDERS)
        if (order := self._ahead.get(fill.order_id)) is not None:
            self.expect(order)
        self.refresh()
        return PositionChange(fill, self.current)

    def expect(self, order: StrategyOrder) -> list[PositionChange]:
        """Take what an order reports beyond its trades: they will come, and until then its report stands for them.

        Of too many orders the first are counted by their reports; return those changes.
        """
        if (order.filled or _ZERO) > self.orders.get(order.id, Reported()).filled:
            self._ahead[order.id] = order
        else:
            self._ahead.pop(order.id, None)
        changes = []
        while len(self._ahead) > MOST_AHEAD:
            late = self._ahead.pop(next(iter(self._ahead)))
            if (found := fill_of_order(late, self.orders.get(late.id, Reported()))) is not None:
                changes.append(self.count(found[0], replace(found[1], ignores_trades=True)))
        self.refresh()
        return changes

    def charge(self, order: StrategyOrder) -> None:
        """Count the fees that an order reports later than its fills."""
        known = self.orders.get(order.id)
        price = order.average or order.price or (order.cost / order.filled if order.cost and order.filled else None)
        if known is None or price is None or not (fees := fees_beyond(order, known)):
            return
        self.counted = charged(self.counted, fees, price, self._instrument)
        self.orders[order.id] = known.charged(fees)
        self.refresh()

    def refresh(self) -> None:
        """Work the present position out."""
        reported = (fill_of_order(order, self.orders.get(order.id, Reported())) for order in self._ahead.values())
        fills = [found[0].fill for found in reported if found is not None]
        position = after(self.counted, fills, self._instrument) if fills else self.counted
        self.current = StrategyPosition(self.exchange, self.symbol, position)


class StrategyPositions(Mapping[tuple[str, str], StrategyPosition]):
    """The strategy's positions by exchange and symbol; a market in which it never traded has an empty one."""

    def __init__(self, streams: Iterable[SubscribedStream], orders: StrategyOrders) -> None:
        self._orders = orders
        self._by_trades = {(each.exchange, each.symbol) for each in streams if each.action == MY_TRADES}
        self._ledgers: dict[_Market, _Ledger] = {}
        self._undecided: dict[OrderKey, list[Trade]] = {}

    def __getitem__(self, key: tuple[str, str]) -> StrategyPosition:
        ledger = self._ledgers.get(key)
        return StrategyPosition(*key) if ledger is None else ledger.current

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._ledgers)

    def __len__(self) -> int:
        return len(self._ledgers)

    def take_order(self, order: StrategyOrder) -> list[PositionChange]:
        """Count what a report of an own order says that is new; return the changes. For hosts only, like the others."""
        market = order.exchange, order.symbol
        ledger = self._ledger(*market)
        if market in self._by_trades:
            changes = self._count_trades(order.key, self._undecided.pop(order.key, ()))
            return changes + ledger.expect(order)
        found = fill_of_order(order, ledger.orders.get(order.id, Reported()))
        if found is not None:
            return [ledger.count(*found)]
        ledger.charge(order)
        return []

    def take_trades(self, exchange: str, symbol: str, trades: Iterable[Trade]) -> list[PositionChange]:
        """Count those of the account's own trades that are the strategy's; return the changes."""
        if (exchange, symbol) not in self._by_trades:
            return []
        changes: list[PositionChange] = []
        for trade in trades:
            key = OrderKey(exchange, symbol, trade.order or "")
            if self._orders.get(key) is not None:
                changes += self._count_trades(key, [trade])
            elif trade.order is not None and not self._orders.is_foreign(key):
                self._undecided.setdefault(key, []).append(trade)
                _keep_newest(self._undecided, KEPT_UNDECIDED)
        return changes

    def saved(self) -> bytes:
        """Return everything that `restore` needs, as JSON."""
        return msgspec.json.encode(
            [
                _SavedMarket(*market, ledger.counted, ledger.orders, list(ledger.trades))
                for market, ledger in self._ledgers.items()
            ]
        )

    def restore(self, saved: bytes) -> None:
        """Continue from what was saved.

        Raises:
            msgspec.DecodeError: it is something else.
        """
        for market in _SAVED.decode(saved):
            ledger = self._ledger(market.exchange, market.symbol)
            ledger.counted, ledger.orders = market.position, dict(market.orders)
            ledger.trades = dict.fromkeys(market.trades)
            ledger.refresh()

    def _count_trades(self, key: OrderKey, trades: Iterable[Trade]) -> list[PositionChange]:
        ledger = self._ledger(key.exchange, key.symbol)
        changes = []
        for trade in trades:
            known = ledger.orders.get(key.id, Reported())
            if trade.id in ledger.trades or known.ignores_trades or trade.side not in ("buy", "sell"):
                continue
            if trade.id is not None:
                ledger.trades[trade.id] = None
                _keep_newest(ledger.trades, KEPT_TRADES)
            fill = fill_of_trade(key.exchange, key.symbol, trade, is_contract=ledger.is_contract)
            changes.append(ledger.count(fill, known.plus(fill)))
        return changes

    def _ledger(self, exchange: str, symbol: str) -> _Ledger:
        ledger = self._ledgers.get((exchange, symbol))
        if ledger is None:
            ledger = self._ledgers[exchange, symbol] = _Ledger(exchange, symbol)
        return ledger


def _keep_newest(kept: dict[K, V], limit: int) -> None:
    """Drop the oldest beyond the limit."""
    for key in list(islice(kept, max(len(kept) - limit, 0))):
        del kept[key]
