"""Candles built from trades and from shorter candles. Pure, and slow: 5,000 trades take 15 ms."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from millrace_core.intervals import Interval

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


_Timed = TypeVar("_Timed", CandleTrade, Built)


def build(trades: Iterable[CandleTrade], interval: Interval) -> list[Built]:
    """Return the candles of trades, which must come oldest first."""
    made = []
    for at_ms, part in _by_interval(trades, interval):
        prices = [trade.price for trade in part]
        volume = sum((trade.amount for trade in part), Decimal(0))
        made.append(Built(at_ms, prices[0], max(prices), min(prices), prices[-1], volume, len(part)))
    return made


def merge(candles: Iterable[Built], interval: Interval) -> list[Built]:
    """Return the candles of a longer interval; `candles` must come oldest first, and may hold parts of one interval."""
    made = []
    for at_ms, part in _by_interval(candles, interval):
        if len(part) == 1 and part[0].at_ms == at_ms:
            made.append(part[0])
            continue
        high, low = max(map(_HIGH, part)), min(map(_LOW, part))
        made.append(
            Built(at_ms, part[0].open, high, low, part[-1].close, sum(map(_VOLUME, part)), sum(map(_TRADES, part)))
        )
    return made


def _by_interval(timed: Iterable[_Timed], interval: Interval) -> Iterator[tuple[int, list[_Timed]]]:
    """Yield when each interval opened that holds something, ms, and what it holds."""
    opened_ms = ends_ms = 0
    part: list[_Timed] = []
    for each in timed:
        if part and each[0] < ends_ms:
            part.append(each)
            continue
        if part:
            yield opened_ms, part
        opened_ms, part = interval.open_of(each[0]), [each]
        ends_ms = interval.next_open(opened_ms)
    if part:
        yield opened_ms, part


def of_rows(rows: Sequence[Sequence[Any]], interval: Interval) -> list[Built]:
    """Return the candles of rows of trades, which end with price and amount as text; oldest first."""
    return build((CandleTrade(row[0], Decimal(row[-2]), Decimal(row[-1])) for row in rows), interval)


def of_stored(rows: Sequence[Sequence[Any]]) -> list[Built]:
    """Return stored candles: rows of their time, open, high, low, close, volume and number of trades."""
    return [Built._make((row[0], *map(Decimal, row[1:6]), row[6])) for row in rows]
