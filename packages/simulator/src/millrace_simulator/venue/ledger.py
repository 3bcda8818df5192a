"""Every order and fill of every account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from millrace_simulator.venue.errors import UnknownOrder
from millrace_simulator.venue.order_changes import Amendment, PreventedMatch
from millrace_simulator.venue.orders import Order, OrderRef, OwnTrade, Placement

Entry = TypeVar("Entry", Order, OwnTrade)


class Mark(NamedTuple):
    """How many fills and prevented matches there were at a time."""

    trades: int
    matches: int


class Ledger:
    """Keeps the newest state of each order; nothing is ever removed."""

    def __init__(self) -> None:
        self._orders: dict[str, dict[int, Order]] = defaultdict(dict)
        self._own: dict[tuple[int, str], list[int]] = defaultdict(list)
        self._open: dict[tuple[int, str], dict[int, None]] = defaultdict(dict)
        # A client order id leads to the newest order that had it: it may be used again once that is final.
        self._by_client_id: dict[tuple[int, str, str], int] = {}
        self._trades: dict[tuple[int, str], list[OwnTrade]] = defaultdict(list)
        self._prevented: dict[str, list[PreventedMatch]] = defaultdict(list)
        self._amendments: dict[tuple[str, int], list[Amendment]] = defaultdict(list)

    def resume(
        self,
        orders: Iterable[Order],
        fills: Iterable[tuple[int, OwnTrade]],
        prevented: Iterable[PreventedMatch] = (),
        amendments: Iterable[Amendment] = (),
    ) -> None:
        """Enter final orders, fills by account, prevented matches and amendments of an earlier run."""
        for match in prevented:
            self.add_prevented(match)
        for amendment in amendments:
            self.add_amendment(amendment)
        for order in orders:
            self.add(order)
            self.update(order)
        for account_id, fill in fills:
            self.add_trade(account_id, fill)

    def of_symbol(self, symbol: str) -> dict[int, Order]:
        """Return the accounts' orders of a symbol by id; to be read only."""
        return self._orders[symbol]

    def add(self, order: Order) -> None:
        """Enter a new order."""
        key = (order.account_id, order.symbol)
        self._orders[order.symbol][order.order_id] = order
        self._own[key].append(order.order_id)
        self._open[key][order.order_id] = None
        self._by_client_id[(*key, order.client_order_id)] = order.order_id

    def update(self, order: Order) -> None:
        """Enter the new state of a known order."""
        self._orders[order.symbol][order.order_id] = order
        if not order.status.is_open:
            self._open[order.account_id, order.symbol].pop(order.order_id, None)

    def add_trade(self, account_id: int, trade: OwnTrade) -> None:
        """Enter a fill."""
        self._trades[account_id, trade.symbol].append(trade)

    def add_prevented(self, match: PreventedMatch) -> None:
        """Enter a prevented match."""
        self._prevented[match.symbol].append(match)

    def next_match_id(self, symbol: str) -> int:
        """Return the id of the next prevented match of a symbol."""
        matches = self._prevented[symbol]
        return matches[-1].match_id + 1 if matches else 0

    def prevented_matches(self, account_id: int, symbol: str) -> list[PreventedMatch]:
        """Return the account's prevented matches on a symbol, oldest first."""
        return [match for match in self._prevented[symbol] if match.account_id == account_id]

    def amend(self, order: Order, amendment: Amendment) -> None:
        """Enter the new state of an order that was amended; its former client order id is free again."""
        former = (order.account_id, order.symbol, amendment.former_client_order_id)
        if self._by_client_id.get(former) == order.order_id:
            del self._by_client_id[former]
        self._by_client_id[order.account_id, order.symbol, order.client_order_id] = order.order_id
        self.update(order)
        self.add_amendment(amendment)

    def add_amendment(self, amendment: Amendment) -> None:
        """Enter an amendment."""
        self._amendments[amendment.symbol, amendment.order_id].append(amendment)

    def amendments(self, symbol: str, order_id: int) -> list[Amendment]:
        """Return the amendments of an order, oldest first."""
        return self._amendments[symbol, order_id]

    def mark(self, account_id: int, symbol: str) -> Mark:
        """Return how much there is now, for a later `placement`."""
        return Mark(len(self._trades[account_id, symbol]), len(self._prevented[symbol]))

    def placement(self, order: Order, since: Mark) -> Placement:
        """Return what became of an order since it was placed."""
        trades = self._trades[order.account_id, order.symbol][since.trades :]
        matches = self._prevented[order.symbol][since.matches :]
        return Placement(
            self._orders[order.symbol][order.order_id],
            tuple(trade for trade in trades if trade.order_id == order.order_id),
            tuple(match for match in matches if match.taker_order_id == order.order_id),
        )

    def find(self, account_id: int, symbol: str, ref: OrderRef) -> Order:
        """Return the order that `ref` names.

        Raises:
            UnknownOrder: the account has no such order.
        """
        order_id = ref.order_id
        if order_id is None and ref.client_order_id is not None:
            order_id = self._by_client_id.get((account_id, symbol, ref.client_order_id))
        order = self._orders[symbol].get(order_id) if order_id is not None else None
        if order is None or order.account_id != account_id:
            raise UnknownOrder(symbol)
        if ref.client_order_id is not None and order.client_order_id != ref.client_order_id:
            raise UnknownOrder(symbol)
        return order

    def has_open(self, account_id: int, symbol: str, client_order_id: str) -> bool:
        """Tell whether an open order has this client order id."""
        order_id = self._by_client_id.get((account_id, symbol, client_order_id))
        return order_id is not None and self._orders[symbol][order_id].status.is_open

    def open_orders(self, account_id: int, symbol: str) -> tuple[Order, ...]:
        """Return the account's open orders of a symbol, oldest first."""
        orders = self._orders[symbol]
        return tuple(orders[order_id] for order_id in self._open[account_id, symbol])

    def orders(
        self,
        account_id: int,
        symbol: str,
        *,
        from_order_id: int | None,
        start_us: int | None,
        end_us: int | None,
        limit: int,
    ) -> tuple[Order, ...]:
        """Return the account's orders, oldest first: from an id or time on, else the newest `limit`."""
        orders = self._orders[symbol]
        own = [orders[order_id] for order_id in self._own[account_id, symbol]]
        fitting = [
            order
            for order in own
            if (from_order_id is None or order.order_id >= from_order_id)
            and _within(order.created_us, start_us, end_us)
        ]
        return _cut(fitting, limit, oldest=from_order_id is not None or start_us is not None)

    def trades(
        self,
        account_id: int,
        symbol: str,
        *,
        order_id: int | None,
        from_trade_id: int | None,
        start_us: int | None,
        end_us: int | None,
        limit: int,
    ) -> tuple[OwnTrade, ...]:
        """Return the account's fills, oldest first: from an id or time on, else the newest `limit`."""
        fitting = [
            trade
            for trade in self._trades[account_id, symbol]
            if (order_id is None or trade.order_id == order_id)
            and (from_trade_id is None or trade.trade_id >= from_trade_id)
            and _within(trade.time_us, start_us, end_us)
        ]
        return _cut(fitting, limit, oldest=from_trade_id is not None or start_us is not None)


def _within(time_us: int, start_us: int | None, end_us: int | None) -> bool:
    return (start_us is None or time_us >= start_us) and (end_us is None or time_us <= end_us)


def _cut(found: list[Entry], limit: int, *, oldest: bool) -> tuple[Entry, ...]:
    return tuple(found[:limit] if oldest else found[max(0, len(found) - limit) :])
