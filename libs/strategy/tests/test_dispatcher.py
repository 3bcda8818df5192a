import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from millrace_core.book import OrderBook
from millrace_core.market import Trade
from millrace_core.trace import NO_TRACE
from millrace_strategy import (
    BookEvent,
    Context,
    Event,
    EventTooSlow,
    HookCancelled,
    HookResult,
    StartEvent,
    StopEvent,
    Strategy,
    StrategyLimits,
    TooManyErrors,
    TradesEvent,
)
from millrace_strategy.testing import StrategyHarness

EXCHANGE, SYMBOL = "binance", "KCS/USDT"


class _Recorder(Strategy):
    """Notes which of its hooks were called, with what."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.calls: list[tuple[str, Event]] = []

    def handle(self, event: Event) -> HookResult:
        self.calls.append(("handle", event))
        return None

    def on_order_book(self, event: BookEvent) -> HookResult:
        self.calls.append(("on_order_book", event))
        return None


class _Slow(Strategy):
    """Waits in its book hook until it is released, and notes what it saw."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.go_on = asyncio.Event()
        self.seen: list[Any] = []

    async def on_order_book(self, event: BookEvent) -> None:
        self.seen.append(("book", event.book.best_bid, event.changes))
        await self.go_on.wait()

    def on_trades(self, event: TradesEvent) -> None:
        self.seen.append(("trades", [trade.id for trade in event.trades]))

    def on_stop(self, event: StopEvent) -> None:
        self.seen.append("stop")


def failing(error: Callable[[], BaseException]) -> type[Strategy]:
    class Failing(Strategy):
        """Raises at each trade whose id is not `good`."""

        tolerated_errors = 3
        stopped = False

        def on_trades(self, event: TradesEvent) -> None:
            if event.trades[0].id != "good":
                raise error()

        def on_stop(self, event: StopEvent) -> None:
            self.stopped = True

    return Failing


def trade(trade_id: str) -> Trade:
    return Trade(trade_id, 1, SYMBOL, "buy", 10.0, 1.0)


def started(strategy: type[Strategy], **options: Any) -> StrategyHarness:
    harness = StrategyHarness(strategy, books=[(EXCHANGE, SYMBOL)], **options)
    harness.start()
    return harness


def feed(harness: StrategyHarness, bid: float) -> None:
    harness.feed_book(EXCHANGE, SYMBOL, bids=[(bid, 1.0)], asks=[(100.0, 1.0)])


def test_handle_is_called_with_every_event_and_before_the_hook() -> None:
    """Start, book and stop all reach `handle`; the book reaches its hook too, afterwards."""
    harness = started(_Recorder)
    feed(harness, 10.0)
    harness.stop()
    calls = [(name, type(event)) for name, event in harness.strategy.calls]
    assert calls == [
        ("handle", StartEvent),
        ("handle", BookEvent),
        ("on_order_book", BookEvent),
        ("handle", StopEvent),
    ]


def test_an_idle_strategy_is_called_within_the_call_that_brings_the_event() -> None:
    """No turn of the loop passes between the message and the hook: there is no loop here at all."""
    harness = started(_Recorder)
    harness.host.run()
    harness.runtime.trades(EXCHANGE, SYMBOL, [trade("1")], timestamp=1)  # type: ignore[arg-type]
    assert isinstance(harness.strategy.calls[-1][1], TradesEvent)


def test_a_chunk_of_changes_read_in_one_turn_does_not_call_a_slow_hook_for_each() -> None:
    """After the first, the changes of one turn become one event with the newest book."""
    harness = started(_Recorder)
    harness.host.run()
    book_events = harness.strategy.calls
    book_events.clear()
    book = OrderBook()
    take = harness.runtime.book_taker(EXCHANGE, SYMBOL)  # type: ignore[arg-type]
    for bid in (10.0, 11.0, 12.0, 13.0):
        book.replace([(bid, 1.0)], [(100.0, 1.0)], None)
        take(book, 1, NO_TRACE)
    harness.host.run()
    assert [event.changes for name, event in book_events if name == "on_order_book"] == [1, 3]
    assert harness.strategy.books[EXCHANGE, SYMBOL].best_bid == (13.0, 1.0)


