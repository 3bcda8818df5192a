"""Changed code or settings take over between two events."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.market import Trade
from millrace_core.requests import CreateOrder
from millrace_strategy import (
    Context,
    Event,
    ResponseEvent,
    StartEvent,
    StartFailed,
    StopEvent,
    Strategy,
    StrategyConfiguration,
    TimerEvent,
    TooManyErrors,
    TradesEvent,
)
from millrace_strategy.testing import StrategyHarness

EXCHANGE, SYMBOL = "binance", "KCS/USDT"
SEEN: list[tuple[int, Any]] = []
"""What each instance has seen, by its number."""


class _Version(Strategy):
    """Notes what it sees, and counts versions in its state."""

    class Configuration(StrategyConfiguration):
        """Settings of the test."""

        step: int = 1

    tolerated_errors = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.number = 0

    def on_start(self, event: StartEvent) -> None:
        self.number = self.state.get("version", 0) + self.configuration.step
        self.state["version"] = self.number
        self.every(1_000, name=f"of {self.number}")

    def handle(self, event: Event) -> None:
        SEEN.append((self.number, event))

    def on_trades(self, event: TradesEvent) -> None:
        self.state["trades"] = self.state.get("trades", 0) + len(event.trades)


class _RaisesAtStart(_Version):
    """Spoils the state, then raises."""

    def on_start(self, event: StartEvent) -> None:
        self.state["version"] = "spoilt"
        raise ValueError("mine")


class _RaisesAtTrades(_Version):
    """Raises at each trade."""

    def on_trades(self, event: TradesEvent) -> None:
        self.state["version"] = "spoilt"
        raise ValueError("mine")


class _Unmakable(_Version):
    """Sets a timer and spoils the state, and cannot even be made."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.number = 99
        self.after(5, lambda: SEEN.append((99, "timer")))
        self.state["version"] = "spoilt"
        raise ValueError("mine")


class _Waits(_Version):
    """Waits in its hook until it is released."""

    release: asyncio.Event

    async def on_trades(self, event: TradesEvent) -> None:  # type: ignore[override]
        await type(self).release.wait()


def started(strategy: type[Strategy] = _Version, **options: Any) -> StrategyHarness:
    SEEN.clear()
    harness = StrategyHarness(strategy, books=[(EXCHANGE, SYMBOL)], **options)
    harness.start()
    return harness


def trade(harness: StrategyHarness, number: int) -> None:
    harness.feed_trades(EXCHANGE, SYMBOL, [Trade(str(number), number, SYMBOL, "buy", 1.0, 1.0)])


def trades() -> list[tuple[int, str]]:
    """Return which instance saw which trades."""
    return [(number, each.trades[0].id) for number, each in SEEN if isinstance(each, TradesEvent)]


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_each_event_is_seen_by_one_instance_in_order(swaps: list[bool]) -> None:
    """However often code and settings change in between; the state counts every trade once."""
    harness, version, expected = started(), 1, []
    for number, is_swapped in enumerate(swaps):
        if is_swapped:
            harness.replace(_Version)
            version += 1
        trade(harness, number)
        expected.append((version, str(number)))
    assert trades() == expected
    assert harness.strategy.state["trades"] == len(swaps)
    assert harness.strategy.number == version


def test_an_answer_to_the_old_instance_reaches_the_new_one() -> None:
    """With the order that it made; timers of the old one end, and it can trade no more."""
    harness = started()
    old = harness.strategy
    old.trader.create_order(exchange=EXCHANGE, symbol=SYMBOL, side="buy", type="limit", amount=1, price=1)
    harness.replace(_Version, {"step": 10})
    assert [type(event) for number, event in SEEN if number == 1][-1] is StopEvent
    assert [each.action for each in harness.strategy.trader.pending] == ["createOrder"]
    harness.accept(harness.requests[0])
    harness.advance(1_000)
    new = [event for number, event in SEEN if number == 11]
    assert [type(event) for event in new[:1]] == [ResponseEvent]
    assert [event.name for event in new if isinstance(event, TimerEvent)] == ["of 11"]
    assert len(harness.strategy.orders.open) == 1
    starts = [event for _, event in SEEN if isinstance(event, StartEvent)]
    assert [event.is_replacement for event in starts] == [False, True]


