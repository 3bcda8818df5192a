"""Candles built from trades and from shorter candles. Pure, and slow: 5,000 trades take 15 ms."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from millrace_core.intervals import first_open

_HIGH, _LOW, _VOLUME, _TRADES = itemgetter(2), itemgetter(3), itemgetter(5), itemgetter(6)
"""Fields of a `Built`, read fast: a month has 43,200 minutes."""


class CandleTrade(NamedTuple):
    """The fields of a trade that a candle needs."""

    at_ms: int
    price: Decimal
    amount: Decimal


class Built(NamedTuple):
    """A candle built from trades."""

    at_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int


def build(trades: Iterable[CandleTrade], interval_ms: int) -> list[Built]:
    """Return the candles of trades, which must come oldest first."""
    made, first = [], first_open(interval_ms)
    for at_ms, group in groupby(trades, key=lambda trade: trade[0] - (trade[0] - first) % interval_ms):
        part = list(group)
        prices = [trade.price for trade in part]
        volume = sum((trade.amount for trade in part), Decimal(0))
        made.append(Built(at_ms, prices[0], max(prices), min(prices), prices[-1], volume, len(part)))
    return made


def merge(candles: Sequence[Built], interval_ms: int) -> list[Built]:
    """Return the candles of a longer interval; `candles` must come oldest first, and may hold parts of one interval."""
    made, first = [], first_open(interval_ms)
    for at_ms, group in groupby(candles, key=lambda candle: candle[0] - (candle[0] - first) % interval_ms):
        part = list(group)
        if len(part) == 1 and part[0].at_ms == at_ms:
            made.append(part[0])
            continue
        high, low = max(map(_HIGH, part)), min(map(_LOW, part))
        made.append(
            Built(at_ms, part[0].open, high, low, part[-1].close, sum(map(_VOLUME, part)), sum(map(_TRADES, part)))
        )
    return made


def of_rows(rows: Sequence[Sequence[Any]], interval_ms: int) -> list[Built]:
    """Return the candles of rows of trades, which end with price and amount as text; oldest first."""
    return build((CandleTrade(row[0], Decimal(row[-2]), Decimal(row[-1])) for row in rows), interval_ms)


def of_stored(rows: Sequence[Sequence[Any]]) -> list[Built]:
    """Return stored candles: rows of their time, open, high, low, close, volume and number of trades."""
    return [Built._make((row[0], *map(Decimal, row[1:6]), row[6])) for row in rows]
