"""Recordings made of others: candles of trades are exact, books are what they were at the end of each interval."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from millrace_backtest.playback import StreamPlayback, arrived
from millrace_backtest.recording.files import Recording
from millrace_backtest.recording.lines import RecordedMessage
from millrace_backtest.recording.resampling import Resampling, resample
from millrace_backtest.recording.summary import check
from millrace_core.clock import DAY_MS
from millrace_core.ids import MessageId
from millrace_core.intervals import Interval
from millrace_core.market import Candle, Trade
from millrace_core.messages import decode
from millrace_core.names import Action, is_snapshot
from millrace_store import Place, Scope, Store
from millrace_strategy import Strategy, TradesEvent

from .conftest import BOOK, EPOCH, EXCHANGE, MS, START_NS, SYMBOL, TENANT, TRADES, Tape, run

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
            playback.snapshot(message) if is_snapshot(recorded.name) else playback.message(
                arrived(message, recorded.at_ns)
            )
    state: Any = playback.state
    assert state.book.bids.best() == (100.0, 59.0)


class Monthly(Strategy):
    """Sees candles of months, and which of them are over."""

    def on_trades(self, event: TradesEvent) -> None:
        """Keep them."""
        candles = self.candles[EXCHANGE, SYMBOL, "1M"]
        self.seen, self.closed = list(candles), candles.closed


async def test_months_are_the_same_for_strategies_recordings_and_the_database(tmp_path: Path) -> None:
    """Candles of more than two years of trades, with a leap day, open and end by the calendar everywhere."""
    tape = Tape(tmp_path / "tape.jsonl.gz")
    tape.begin([(100.0, 1.0)], [(101.0, 1.0)])
    trades: list[Trade] = []
    for number in range(180):
        tape.wait(5 * DAY_MS + 7_000_001)
        price = 100.0 + number * 7 % 13
        trades.append(Trade(str(number), tape.at_ns // MS, SYMBOL, "buy", price, 0.5))
        tape.trade(price, 0.5, "buy")
    source = tape.end()
    async with Store.open(f"sqlite:///{tmp_path / 'millrace.db'}") as store:
        async with store.batch() as batch:
            for seq, trade in enumerate(trades, 1):
                batch.trades(Place(str(TRADES), MessageId(EPOCH, seq), trade.timestamp or 0), [trade])
        stored = (await store.market.candles_from_trades(Scope(TENANT, EXCHANGE, SYMBOL), Interval(months=1))).rows
    candles: list[Candle] = [
        (row.at_ms, float(row.open), float(row.high), float(row.low), float(row.close), float(row.volume))
        for row in stored
    ]
    opened = [datetime.fromtimestamp(candle[0] / 1_000, UTC) for candle in candles]
    assert [(at.day, at.hour, at.minute) for at in opened] == [(1, 0, 0)] * len(opened)
    assert len(opened) > 25 and any(at.month == 2 and at.year % 4 == 0 for at in opened)
    strategy: Any = (await run(Monthly, source)).runs[0].runtime.strategy
    assert strategy.seen == candles
    assert strategy.closed == candles[:-1]
    resample([source], tmp_path / "out.jsonl.gz", Resampling(("1M",)))
    made = deltas(Recording(tmp_path / "out.jsonl.gz"), CANDLES)
    assert [tuple(data["candles"][0]) for _, data in made] == candles[:-1]
    assert [at_ms + START_NS // MS for at_ms, _ in made] == [candle[0] for candle in candles[1:]]