async def test_a_slow_strategy_sees_the_newest_book_and_every_trade() -> None:
    """Books become one event, trades stay one by one, and the book itself stays live."""
    harness = started(_Slow)
    feed(harness, 10.0)
    await harness.run_hooks()
    for number in range(11, 15):
        feed(harness, float(number))
        harness.feed_trades(EXCHANGE, SYMBOL, [trade(str(number))])
    assert harness.strategy.books[EXCHANGE, SYMBOL].best_bid == (14.0, 1.0)
    harness.strategy.go_on.set()
    await harness.run_hooks()
    assert harness.strategy.seen == [
        ("book", (10.0, 1.0), 1),
        ("book", (14.0, 1.0), 4),
        ("trades", ["11"]),
        ("trades", ["12"]),
        ("trades", ["13"]),
        ("trades", ["14"]),
    ]


async def test_stopping_waits_for_the_hook_that_runs_and_drops_what_waits() -> None:
    """`on_stop` is the last hook, called after the running one and before nothing else."""
    harness = started(_Slow)
    feed(harness, 10.0)
    await harness.run_hooks()
    harness.feed_trades(EXCHANGE, SYMBOL, [trade("1")])
    harness.stop()
    assert not harness.host.is_ended
    harness.strategy.go_on.set()
    await harness.run_hooks()
    assert harness.strategy.seen == [("book", (10.0, 1.0), 1), "stop"]
    assert harness.host.is_ended


def test_a_strategy_that_was_never_started_gets_no_stop_event() -> None:
    """Stopping before the start ends it without any hook."""
    harness = StrategyHarness(_Recorder, name="Recorder")
    harness.stop()
    assert harness.host.is_ended
    assert harness.strategy.calls == []


@pytest.mark.parametrize("error", [lambda: ValueError("mine"), asyncio.CancelledError, lambda: SystemExit(1)])
def test_a_hook_that_raises_does_not_end_the_strategy(error: Callable[[], BaseException]) -> None:
    """The error is reported and the next event handled, even if the author's code wants to end the process."""
    harness = started(failing(error), tolerate_errors=True)
    for name in ("bad", "bad", "good", "bad", "bad"):
        harness.feed_trades(EXCHANGE, SYMBOL, [trade(name)])
    assert len(harness.errors) == 4
    assert harness.host.given_up is None


def test_a_strategy_is_given_up_after_too_many_errors_in_a_row() -> None:
    """The limit is its own; `on_stop` is called, further events are not, and the last error is the cause."""
    harness = started(failing(lambda: ValueError("mine")), tolerate_errors=True)
    for _ in range(5):
        harness.feed_trades(EXCHANGE, SYMBOL, [trade("bad")])
    assert len(harness.errors) == 3
    assert isinstance(harness.host.given_up, TooManyErrors)
    assert "3 errors in a row" in str(harness.host.given_up)
    assert harness.strategy.stopped
    assert harness.host.is_ended


@pytest.mark.parametrize(("pause_ms", "is_stopped"), [(1_000, True), (15_000, False)])
def test_a_strategy_is_given_up_after_too_many_errors_in_a_minute(pause_ms: int, is_stopped: bool) -> None:
    """Whatever succeeds in between; errors that are longer ago do not count."""
    limits = StrategyLimits(errors_per_minute=5)
    harness = started(failing(lambda: ValueError("mine")), limits=limits, tolerate_errors=True)
    for _ in range(20):
        for name in ("bad", "good"):
            harness.feed_trades(EXCHANGE, SYMBOL, [trade(name)])
        harness.advance(pause_ms)
    assert harness.host.is_ended is is_stopped
    assert len(harness.errors) == (6 if is_stopped else 20)
    if is_stopped:
        assert "6 errors within 60 s" in str(harness.host.given_up)
        assert harness.host.given_up is not None
        assert harness.host.given_up.__cause__ is harness.errors[-1]


def test_a_strategy_is_given_up_after_a_hook_that_took_too_long() -> None:
    """The hook cannot be interrupted, but it is the last one before `on_stop`; the text names it and its time."""

    class Heavy(_Recorder):
        def on_trades(self, event: TradesEvent) -> None:
            harness.host.advance(float(event.trades[0].id or 0))

    harness = started(Heavy, limits=StrategyLimits(event_ms=500))
    harness.feed_trades(EXCHANGE, SYMBOL, [trade("500")])
    assert harness.host.given_up is None
    harness.feed_trades(EXCHANGE, SYMBOL, [trade("501")])
    assert isinstance(harness.host.given_up, EventTooSlow)
    assert "on_trades took 501 ms for one event; its limit is 500 ms" in str(harness.host.given_up)
    assert isinstance(harness.strategy.calls[-1][1], StopEvent)
    assert harness.host.is_ended


