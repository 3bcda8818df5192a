"""Files of one market become one recording, by time; only a few rows of each are in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from millrace_backtest.errors import ImportFailed, NothingRecorded
from millrace_backtest.imports import binance, tardis
from millrace_backtest.imports.csv_file import CsvFile
from millrace_backtest.imports.events import MarketEvent, Traded, series_of
from millrace_backtest.imports.market import ImportedMarket, has_books
from millrace_backtest.recording.files import new_recording
from millrace_core.clock import NS_PER_MS
from millrace_core.market import Trade
from millrace_core.names import StreamName, Symbol

_PROGRESS_EVERY: Final = 5_000
MOST_BACK_NS: Final = 1_000_000_000
"""By how much an exchange's times may fall from one row to the next."""


class Imported(NamedTuple):
    """What was imported."""

    messages: int
    streams: Sequence[str]
    uncrossed: int
    """Levels of books that were removed because newer ones of the other side crossed them."""


class _Source(NamedTuple):
    """A file with rows, and its first event."""

    file: CsvFile
    read: Callable[[], Iterator[MarketEvent]]
    first: MarketEvent


def import_files(
    paths: Sequence[Path], stream: StreamName, out: Path, on_progress: Callable[[int], None] = lambda _bytes: None
) -> Imported:
    """Write a recording of the files of one market; `stream` is the name of any of its streams.

    `on_progress` gets the bytes that were read of all files together. After an error there is no recording.

    Raises:
        ImportFailed: a file is of another kind or broken, a row cannot be read, times go back by more than a second,
            a trade stands there twice in a row, or files hold the same time twice.
        NothingRecorded: the files are empty.
        FileExistsError: `out` is there already.
    """
    symbol = stream.symbol or Symbol("")
    sources = [source for path in paths if (source := _source(CsvFile(path), symbol)) is not None]
    if not sources:
        raise NothingRecorded("the files hold no rows")
    _check_market([source.file for source in sources], symbol)
    firsts = [source.first for source in sources]
    files = [source.file for source in sources]
    with new_recording(out, min(first.at_ns for first in firsts)) as writer:
        market, last_ns = ImportedMarket(writer, stream, has_books=has_books(firsts)), 0
        for number, event in enumerate(merge(*_series(sources).values(), key=itemgetter(0))):
            market.take(event)
            last_ns = event.at_ns
            if number % _PROGRESS_EVERY == 0:
                on_progress(sum(file.position for file in files))
        writer.end(last_ns)
        on_progress(sum(file.size for file in files))
        return Imported(writer.messages, writer.streams, market.uncrossed)


def _source(file: CsvFile, symbol: Symbol) -> _Source | None:
    row = file.first_row()
    if not row:
        return None
    read = _reading(file, row, symbol)
    first = next(read(), None)
    return None if first is None else _Source(file, read, first)


def _reading(file: CsvFile, row: Sequence[str], symbol: Symbol) -> Callable[[], Iterator[MarketEvent]]:
    name = file.path.name
    if tuple(row[:4]) == tardis.FIRST_COLUMNS:
        of_tardis = tardis.reading_of(row, name)
        if of_tardis is not None:
            return lambda: of_tardis(file, row, symbol)
    elif (of_binance := binance.reading_of(row, name)) is not None:
        return lambda: of_binance(file, symbol)
    raise ImportFailed(
        file.path,
        0,
        None,
        f"it is none of the files that can be imported: {tardis.KINDS} of Tardis.dev; {binance.KINDS} of Binance, with "
        "a header or named as Binance names them, such as BTCUSDT-trades-2026-01-31.zip",
    )


def _check_market(files: Sequence[CsvFile], symbol: Symbol) -> None:
    """Check the market that Binance's files have in their names: it is the only place where they say it."""
    base = "".join(filter(str.isalnum, symbol.partition("/")[0]))
    named = {found[0]: file for file in files if (found := binance.named(file.path.name)) is not None}
    for market, file in named.items():
        if len(named) > 1 or not market.startswith(base.upper()):
            raise ImportFailed(file.path, 0, None, f"it is of {market}; a recording is of one market, here {symbol}")


def _series(sources: Sequence[_Source]) -> Mapping[str, Iterator[MarketEvent]]:
    """Return the events of each series, file after file."""
    found: dict[str, list[_Source]] = {}
    for source in sorted(sources, key=lambda each: each.first.at_ns):
        found.setdefault(series_of(source.first), []).append(source)
    return {series: _chained(series, each) for series, each in found.items()}


def _check_trades(file: CsvFile, trades: Sequence[Trade], last: Trade | None) -> Trade | None:
    """Return the last of some trades, none of which may be the one before it: its amount would count twice."""
    for trade in trades:
        if trade.id is not None and trade == last:
            raise file.failed(f"trade {trade.id} stands there twice about here")
        last = trade
    return last


def _chained(series: str, sources: Sequence[_Source]) -> Iterator[MarketEvent]:
    last_ns, last_trade = 0, None
    for before, source in pairwise([None, *sources]):
        assert source is not None  # noqa: S101 - only the first is None
        if before is not None and source.first.at_ns < last_ns:
            raise ImportFailed(
                source.file.path, 0, None, f"it begins before {before.file.path.name} ends: both hold {series}"
            )
        for event in source.read():
            # An exchange's times may fall a little; those of a recording never do.
            if last_ns - event.at_ns > MOST_BACK_NS:
                back_ms = (last_ns - event.at_ns) // NS_PER_MS
                raise source.file.failed(f"times go back by {back_ms:,} ms about here: sort the file by time")
            if isinstance(event, Traded):
                last_trade = _check_trades(source.file, event.trades, last_trade)
            last_ns = max(last_ns, event.at_ns)
            yield event if event.at_ns == last_ns else event._replace(at_ns=last_ns)
