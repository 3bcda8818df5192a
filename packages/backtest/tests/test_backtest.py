"""Strategies on the virtual clock: what they see, when, and that a long recording needs no more memory than a short."""

import asyncio
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from millrace_backtest.backtest import Backtest
from millrace_backtest.errors import ClockStuck, NothingRecorded, StrategyNotMade
from millrace_backtest.exchange.fees import read_fees
from millrace_backtest.outputs import FILLS, REPORT, REQUESTS, RESULT, write_report, write_result, write_tables
from millrace_backtest.recording.files import Recording, RecordingWriter, merged, recordings
from millrace_backtest.recording.held import HeldRecording
from millrace_backtest.report.page import report_html
from millrace_backtest.result import result_of
from millrace_backtest.scan import scan
from millrace_backtest.settings import BacktestSettings
from millrace_backtest.strategies import BacktestedStrategy
from millrace_core.market import BookDelta
from millrace_core.names import PUBLIC, Action, ExchangeId, Tenant
from millrace_strategy import (
    BookEvent,
    Context,
    StartEvent,
    StatusEvent,
    StopEvent,
    Strategy,
    StrategyConfiguration,
    SubscribedStream,
    TickerEvent,
    TradesEvent,
)

from .conftest import BOOK, EPOCH, EXCHANGE, MS, START_NS, STREAMS, SYMBOL, TENANT, TRADES, Tape, run


class Watcher(Strategy):
    """Keeps what it is reported, with the time of its clock."""

    seen: list[Any]

    def on_start(self, event: StartEvent) -> None:
        """Begin, and set a timer."""
        self.seen = []
        self.after(25, lambda: self.seen.append(("timer", self.clock.now_ms())))

    def on_order_book(self, event: BookEvent) -> None:
        """Keep the best bid."""
        self.seen.append(("book", event.book.best_bid))

    def on_trades(self, event: TradesEvent) -> None:
        """Keep the trades."""
        self.seen.append(("trades", [trade.id for trade in event.trades]))

    def on_status(self, event: StatusEvent) -> None:
        """Keep the status of streams."""
        self.seen.append((event.action, event.status))


class Sleeper(Strategy):
    """Has hooks that wait in virtual time."""

    async def on_order_book(self, event: BookEvent) -> None:
        """Buy, and sell 50 ms after the answer."""
        if not self.orders:
            bought = self.trader.create_order(exchange=EXCHANGE, symbol=SYMBOL, side="buy", type="market", amount=1)
            assert (await bought).status == "done"
            await self.clock.sleep(50)
            self.trader.create_order(exchange=EXCHANGE, symbol=SYMBOL, side="sell", type="market", amount=1)


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    """A market that begins."""
    tape = Tape(tmp_path / "market.jsonl.gz")
    tape.begin([(100.0, 5.0)], [(101.0, 5.0)])
    return tape


def seen(backtest: Any) -> list[Any]:
    """Return what a watcher has seen."""
    assert backtest.runs[0].host.errors == []
    return list(backtest.runs[0].runtime.strategy.seen)


