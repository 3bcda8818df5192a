"""Candles built from trades and from shorter candles. Pure, and slow: a thread does it beside the event loop."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from millrace_core.intervals import first_open

P = ParamSpec("P")
T = TypeVar("T")

_THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="candles")
_ROWS_A_TURN: Final = 500
"""About a millisecond of work, after which other threads of the process have their turn."""
_TURN_S: Final = 0.0005

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
    made: list[Built] = []
    for part in _turns(rows):
        trades = [CandleTrade(row[0], Decimal(row[-2]), Decimal(row[-1])) for row in part]
        made[-1:] = merge([*made[-1:], *build(trades, interval_ms)], interval_ms)
    return made


def of_stored(rows: Sequence[Sequence[Any]]) -> list[Built]:
    """Return stored candles: rows of their time, open, high, low, close, volume and number of trades."""
    return [Built._make((row[0], *map(Decimal, row[1:6]), row[6])) for part in _turns(rows) for row in part]


async def beside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the outcome of work that is done in the thread that builds candles."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, lambda: work(*args, **kwargs))


def _turns(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    for at in range(0, len(rows), _ROWS_A_TURN):
        if at:
            # Otherwise the event loop would wait for the interpreter's lock again and again.
            time.sleep(_TURN_S)
        yield rows[at : at + _ROWS_A_TURN]
