"""How far a stream is behind: the growth of the delay, whatever the clocks say."""

import pytest

from millrace_gatherer.streams.lag import Lag


class Feed:
    """A stream with ten messages a second; our clock is ahead of the exchange's by `offset_s`."""

    def __init__(self, offset_s: float) -> None:
        self.now_s = 1_000.0
        self.lag = Lag(self.now_s + offset_s)
        self._offset_s = offset_s

    def run(self, for_s: float, delay_s: float, step_s: float = 0.0) -> None:
        """Receive messages for a while, each so long after its event; the exchange's clock is ahead by `step_s`."""
        for _ in range(round(for_s * 10)):
            self.now_s += 0.1
            self.lag.observe(round((self.now_s + step_s) * 1000), self.now_s + delay_s + self._offset_s)


@pytest.mark.parametrize("offset_s", [-3_600.0, -0.5, 0.0, 12.0])
def test_a_growing_delay_is_a_lag_whatever_the_clocks_say(offset_s: float) -> None:
    """A constant difference counts for nothing; once the delay is small again the stream is not behind."""
    feed = Feed(offset_s)
    feed.run(30, delay_s=0.05)
    assert not feed.lag.is_behind
    feed.run(5, delay_s=2.5)
    assert feed.lag.is_behind
    assert feed.lag.lag_s == pytest.approx(2.45, abs=0.01)
    feed.run(5, delay_s=1.5)
    assert feed.lag.is_behind
    feed.run(5, delay_s=0.1)
    assert not feed.lag.is_behind


def test_a_backlog_that_lasts_does_not_become_usual() -> None:
    """After an hour it is a lag as on its first day."""
    feed = Feed(0.0)
    feed.run(30, delay_s=0.05)
    feed.run(3_600, delay_s=5.0)
    assert feed.lag.is_behind


@pytest.mark.parametrize("steps_s", [(-3.0, -3.0), (10.0, 0.0), (3_600.0, 0.0), (-3_600.0, 0.0)])
def test_a_clock_that_jumps_is_no_lag(steps_s: tuple[float, float]) -> None:
    """The exchange may set its clock back, or ahead and right again; what is late is late by any clock."""
    feed = Feed(0.0)
    feed.run(30, delay_s=0.05)
    for step_s in steps_s:
        feed.run(5, delay_s=0.05, step_s=step_s)
        assert not feed.lag.is_behind
    feed.run(5, delay_s=2.5, step_s=steps_s[-1])
    assert feed.lag.is_behind
    feed.run(5, delay_s=2.5, step_s=steps_s[-1] - 60.0)
    assert feed.lag.is_behind


def test_clocks_that_drift_apart_are_no_lag() -> None:
    """A second a day, over days."""
    feed = Feed(0.0)
    for hour in range(24 * 5):
        feed.run(60, delay_s=0.05 + hour / 24)
        feed.now_s += 3_540
    assert not feed.lag.is_behind


def test_single_late_messages_and_wrong_times_are_no_lag() -> None:
    """An exchange may report a trade late, or with a time of long ago or of the future."""
    feed = Feed(0.0)
    feed.run(30, delay_s=0.05)
    for wrong_ms in (1, 10**15) * 10:
        feed.run(1, delay_s=0.05)
        feed.run(0.3, delay_s=4.0)
        feed.lag.observe(wrong_ms, feed.now_s)
        assert not feed.lag.is_behind
    feed.run(3, delay_s=4.0)
    assert feed.lag.is_behind


def test_a_time_that_stands_still_says_nothing() -> None:
    """An exchange may send the time of the last trade with everything."""
    lag = Lag(0.0)
    for second in range(1_000):
        lag.observe(1, float(second))
    assert not lag.is_behind
