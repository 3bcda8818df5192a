"""The public trades of a symbol, and Binance's aggregate of them."""

from __future__ import annotations

from msgspec import Struct


class PublicTrade(Struct, frozen=True, gc=False):
    """A trade as everyone sees it; price in ticks, quantity in lots."""

    symbol: str
    trade_id: int
    """Consecutive a symbol."""
    price: int
    quantity: int
    buyer_order_id: int
    seller_order_id: int
    buyer_is_maker: bool
    """Whether the seller took."""
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
    """The trades of a symbol, newest kept."""

    def recent(self, limit: int) -> list[PublicTrade]:
        """The newest trades, oldest first."""
        raise NotImplementedError

    def since(self, trade_id: int, limit: int | None = None) -> list[PublicTrade]:
        """The trades from this id on, oldest first; all that are kept when `limit` is None."""
        raise NotImplementedError

    def aggregated(
        self,
        *,
        from_id: int | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 500,
    ) -> list[AggregateTrade]:
        """Aggregates, oldest first: from an aggregate id on, or within a time (bounds included), or the newest."""
        raise NotImplementedError
