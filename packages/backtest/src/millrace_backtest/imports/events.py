"""What a file of a market tells, row by row or in groups of rows. Times are in ns since the Unix epoch. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from millrace_core.market import Candle, Level, Trade


class BookChanged(NamedTuple):
    """Levels of the order book that changed at a time; amount 0 removes one."""

    at_ns: int
    event_ms: int
    bids: Sequence[Level]
    asks: Sequence[Level]
    is_whole: bool
    """Whether these are all levels."""


class Traded(NamedTuple):
    """Trades that happened, or arrived, at one time; oldest first."""

    at_ns: int
    event_ms: int
    trades: list[Trade]


class Quoted(NamedTuple):
    """The best bid and ask, each with price and amount; None where a side is empty."""

    at_ns: int
    event_ms: int
    bid: Level | None
    ask: Level | None


class CandleClosed(NamedTuple):
    """A candle, at the end of its interval."""

    at_ns: int
    event_ms: int
    timeframe: str
    candle: Candle


MarketEvent = BookChanged | Traded | Quoted | CandleClosed


def series_of(event: MarketEvent) -> str:
    """Return what the event is one of: files of one series may follow one another, but hold no time twice."""
    return f"candles of {event.timeframe}" if isinstance(event, CandleClosed) else _SERIES[type(event)]


_SERIES: dict[type[MarketEvent], str] = {BookChanged: "order books", Traded: "trades", Quoted: "quotes"}