async def test_events_wait_for_a_hook_of_the_old_instance() -> None:
    """What came while its hook ran goes to the new one, after its start; so does what waited before."""
    _Waits.release = asyncio.Event()
    harness = started(_Waits)
    for number in (0, 1):
        trade(harness, number)
    harness.replace(_Version)
    assert harness.runtime.is_replacing
    with pytest.raises(RuntimeError):
        harness.replace(_Version)
    trade(harness, 2)
    assert trades() == [(1, "0")]
    _Waits.release.set()
    await harness.run_hooks()
    assert trades() == [(1, "0"), (2, "1"), (2, "2")]
    assert not harness.runtime.is_replacing


async def test_a_hook_that_does_not_return_is_cut_off() -> None:
    """Its host cancels it; the new instance starts without waiting for it."""
    _Waits.release = asyncio.Event()
    harness = started(_Waits)
    trade(harness, 0)
    harness.replace(_Version)
    harness.runtime.cut_off()
    trade(harness, 1)
    assert trades()[-1] == (2, "1")
    _Waits.release.set()
    await harness.run_hooks()
    assert trades() == [(1, "0"), (2, "1")]


def test_a_version_that_raises_at_its_start_is_rolled_back() -> None:
    """Code, settings and state come back, and the reason is reported; no event is lost."""
    harness = started(configuration={"step": 5}, tolerate_errors=True)
    harness.replace(_RaisesAtStart, {"step": 7})
    trade(harness, 1)
    (why,) = harness.rolled_back
    assert isinstance(why, StartFailed)
    assert type(harness.strategy) is _Version
    assert harness.strategy.number == 10
    assert trades() == [(10, "1")]
    assert harness.host.given_up is None


@pytest.mark.parametrize("after_ms", [59_000, 61_000])
def test_a_version_is_rolled_back_only_in_its_first_minute(after_ms: int) -> None:
    """After that it is stopped, as any strategy is that raises too often."""
    harness = started(tolerate_errors=True)
    harness.replace(_RaisesAtTrades)
    harness.advance(after_ms)
    for number in range(4):
        trade(harness, number)
    if after_ms < 60_000:
        assert [type(why) for why in harness.rolled_back] == [TooManyErrors]
        assert trades()[2:] == [(2, "2"), (2, "3")]
        assert harness.strategy.state["version"] == 2
        assert harness.saved.state == b'{"version":2,"trades":2}'
    else:
        assert isinstance(harness.host.given_up, TooManyErrors)
        assert harness.host.is_ended


def test_a_version_that_cannot_be_made_changes_nothing() -> None:
    """The error is raised, and the present one goes on, with its own timers and the state as it was."""
    harness = started()
    with pytest.raises(ValueError, match="mine"):
        harness.replace(_Unmakable)
    trade(harness, 1)
    assert trades() == [(1, "1")]
    harness.advance(10)
    assert (99, "timer") not in SEEN
    assert harness.saved.state == b'{"version":1,"trades":1}'
    assert not any(isinstance(event, StopEvent) for _, event in SEEN)


async def test_a_stop_ends_both() -> None:
    """Also while the old one's hook still runs: nothing starts afterwards."""
    _Waits.release = asyncio.Event()
    harness = started(_Waits)
    trade(harness, 0)
    harness.replace(_Version)
    harness.stop()
    _Waits.release.set()
    await harness.run_hooks()
    assert harness.host.is_ended
    assert not any(isinstance(event, StartEvent) and event.is_replacement for _, event in SEEN)
    assert not any(isinstance(request, CreateOrder) for request in harness.requests)
