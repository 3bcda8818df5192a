"""Binance's kline intervals and where each kline begins."""

from __future__ import annotations

from enum import StrEnum


class Interval(StrEnum):
    """The length of a kline; the names are Binance's."""

    S1 = "1s"
    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    D3 = "3d"
    W1 = "1w"
    MO1 = "1M"

    def open_of(self, time_ms: int) -> int:
        """When the kline that holds this time begins, ms (UTC; weeks begin on Monday)."""
        raise NotImplementedError

    def next_open(self, open_ms: int) -> int:
        """When the kline after the one that begins at `open_ms` begins, ms."""
        raise NotImplementedError
