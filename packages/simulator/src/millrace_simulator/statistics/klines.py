"""Klines: open, high, low, close and volume of each interval, without a hole."""

from __future__ import annotations

from msgspec import Struct


class Kline(Struct, frozen=True, gc=False):
    """What was traded in one interval; prices in ticks, volumes in lots, quote volumes in ticks × lots.

    Without a trade it is flat at the close before it, with no volume.
    """

    open_ms: int
    close_ms: int
    """The last ms that belongs to it."""
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    trades: int
    taker_buy_volume: int
    taker_buy_quote_volume: int
    first_trade_id: int
    """-1 without a trade."""
    last_trade_id: int
    """-1 without a trade."""
