"""The public trades of a symbol, and Binance's aggregate of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct

from millrace_matching import Side, Traded


class PublicTrade(Struct, frozen=True, gc=False):
    """A public trade; price in ticks, quantity in lots."""

    symbol: str
    trade_id: int
    """Consecutive a symbol."""
    price: int
    quantity: int
    buyer_order_id: int
    seller_order_id: int
    buyer_is_maker: bool
    """Whether the seller was the taker."""
    time_us: int
    aggregate_id: int
    """The `AggregateTrade` that holds it."""


class AggregateTrade(Struct, frozen=True, gc=False):
    """The fills that one taker got at one price, as one."""

    symbol: str
    aggregate_id: int
    """Consecutive a symbol."""
    price: int
    quantity: int
    first_trade_id: int
    last_trade_id: int
    buyer_is_maker: bool
    time_us: int


class Tape:
    """The trades of a symbol, newest kept.

    An aggregate is printed only when it grows no more: at the next price, the next taker, or the action's end.
    """

    def __init__(self, symbol: str, *, keep: int | None) -> None:
        """Keep at least the newest `keep` trades, and as many aggregates; all when None."""
        self._symbol = symbol
        self._keep = keep
        self._trades: list[PublicTrade] = []
        self._aggregates: list[AggregateTrade] = []
        self._growing: list[PublicTrade] = []
        self._growing_taker = 0
        self._aggregate_id = 0
        self._printed = 0

    def add(self, traded: Traded, time_us: int) -> PublicTrade:
        """Print a trade."""
        growing = self._growing
        if growing and (self._growing_taker != traded.taker_id or growing[0].price != traded.price):
            self._close()
        if not self._growing:
            self._aggregate_id += 1
            self._growing_taker = traded.taker_id
        buyer_is_maker = traded.taker_side is Side.SELL
        buyer, seller = (traded.maker_id, traded.taker_id) if buyer_is_maker else (traded.taker_id, traded.maker_id)
        trade = PublicTrade(
            self._symbol,
            traded.trade_id,
            traded.price,
            traded.quantity,
            buyer,
            seller,
            buyer_is_maker,
            time_us,
            self._aggregate_id,
        )
        self._growing.append(trade)
        self._trades.append(trade)
        return trade

    def end_action(self) -> list[AggregateTrade]:
        """Return the aggregates printed since the last action's end, oldest first."""
        if self._growing:
            self._close()
        new = self._aggregate_id - self._printed
        if not new:
            return []
        self._printed = self._aggregate_id
        made = self._aggregates[-new:]
        self._trim()
        return made

    def resume(self, trades: Sequence[PublicTrade]) -> None:
        """Hold the trades of an earlier run, oldest first, before any other."""
        self._trades = list(trades)
        self._aggregates = [
            _aggregate(list(parts)) for _, parts in groupby(trades, key=lambda trade: trade.aggregate_id)
        ]
        self._aggregate_id = self._printed = trades[-1].aggregate_id if trades else 0

    def recent(self, limit: int) -> list[PublicTrade]:
        """Return the newest trades, oldest first."""
        return self._trades[-limit:] if limit > 0 else []

    def since(self, trade_id: int, limit: int | None = None) -> list[PublicTrade]:
        """Return the trades from this id on, oldest first; all kept ones if `limit` is None."""
        if not self._trades:
            return []
        first = max(0, trade_id - self._trades[0].trade_id)
        return self._trades[first:] if limit is None else self._trades[first : first + limit]

    def aggregated(
        self,
        *,
        from_id: int | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 500,
    ) -> list[AggregateTrade]:
        """Return aggregates, oldest first: from an id on, or in a time range (bounds included), or the newest."""
        kept = self._aggregates
        if not kept or limit <= 0:
            return []
        if from_id is not None:
            first = max(0, from_id - kept[0].aggregate_id)
            return kept[first : first + limit]
        end = len(kept) if end_us is None else bisect_right(kept, end_us, key=_time)
        if start_us is None:
            return kept[max(0, end - limit) : end]
        first = bisect_left(kept, start_us, key=_time)
        return kept[first : min(end, first + limit)]

    def _close(self) -> None:
        self._aggregates.append(_aggregate(self._growing))
        self._growing = []

    def _trim(self) -> None:
        # Twice as much as asked for is let grow, so that dropping costs little a trade.
        if self._keep is not None and len(self._trades) > 2 * self._keep:
            del self._trades[: -self._keep]
            del self._aggregates[: -self._keep]


def _aggregate(trades: Sequence[PublicTrade]) -> AggregateTrade:
    first, last = trades[0], trades[-1]
    return AggregateTrade(
        first.symbol,
        first.aggregate_id,
        first.price,
        sum(trade.quantity for trade in trades),
        first.trade_id,
        last.trade_id,
        first.buyer_is_maker,
        first.time_us,
    )


def _time(aggregate: AggregateTrade) -> int:
    return aggregate.time_us