async def test_a_hook_that_waits_for_too_long_is_cut_off() -> None:
    """A hook that would wait for ever ends at its limit, where it waits; then `on_stop` is called."""
    harness = started(_Slow, limits=StrategyLimits(event_ms=500), tolerate_errors=True)
    feed(harness, 10.0)
    await harness.run_hooks()
    harness.advance(499)
    await harness.run_hooks()
    assert harness.host.given_up is None
    harness.advance(1)
    await harness.run_hooks()
    assert isinstance(harness.host.given_up, EventTooSlow)
    assert isinstance(harness.host.given_up.__cause__, TimeoutError)
    assert harness.strategy.seen == [("book", (10.0, 1.0), 1), "stop"]
    assert harness.host.is_ended


async def test_an_asynchronous_hook_that_raises_does_not_end_the_strategy() -> None:
    """An error after an await is reported too, and the next event is handled."""

    class Failing(Strategy):
        async def on_trades(self, event: TradesEvent) -> None:
            await asyncio.sleep(0)
            raise ValueError(event.trades[0].id)

    harness = started(Failing, tolerate_errors=True)
    for name in ("1", "2"):
        harness.feed_trades(EXCHANGE, SYMBOL, [trade(name)])
    await harness.run_hooks()
    assert [str(error) for error in harness.errors] == ["1", "2"]


def test_the_harness_raises_what_a_hook_raised() -> None:
    """A test of a strategy fails where its hook failed."""
    harness = started(failing(lambda: ValueError("mine")))
    with pytest.raises(ValueError, match="mine"):
        harness.feed_trades(EXCHANGE, SYMBOL, [trade("bad")])


def test_events_caused_by_a_hook_wait_until_it_has_returned() -> None:
    """No hook is called during another one, even if the answer comes within the request."""

    class Nested(Strategy):
        depth = deepest = 0

        def handle(self, event: Event) -> None:
            self.depth += 1
            self.deepest = max(self.deepest, self.depth)
            if isinstance(event, TradesEvent) and event.trades[0].id == "1":
                harness.runtime.trades(EXCHANGE, SYMBOL, [trade("2")], timestamp=1)  # type: ignore[arg-type]
            self.depth -= 1

    harness = started(Nested)
    harness.feed_trades(EXCHANGE, SYMBOL, [trade("1")])
    assert harness.strategy.deepest == 1
    assert harness.runtime.is_idle


def test_hooks_that_are_not_overridden_cost_nothing() -> None:
    """A strategy that only listens to trades is not called for books."""

    class OnlyTrades(Strategy):
        def on_trades(self, event: TradesEvent) -> None:
            pass

    harness = started(OnlyTrades)
    profile: list[str] = []
    sys.setprofile(lambda frame, kind, _: profile.append(frame.f_code.co_qualname) if kind == "call" else None)
    try:
        feed(harness, 1.0)
    finally:
        sys.setprofile(None)
    assert not [name for name in profile if name.startswith(("Strategy.on_", "Strategy.handle"))]


def test_a_hook_that_returns_something_is_an_error() -> None:
    """A generator's code would never run, and nobody would know; no event loop is needed for that."""

    class Generating(Strategy):
        async def on_order_book(self, event: BookEvent) -> Any:
            yield

        def on_trades(self, event: TradesEvent) -> Any:
            return True

    harness = StrategyHarness(Generating, books=[(EXCHANGE, SYMBOL)], tolerate_errors=True)
    harness.start()
    harness.feed_book(EXCHANGE, SYMBOL, bids=[(1.0, 1.0)])
    harness.feed_trades(EXCHANGE, SYMBOL, [])
    assert [str(error).split(":")[0] for error in harness.errors] == [
        "a hook returned async_generator",
        "a hook returned bool",
    ]


async def test_a_hook_that_cancels_itself_is_an_error_of_the_test() -> None:
    """Live its strategy is restarted; here it would take no event any more and say nothing."""

    class Cancelling(Strategy):
        async def on_order_book(self, event: BookEvent) -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

    harness = StrategyHarness(Cancelling, books=[(EXCHANGE, SYMBOL)])
    harness.start()
    harness.feed_book(EXCHANGE, SYMBOL, bids=[(1.0, 1.0)])
    with pytest.raises(HookCancelled):
        await harness.run_hooks()
