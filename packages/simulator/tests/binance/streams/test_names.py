"""How market streams are called."""

from __future__ import annotations

from millrace_simulator.binance.streams.names import SymbolStreams, streams_in_path
from millrace_simulator.statistics import Interval


def test_names_are_those_of_the_documentation() -> None:
    """Symbols are in lower case, the rest is spelled as Binance spells it."""
    streams = SymbolStreams("BTCUSDT")
    assert streams.depth_fast == "btcusdt@depth@100ms"
    assert streams.partial[5] == "btcusdt@depth5"
    assert streams.partial_fast[20] == "btcusdt@depth20@100ms"
    assert streams.aggregate_trade == "btcusdt@aggTrade"
    assert streams.klines[Interval.MO1] == "btcusdt@kline_1M"
    assert len(set(streams.klines.values())) == 16


def test_a_path_names_streams_and_may_hold_anything_else() -> None:
    """What is no stream name is passed over, empty parts too."""
    assert streams_in_path("a@trade/b@depth5/") == ["a@trade", "b@depth5"]
    assert streams_in_path("7") == streams_in_path("") == []
    assert streams_in_path("!ticker@arr") == ["!ticker@arr"]
