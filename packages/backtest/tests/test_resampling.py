"""Recordings made of others: candles of trades are exact, books are what they were at the end of each interval."""

from pathlib import Path
from typing import Any

import msgspec

from millrace_backtest.playback import StreamPlayback
from millrace_backtest.recording.files import Recording
from millrace_backtest.recording.lines import RecordedMessage
from millrace_backtest.recording.resampling import Resampling, resample
from millrace_backtest.recording.summary import check
from millrace_core.messages import decode
from millrace_core.names import Action, is_snapshot

from .conftest import BOOK, EPOCH, MS, START_NS, TRADES, Tape

CANDLES = BOOK._replace(action=Action("watchOHLCV"))


def taped(path: Path) -> Tape:
    """Trades and changes of a book over some seconds, every 100 ms."""
    tape = Tape(path)
    tape.begin([(100.0, 1.0)], [(101.0, 1.0)])
    for number in range(60):
        tape.wait(100)
        tape.change(bids=[(100.0, 1.0 + number)])
        tape.trade(100 + number / 10, 0.1, "buy")
    return tape


def deltas(recording: Recording, name: object) -> list[tuple[int, Any]]:
    """Return times (ms since the start) and data of the changes of a stream."""
    found = []
    for recorded in recording:
        if recorded.name != str(name) or not isinstance(recorded.what, RecordedMessage):
            continue
        message = decode(recorded.what.body)
        if message.type == "delta":
            found.append(((recorded.at_ns - START_NS) // MS, msgspec.json.decode(message.data)))
    return found


def test_candles_are_made_of_trades(tmp_path: Path) -> None:
    """Of several intervals, at their ends, with volumes to the last digit; everything else is copied."""
    tape = taped(tmp_path / "tape.jsonl.gz")
    tape.wait(2_000)
    source = tape.end()
    out = tmp_path / "out.jsonl.gz"
    messages = resample([source], out, Resampling(("2s", "5s")))
    assert check([Recording(out)]).problems == []
    offset = -EPOCH % 2_000
    candles = deltas(Recording(out), CANDLES)
    of_2s = [(at_ms, data["candles"][0]) for at_ms, data in candles if data["timeframe"] == "2s"]
    assert [at_ms for at_ms, _ in of_2s] == [offset + 2_000 * number for number in range(1, len(of_2s) + 1)]
    at_ms, (opened, first, high, low, last, volume) = of_2s[1]
    assert (opened, at_ms) == (EPOCH + offset + 2_000, offset + 4_000)
    assert (first, low, last, high, volume) == (101.9, 101.9, 103.8, 103.8, 2.0)
    copied = [(each.at_ns, each.name, each.what) for each in Recording(out) if "OHLCV" not in each.name]
    assert [(at_ns, name) for at_ns, name, _ in copied] == [(each.at_ns, each.name) for each in source]
    assert messages == len(copied) + len(candles) + 2


def test_books_are_thinned(tmp_path: Path) -> None:
    """One change for each second, which leads to the book of that time; after a hole the book begins again."""
    tape = taped(tmp_path / "tape.jsonl.gz")
    tape.skip(BOOK)
    tape.wait(50)
    tape.change(asks=[(101.0, 9.0)])
    out = tmp_path / "out.jsonl.gz"
    resample([tape.end()], out, Resampling(books_ms=1_000, patterns=("*.watchTrades.*",)))
    assert [at_ms for at_ms, _ in deltas(Recording(out), BOOK)] == [1_000, 2_000, 3_000, 4_000, 5_000, 6_000]
    assert len(deltas(Recording(out), TRADES)) == 60
    (problem,) = check([Recording(out)]).problems
    assert problem == f"{BOOK}: 1 gaps, 0 messages are known to be missing"
    playback = StreamPlayback(BOOK, 0)
    for recorded in Recording(out):
        if recorded.name.endswith(str(BOOK)[7:]) and isinstance(recorded.what, RecordedMessage):
            message = decode(recorded.what.body)
            playback.snapshot(message) if is_snapshot(recorded.name) else playback.message(message, recorded.at_ns)
    state: Any = playback.state
    assert state.book.bids.best() == (100.0, 59.0)
