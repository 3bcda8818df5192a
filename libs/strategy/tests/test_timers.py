import pytest

from millrace_strategy import Strategy
from millrace_strategy.events import TimerEvent
from millrace_strategy.testing import StrategyHarness
from millrace_strategy.timers import Timers
from millrace_strategy.virtual_host import VirtualHost


class _Ticking(Strategy):
    """Notes when its timers fire."""

    def __init__(self, context) -> None:  # type: ignore[no-untyped-def]
        super().__init__(context)
        self.fired: list[tuple[str, int]] = []

    def on_timer(self, event: TimerEvent) -> None:
        self.fired.append((event.name, event.due_ms - self.started))

    def on_start(self, event: object) -> None:
        self.started = self.clock.now_ms()


def started() -> StrategyHarness:
    harness = StrategyHarness(_Ticking)
    harness.start()
    return harness


def test_a_timer_fires_once_and_one_that_repeats_keeps_its_rhythm() -> None:
    """Each fires at its time, in order; the event says when it was due."""
    harness = started()
    harness.strategy.every(100, name="beat")
    harness.strategy.after(250, name="once")
    harness.advance(1_000)
    assert harness.strategy.fired[:4] == [("beat", 100), ("beat", 200), ("once", 250), ("beat", 300)]
    assert len(harness.strategy.fired) == 11


def test_a_timer_calls_its_callback_after_the_hooks() -> None:
    """The callback sees what the hook did."""
    harness = started()
    seen: list[int] = []
    harness.strategy.after(10, lambda: seen.append(len(harness.strategy.fired)))
    harness.advance(10)
    assert seen == [1]


def test_a_cancelled_timer_does_not_fire() -> None:
    """Neither hook nor callback is called, also when it repeats and cancels itself."""
    harness = started()
    harness.strategy.after(10).cancel()
    beat = harness.strategy.every(10, lambda: beat.cancel())
    harness.advance(100)
    assert harness.strategy.fired == [("timer-2", 10)]


def test_a_timer_needs_time() -> None:
    """A timer that repeats without a pause is refused at once."""
    harness = started()
    with pytest.raises(ValueError, match="more than 0 ms"):
        harness.strategy.every(0)


def test_no_timer_fires_after_the_end() -> None:
    """Stopping cancels all timers."""
    harness = started()
    harness.strategy.every(10)
    harness.stop()
    harness.advance(100)
    assert harness.strategy.fired == []
    assert harness.host.is_ended


async def test_beats_do_not_pile_up_behind_a_slow_hook() -> None:
    """While the event of one beat waits, further beats of the same timer are skipped."""
    harness = started()
    harness.strategy.after(5, lambda: harness.strategy.clock.sleep(100), name="slow")
    harness.strategy.every(10, name="beat")
    harness.advance(6)
    await harness.run_hooks()
    harness.advance(94)
    assert [name for name, _ in harness.strategy.fired] == ["slow"]
    harness.advance(10)
    await harness.run_hooks()
    assert [name for name, _ in harness.strategy.fired].count("beat") <= 2


async def test_no_wait_is_of_a_time_that_is_no_number() -> None:
    """Live, the loop keeps its calls by their times: one that compares with none puts those of others out of order."""
    strategy = started().strategy
    order = strategy.trader.create_order(exchange="a", symbol="A/B", side="buy", type="limit", amount=1, price=1)
    for ms in (float("nan"), float("inf")):
        for wait in (strategy.after, strategy.every):
            with pytest.raises(ValueError, match="finite"):
                wait(ms)
        for awaited in (strategy.clock.sleep(ms), order.final(within_ms=ms)):
            with pytest.raises(ValueError, match="finite"):
                await awaited


def test_timers_that_were_cancelled_are_not_kept() -> None:
    """However many a strategy sets and cancels beside those that wait."""
    strategy = started().strategy
    for _ in range(1_000):
        strategy.after(1_000)
    for _ in range(20_000):
        strategy.after(1_000).cancel()
    assert len(strategy._timers._timers) < 5_000
    strategy.after(2_000, name="last")
    strategy._timers.stop()
    assert not strategy._timers._timers


@pytest.mark.parametrize("set_by_ms", [-3_600_000, 3_600_000])
def test_a_timer_beats_on_when_the_clock_is_set(set_by_ms: int) -> None:
    """Forwards or back: neither an hour without a beat, nor all beats of an hour at once."""
    host, set_ms, fired = VirtualHost(), 0, []
    timers = Timers(
        now_ns=lambda: host.now_ns() + set_ms * 1_000_000,
        call_later=host.call_later,
        fire=lambda timer, due_ms: fired.append((timer.name, due_ms)) or setattr(timer, "is_waiting", False),
    )
    timers.every(1_000, None, "beat")
    host.advance(2_500)
    set_ms = set_by_ms
    fired.clear()
    host.advance(5_000)
    assert 5 <= len(fired) <= 6
    assert fired[-1][1] == pytest.approx(host.now_ns() // 1_000_000 + set_ms, abs=1_000)
