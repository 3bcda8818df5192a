"""Files as Tardis.dev offers them: a header, a comma between cells, and times in µs.

A message has the time at which it arrived at Tardis.dev (`local_timestamp`); rows of one such time came together. A
book begins with rows whose `is_snapshot` is true, and so it does after each lost connection.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from millrace_backtest.imports.csv_file import (
    Cell,
    CsvFile,
    above_zero,
    any_text,
    exact,
    exact_or_none,
    text_or_none,
    yes_or_no,
)
from millrace_backtest.imports.events import BookChanged, MarketEvent, Quoted, Traded
from millrace_core.market import Level, Trade
from millrace_core.names import Symbol

FIRST_COLUMNS: Final = ("exchange", "symbol", "timestamp", "local_timestamp")
KINDS: Final = "incremental_book_L2, book_snapshot_*, trades, quotes and book_ticker"
_SIDES: Final = {"buy": "buy", "sell": "sell", "unknown": None}

Reading = Callable[[CsvFile, Sequence[str], Symbol], Iterator[MarketEvent]]


def reading_of(columns: Sequence[str], file_name: str) -> Reading | None:
    """Return what reads a file with these columns; None if it is of another kind."""
    if "liquidations" in file_name:
        return None  # Their columns are those of trades.
    return next((reading for names, reading in _READINGS.items() if set(names) <= set(columns)), None)


def _book(file: CsvFile, columns: Sequence[str], symbol: Symbol) -> Iterator[MarketEvent]:
    cells = (("is_snapshot", yes_or_no), ("side", _book_side), ("price", exact), ("amount", exact))
    is_begun = False
    for (at_us, event_us, is_whole), rows in _together(_records(file, columns, cells), 3):
        is_begun = is_begun or is_whole
        if not is_begun:
            continue
        sides: dict[str, dict[float, float]] = {"bid": {}, "ask": {}}
        for row in rows:
            sides[row[3]][row[4]] = row[5]
        yield BookChanged(
            at_us * 1_000, event_us // 1_000, list(sides["bid"].items()), list(sides["ask"].items()), is_whole
        )


def _book_snapshots(file: CsvFile, columns: Sequence[str], symbol: Symbol) -> Iterator[MarketEvent]:
    levels = sum(name.startswith("asks[") and name.endswith("].price") for name in columns)
    names = [f"{side}[{at}].{part}" for side in ("bids", "asks") for at in range(levels) for part in _PARTS]
    for at_us, event_us, *numbers in _records(file, columns, [(name, exact_or_none) for name in names]):
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        bids, asks = (
            [(price, amount) for price, amount in side if price is not None and amount]
            for side in (pairs[:levels], pairs[levels:])
        )
        yield BookChanged(at_us * 1_000, event_us // 1_000, bids, asks, is_whole=True)


def _trades(file: CsvFile, columns: Sequence[str], symbol: Symbol) -> Iterator[MarketEvent]:
    cells = (("id", text_or_none), ("side", _trade_side), ("price", above_zero), ("amount", above_zero))
    for (at_us,), rows in _together(_records(file, columns, cells), 1):
        trades = [Trade(trade_id, us // 1_000, symbol, side, *numbers) for _, us, trade_id, side, *numbers in rows]
        yield Traded(at_us * 1_000, trades[-1].timestamp or 0, trades)


def _quotes(file: CsvFile, columns: Sequence[str], symbol: Symbol) -> Iterator[MarketEvent]:
    names = ("bid_price", "bid_amount", "ask_price", "ask_amount")
    for at_us, event_us, *numbers in _records(file, columns, [(name, exact_or_none) for name in names]):
        yield Quoted(at_us * 1_000, event_us // 1_000, level(*numbers[:2]), level(*numbers[2:]))


def level(price: float | None, amount: float | None) -> Level | None:
    """Return a level; None if a side is empty."""
    return None if price is None or not amount else (price, amount)


def _records(file: CsvFile, columns: Sequence[str], cells: Iterable[tuple[str, Cell]]) -> Iterator[list[Any]]:
    """Return of each row the time of arrival and that of the exchange, in µs, and the cells; all of one symbol."""
    seen: dict[str, str] = {}
    wanted = (("exchange", any_text), ("symbol", any_text), ("local_timestamp", _micros), ("timestamp", _micros))
    for exchange, symbol, *record in file.records(columns, (*wanted, *cells), header=True):
        if seen.setdefault(symbol, exchange) != exchange or len(seen) > 1:
            names = " and ".join(seen)
            raise file.failed(f"another market than before ({names}, {exchange}): a recording is of one", "symbol")
        yield record


def _together(records: Iterable[list[Any]], cells: int) -> Iterator[tuple[list[Any], list[list[Any]]]]:
    """Return rows that begin with the same cells, one group after the other."""
    for same, group in groupby(records, key=lambda record: record[:cells]):
        yield same, list(group)


def _micros(text: str) -> int:
    if len(text) != 16 or not (text.isascii() and text.isdecimal()):
        raise ValueError("is no time in µs since 1970")
    return int(text)


def _book_side(text: str) -> str:
    if text not in ("bid", "ask"):
        raise ValueError("is neither bid nor ask")
    return text


def _trade_side(text: str) -> str | None:
    if text not in _SIDES:
        raise ValueError("is neither buy nor sell nor unknown")
    return _SIDES[text]


_PARTS: Final = ("price", "amount")
_READINGS: Final[Mapping[tuple[str, ...], Reading]] = {
    ("is_snapshot", "side", "price", "amount"): _book,
    ("asks[0].price", "bids[0].price"): _book_snapshots,
    ("id", "side", "price", "amount"): _trades,
    ("bid_price", "bid_amount", "ask_price", "ask_amount"): _quotes,
}
"""By the columns that a kind has, and no kind before it."""
