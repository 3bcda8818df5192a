"""Files of Binance's public data: those of its spot market have no header, those of its futures have one.

Times are in ms; in spot files since 2025 they are in µs. They are the exchange's: when something arrived is not known.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from millrace_backtest.imports.csv_file import CsvFile, above_zero, exact, text_or_none, yes_or_no
from millrace_backtest.imports.events import CandleClosed, MarketEvent, Quoted, Traded
from millrace_backtest.imports.tardis import level
from millrace_core.clock import NS_PER_MS
from millrace_core.intervals import Interval
from millrace_core.market import Trade
from millrace_core.names import Symbol

KINDS: Final = "trades, aggTrades, klines and bookTicker"
_FILE_NAME: Final = re.compile(r"(?P<market>[A-Z0-9_]+)-(?P<kind>[A-Za-z0-9]+)-\d{4}-\d{2}(-\d{2})?\.(csv|zip)(\.gz)?")
_TIMEFRAMES: Final = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")
_MONTH: Final = Interval(months=1)

Reading = Callable[[CsvFile, Symbol], Iterator[MarketEvent]]


class Kind(NamedTuple):
    """A kind of file: its columns in order, as far as all markets have them, and what reads it."""

    columns: tuple[str, ...]
    read: Callable[[CsvFile, Sequence[str], Symbol, bool], Iterator[MarketEvent]]


def named(file_name: str) -> tuple[str, str] | None:
    """Return the market and the kind in a file's name, such as `BTCUSDT-aggTrades-2026-01-31.zip`; None without."""
    found = _FILE_NAME.fullmatch(file_name)
    if found is None:
        return None
    kind = found["kind"]
    return found["market"], "klines" if kind in (*_TIMEFRAMES, "1mo") else kind


def reading_of(first_row: Sequence[str], file_name: str) -> Reading | None:
    """Return what reads a file, by its header or else its name; None if it is of another kind."""
    by_header = next((kind for kind in _KINDS.values() if (*first_row,)[: len(kind.columns)] == kind.columns), None)
    by_name = named(file_name)
    kind = by_header if by_header is not None else _KINDS.get(by_name[1]) if by_name is not None else None
    if kind is None or len(first_row) < len(kind.columns):
        return None
    columns = [*kind.columns, *(f"column {number + 1}" for number in range(len(kind.columns), len(first_row)))]
    return lambda file, symbol: kind.read(file, columns, symbol, by_header is not None)


def _trades(file: CsvFile, columns: Sequence[str], symbol: Symbol, header: bool) -> Iterator[MarketEvent]:
    trade_id, time = columns[0], columns[_TIME[columns[0]]]
    amount = columns[2]
    cells = (
        *((time, nanoseconds), (trade_id, text_or_none)),
        *(("price", above_zero), (amount, above_zero), ("is_buyer_maker", yes_or_no)),
    )
    records = file.records(columns, cells, header=header)
    for at_ns, group in groupby(records, key=lambda record: record[0]):
        at_ms = at_ns // NS_PER_MS
        trades = [
            Trade(number, at_ms, symbol, "sell" if is_maker else "buy", price, size)
            for _, number, price, size, is_maker in group
        ]
        yield Traded(at_ns, at_ms, trades)


def _klines(file: CsvFile, columns: Sequence[str], symbol: Symbol, header: bool) -> Iterator[MarketEvent]:
    times = (("open_time", nanoseconds), ("close_time", nanoseconds), ("close_time", _unit_ns))
    numbers = [(name, exact) for name in ("open", "high", "low", "close", "volume")]
    for opened_ns, last_ns, unit_ns, *prices in file.records(columns, (*times, *numbers), header=header):
        closed_ns = last_ns + unit_ns
        opened_ms, closed_ms = opened_ns // NS_PER_MS, closed_ns // NS_PER_MS
        timeframe = _timeframe(opened_ms, closed_ms)
        if timeframe is None:
            raise file.failed(f"no candle lasts {closed_ms - opened_ms:,} ms", "close_time")
        candle: Any = (opened_ms, *prices)
        yield CandleClosed(closed_ns, closed_ms, timeframe, candle)


def _quotes(file: CsvFile, columns: Sequence[str], symbol: Symbol, header: bool) -> Iterator[MarketEvent]:
    names = ("best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty")
    cells = (("event_time", nanoseconds), ("transaction_time", nanoseconds), *((name, exact) for name in names))
    for at_ns, event_ns, *numbers in file.records(columns, cells, header=header):
        yield Quoted(at_ns, event_ns // NS_PER_MS, level(*numbers[:2]), level(*numbers[2:]))


def nanoseconds(text: str) -> int:
    """Return a time in ms, or in µs, as ns."""
    return int(text) * _unit_ns(text)


def _unit_ns(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) in _UNITS_NS):
        raise ValueError("is no time in ms or µs since 1970")
    return _UNITS_NS[len(text)]


def _timeframe(opened_ms: int, closed_ms: int) -> str | None:
    return "1M" if _MONTH.next_open(opened_ms) == closed_ms else _BY_LENGTH.get(closed_ms - opened_ms)


_UNITS_NS: Final = {13: NS_PER_MS, 16: 1_000}
"""By the number of digits that a time of this century has."""
_BY_LENGTH: Final = {Interval.parse(name).length_ms: name for name in _TIMEFRAMES}
_TIME: Final = {"id": 4, "agg_trade_id": 5}
_KINDS: Final = {
    "trades": Kind(("id", "price", "qty", "quote_qty", "time", "is_buyer_maker"), _trades),
    "aggTrades": Kind(
        (
            *("agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id"),
            *("transact_time", "is_buyer_maker"),
        ),
        _trades,
    ),
    "klines": Kind(("open_time", "open", "high", "low", "close", "volume", "close_time"), _klines),
    "bookTicker": Kind(
        (
            *("update_id", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty"),
            *("transaction_time", "event_time"),
        ),
        _quotes,
    ),
}
