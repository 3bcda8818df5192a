"""All the statistics of one symbol."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from millrace_simulator.statistics.intervals import Interval
from millrace_simulator.statistics.klines import Kline


class DayTicker(Struct, frozen=True, kw_only=True):
    """The last 24 hours; prices in ticks, volumes in lots, `quote_volume` in ticks × lots."""

    open_ms: int
    close_ms: int
    open: int
    high: int
    low: int
    last: int
    last_quantity: int
    previous_close: int
    """The last price before the window."""
    volume: int
    quote_volume: int
    weighted_average: Decimal
    trades: int
    first_trade_id: int
    last_trade_id: int

    @property
    def change(self) -> int:
        """`last` - `open`, in ticks; may be negative."""
        return self.last - self.open

    @property
    def change_percent(self) -> float:
        """The change in percent of the open."""
        return 100 * (self.last - self.open) / self.open


class AveragePrice(Struct, frozen=True):
    """The volume-weighted price of the last minutes."""

    minutes: int
    price: Decimal
    close_ms: int
    """Time of the last trade."""


class Statistics:
    """Klines, ticker and average price of a symbol, always as of the venue's clock."""

    def klines(
        self, interval: Interval, start_ms: int | None = None, end_ms: int | None = None, limit: int = 500
    ) -> list[Kline]:
        """Klines, oldest first, at most `limit`.

        From `start_ms` on when it is given, else the newest (up to `end_ms`). They join without a hole and the last
        is the running one. There is a prehistory of at least 1,000 one-minute klines.
        """
        raise NotImplementedError

    def kline(self, interval: Interval) -> Kline:
        """The running kline."""
        raise NotImplementedError

    def kline_at(self, interval: Interval, open_ms: int) -> Kline | None:
        """The kline that begins then; None where there is none (yet, or any more)."""
        raise NotImplementedError

    def ticker(self) -> DayTicker:
        """The last 24 hours."""
        raise NotImplementedError

    def average_price(self) -> AveragePrice:
        """The volume-weighted price of the last 5 minutes; the last price when nothing traded."""
        raise NotImplementedError