async def test_events_come_at_their_times(tape: Tape) -> None:
    """Books, trades and timers in the order of the virtual clock."""
    tape.wait(20)
    tape.change(bids=[(100.5, 1.0)])
    tape.wait(20)
    tape.trade(101.0, 1.0, "buy")
    backtest = await run(Watcher, tape.end())
    begins = ("book", (100.0, 5.0))
    assert seen(backtest)[-4:] == [begins, ("book", (100.5, 1.0)), ("timer", START_NS // MS + 25), ("trades", ["1"])]


async def test_a_hole_makes_the_book_untrusted_until_the_next_snapshot(tape: Tape) -> None:
    """As live: what is missing is never passed over in silence."""
    tape.skip(BOOK)
    tape.change(bids=[(100.5, 1.0)])
    tape.change(bids=[(100.6, 1.0)])
    backtest = await run(Watcher, tape.end())
    reported = seen(backtest)
    assert ("watchOrderBook", "untrusted") in reported
    assert ("book", (100.6, 1.0)) not in reported
    assert not backtest.runs[0].runtime.books[EXCHANGE, SYMBOL].trusted


async def test_hooks_may_wait_in_virtual_time(tape: Tape) -> None:
    """An answer that is awaited, and a sleep, end when their time has come."""
    for _ in range(30):
        tape.wait(10)
        tape.change(bids=[(99.0, 1.0)])
    backtest = await run(Sleeper, tape.end(), latency="10")
    assert backtest.runs[0].host.errors == []
    first, second = (fill.at_ns - START_NS for fill in backtest.ledger.fills)
    assert second - first == pytest.approx((10 + 50 + 10) * MS, abs=MS)


async def test_a_strategy_runs_from_and_to_a_moment(tape: Tape) -> None:
    """What is before builds the state, which it is shown at the start; what is after is not played."""
    for amount in (1.0, 2.0, 3.0, 4.0):
        tape.wait(100)
        tape.change(bids=[(100.0, amount)])
    settings = {"since_ns": START_NS + 150 * MS, "until_ns": START_NS + 350 * MS}
    backtest = await run(Watcher, tape.end(), **settings)
    books = [event for event in seen(backtest) if event[0] == "book"]
    assert books == [("book", (100.0, amount)) for amount in (1.0, 2.0, 3.0)]


async def test_streams_that_are_not_recorded_are_an_error(tmp_path: Path) -> None:
    """It says what is recorded instead."""
    with RecordingWriter(tmp_path / "other.jsonl.gz", START_NS) as writer:
        writer.message("stream.Ann.kucoin.watchTrades.ETH/USDT", START_NS, "1-1", b"{}")
        writer.end(START_NS)
    with pytest.raises(NothingRecorded, match=r"kucoin\.watchTrades"):
        await run(Watcher, Recording(tmp_path / "other.jsonl.gz"))


def test_recordings_are_merged_by_time(tmp_path: Path) -> None:
    """Those of a folder, each in its own order."""
    for name, times in (("a", (1, 5, 9)), ("b", (2, 5, 7))):
        with RecordingWriter(tmp_path / f"{name}.jsonl.gz", 0) as writer:
            for at_ns in times:
                writer.message(str(TRADES), at_ns, f"1-{at_ns}", b"{}")
            writer.end(10)
    assert [each.at_ns for each in merged(recordings([tmp_path]))] == [1, 2, 5, 5, 7, 9]


async def test_the_files_of_a_backtest(tape: Tape, tmp_path: Path) -> None:
    """Profit adds up; the page needs no other file and no network."""
    for _ in range(30):
        tape.wait(10)
        tape.change(bids=[(100.0, 6.0)])
    backtest = await run(Sleeper, tape.end(), latency="10")
    result = result_of(backtest, ["market.jsonl.gz"])
    write_result(tmp_path, result)
    write_tables(tmp_path, backtest)
    write_report(tmp_path, backtest, result, [("10", result)])
    (market,) = result.markets
    # Bought at 101 and sold at 100: 1 lost, and 0.1 % each way; the fee of the buy was taken from what was bought.
    assert market.fees_by_currency == {"ETH": Decimal("0.001"), "USDT": Decimal("0.1")}
    assert market.position == Decimal("-0.001")
    assert market.profit == market.realised + market.unrealised
    assert market.profit == Decimal(-101) + Decimal(100) - Decimal("0.1") - Decimal("0.001") * Decimal("100.5")
    assert result.equity[0].profit == market.profit
    page = (tmp_path / REPORT).read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "<script src" not in page
    assert all((tmp_path / name).stat().st_size for name in (RESULT, FILLS, REQUESTS))


class Spoiler(Watcher):
    """Changes what it gets hold of."""

    def on_trades(self, event: TradesEvent) -> None:
        """Keep the trades, and leave none."""
        super().on_trades(event)
        event.trades.clear()

    def on_ticker(self, event: TickerEvent) -> None:
        """Keep the ticker, and leave none."""
        self.seen.append(("ticker", dict(event.fields), dict(event.changed)))
        event.fields.clear()
        event.changed.clear()


async def test_a_recording_in_memory_leads_to_the_same_whatever_a_strategy_did_to_it(tape: Tape) -> None:
    """Of all that a recording may hold: changes, trades, fields, status, holes, and what is no message, twice."""
    ticker = BOOK._replace(action=Action("watchTicker"))
    tape.snapshot(ticker, {"last": 100.5, "asOf": f"{EPOCH}-0"})
    for number in range(20):
        tape.wait(10)
        tape.change(bids=[(100.0 + number / 100, 1.0)], asks=[(101.0, number % 3)])
        tape.trade(100.5, 1.0, "buy")
        tape.message(ticker, "delta", {"last": 100.0 + number})
    tape.message(TRADES, "delta", {"trades": "none"})
    tape.message(TRADES, "status", {"status": "stale"})
    tape.writer.message(str(BOOK), tape.at_ns, "1-1", b'{"id": "1"}')
    tape.skip(BOOK)
    tape.change(bids=[(100.0, 6.0)])
    streams = (*STREAMS, SubscribedStream(EXCHANGE, SYMBOL, ticker.action))
    file = tape.end()
    held = HeldRecording(file.path)
    assert scan([held]) == scan([file])
    from_file, *from_memory = [seen(await run(Spoiler, source, streams=streams)) for source in (file, held, held)]
    assert {what for what, *_ in from_file} >= {"book", "trades", "ticker", "timer", "watchOrderBook", "watchTrades"}
    assert from_memory == [from_file, from_file]


async def _peak(folder: Path, messages: int) -> int:
    tape = Tape(folder / f"{messages}.jsonl.gz")
    tape.begin([(100.0, 5.0)], [(101.0, 5.0)])
    for number in range(messages):
        tape.wait(100)
        tape.change(bids=[(100.0, 1.0 + number % 7)])
    recording = tape.end()
    tracemalloc.start()
    try:
        await run(Strategy, recording)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_a_long_recording_needs_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    """It is read as a stream, and curves are thinned as they grow."""
    await _peak(tmp_path, 100)
    short, long = await _peak(tmp_path, 3_000), await _peak(tmp_path, 9_000)
    assert long < short + 500_000


class Taker(Strategy):
    """Buys once on each book that it sees."""

    def on_order_book(self, event: BookEvent) -> None:
        """Buy, unless it has."""
        if not any(order.exchange == event.exchange for order in self.orders) and not self.trader.pending:
            self.trader.create_order(exchange=event.exchange, symbol=event.symbol, side="buy", type="market", amount=1)


async def test_tenants_and_exchanges_have_accounts_of_their_own(tape: Tape) -> None:
    """Strategies of two tenants follow a public book, one of them another exchange too; none spends another's money."""
    public, other = BOOK._replace(tenant=PUBLIC), BOOK._replace(exchange=ExchangeId("kucoin"))
    for name, price in ((public, 200.0), (other, 300.0)):
        tape.open(name, [(price - 1, 5.0)], [(price, 5.0)])
    for _ in range(20):
        tape.wait(10)
        for name, price in ((public, 200.0), (other, 300.0)):
            tape.message(name, "delta", BookDelta([(price - 1, 5.0)], []))
    shared = SubscribedStream(EXCHANGE, SYMBOL, BOOK.action, is_public=True)
    elsewhere = SubscribedStream(other.exchange, SYMBOL, BOOK.action)
    plans = [
        BacktestedStrategy(strategy=Taker, tenant=Tenant("Ann"), name="A", streams=(shared, elsewhere)),
        BacktestedStrategy(strategy=Taker, tenant=Tenant("Bob"), name="B", streams=(shared,)),
    ]
    settings = BacktestSettings(balances={"USDT": Decimal(400)}, fees=read_fees(["0"]))
    backtest = Backtest(plans, [tape.end()], settings)
    await backtest.run()
    assert [run.host.errors for run in backtest.runs] == [[], []]
    spent = {(fill.source, fill.exchange): fill.price for fill in backtest.ledger.fills}
    assert spent == {("A", EXCHANGE): 200, ("A", "kucoin"): 300, ("B", EXCHANGE): 200}
    held = {key: backtest.exchanges.account(*key).total("USDT") for key in [("Ann", EXCHANGE), ("Bob", EXCHANGE)]}
    assert set(held.values()) == {Decimal(200)}
    assert backtest.exchanges.account(Tenant("Ann"), other.exchange).total("USDT") == 100


class Cancelling(Strategy):
    """Cancels its own hook."""

    async def on_order_book(self, event: BookEvent) -> None:
        """Cancel it."""
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)


async def test_a_hook_that_cancels_itself_stops_the_strategy_and_is_in_the_result(tape: Tape) -> None:
    """It takes no event any more, which its result must say; one that waits at the end was not cancelled by itself."""
    tape.change(bids=[(100.5, 1.0)])
    recording = tape.end()
    result = result_of(await run(Cancelling, recording), ())
    assert "cancelled from inside" in (result.strategies[0].stopped or "")
    assert result_of(await run(Sleeper, recording), ()).strategies[0].stopped is None


class Buyer(Strategy):
    """Buys one at the first book, or sells one, as its configuration says."""

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        side: str

    def on_order_book(self, event: BookEvent) -> None:
        """Trade, once."""
        if not self.trader.pending and not self.orders:
            side = self.configuration.side
            self.trader.create_order(exchange=event.exchange, symbol=event.symbol, side=side, type="market", amount=1)


async def test_strategies_of_one_name_of_two_tenants_have_positions_of_their_own(tape: Tape) -> None:
    """One buys, the other sells: neither's profit is realised by the other."""
    bob = Tenant("Bob")
    tape.open(BOOK._replace(tenant=bob), [(100.0, 5.0)], [(101.0, 5.0)])
    tape.wait(100)
    tape.change(bids=[(100.5, 1.0)])
    plans = [
        BacktestedStrategy(strategy=Buyer, tenant=tenant, name="S", configuration={"side": side}, streams=STREAMS[:1])
        for tenant, side in ((TENANT, "buy"), (bob, "sell"))
    ]
    backtest = Backtest(plans, [tape.end()], BacktestSettings(fees=read_fees(["0"])))
    await backtest.run()
    markets = result_of(backtest, ()).markets
    assert [(each.tenant, each.position, each.trades) for each in markets] == [("Ann", 1, 1), ("Bob", -1, 1)]


async def test_a_time_of_which_nothing_is_recorded_is_an_error(tape: Tape) -> None:
    """And so is an end before the beginning: a page without a trade would look like a strategy that waits."""
    tape.wait(1_000)
    tape.change(bids=[(100.5, 1.0)])
    recording, second = tape.end(), 1_000_000_000
    for since, until in ((100, None), (None, -5), (1, 1), (1, 0)):
        times = [None if each is None else START_NS + each * second for each in (since, until)]
        with pytest.raises(NothingRecorded, match=r"time|beginning"):
            await run(Watcher, recording, since_ns=times[0], until_ns=times[1])


class Mistaken(Strategy):
    """Raises in a hook, then waits for ever in another one."""

    def on_start(self, event: StartEvent) -> None:
        """Raise."""
        raise KeyError(f"mine {object()}")

    async def on_order_book(self, event: BookEvent) -> None:
        """Wait."""
        await asyncio.Future()


async def test_what_hooks_raise_and_wait_for_is_in_the_result(tape: Tape) -> None:
    """With the line of the file, and the same in each process: a number of errors helps nobody to mend them."""
    tape.wait(20_000)
    tape.change(bids=[(100.5, 1.0)])
    backtest = await run(Mistaken, tape.end())
    result = result_of(backtest, ())
    line = Mistaken.on_start.__code__.co_firstlineno + 2
    assert [text.split(" on ")[1] for text in result.strategies[0].first_errors] == [
        f"StartEvent: KeyError: 'mine <object object at 0x…>' (test_backtest.py, line {line})"
    ]
    assert (result.strategies[0].unfinished or "").startswith("its hook for a BookEvent had waited for 20 s, and 1 ")
    assert "test_backtest.py, line" in report_html(backtest, result)


class Unmade(Strategy):
    """Cannot be made."""

    def __init__(self, context: Context) -> None:
        raise ValueError("mine")


class Stuck(Strategy):
    """Sets a timer of 0 ms whenever one is due."""

    def on_start(self, event: StartEvent) -> None:
        """Set it."""
        self.after(0, lambda: self.on_start(event))


async def test_a_strategy_that_cannot_be_made_or_never_ends_is_an_error(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one line, as any other."""
    monkeypatch.setattr("millrace_backtest.timeline.MOST_CALLS_AT_ONCE", 1_000)
    tape.wait(100)
    tape.change(bids=[(100.5, 1.0)])
    recording = tape.end()
    with pytest.raises(StrategyNotMade, match=r"S cannot be made: ValueError: mine \(test_backtest.py, line"):
        await run(Unmade, recording)
    with pytest.raises(ClockStuck):
        await run(Stuck, recording)


class Leaving(Buyer):
    """Sells what it holds when it is stopped."""

    def on_stop(self, event: StopEvent) -> None:
        """Sell it."""
        self.trader.create_order(exchange=EXCHANGE, symbol=SYMBOL, side="sell", type="market", amount=1)


async def test_what_is_asked_for_at_the_end_still_reaches_the_exchange(tape: Tape) -> None:
    """As it does live: the position is closed, and the curve ends with it."""
    tape.wait(100)
    tape.change(bids=[(100.5, 1.0)])
    backtest = await run(Leaving, tape.end(), configuration={"side": "buy"}, fees=read_fees(["0"]))
    assert [fill.side for fill in backtest.ledger.fills] == ["buy", "sell"]
    assert backtest.samples.kept[-1].equity == {"USDT": Decimal("-0.5")}
