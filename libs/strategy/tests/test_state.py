"""What a strategy keeps over restarts, and plots."""

from decimal import Decimal

import pytest

from millrace_strategy import BookEvent, SavedRecordBroken, SavedStrategy, StateTooLarge, Strategy
from millrace_strategy.testing import StrategyHarness

BOOK = ("binance", "KCS/USDT")


class _Counter(Strategy):
    """Counts its books over all runs."""

    at_start = 0

    def on_start(self, event: object) -> None:
        self.at_start = self.state.get("books", 0)

    def on_order_book(self, event: BookEvent) -> None:
        self.state["books"] = self.state.get("books", 0) + 1
        self.plot("mid", event.book.mid or 0.0)
        if event.book.mid == 3.0:
            raise ValueError("mine")


def started(saved: SavedStrategy | None = None) -> StrategyHarness:
    harness = StrategyHarness(_Counter, books=[BOOK], saved=saved, tolerate_errors=True)
    harness.start()
    return harness


def feed(harness: StrategyHarness, mid: float) -> None:
    harness.feed_book(*BOOK, bids=[(mid - 1, 1.0)], asks=[(mid + 1, 1.0)])


def test_state_is_kept_after_each_event_and_restored_before_the_start() -> None:
    """Also after an event whose hook raised; what is not JSON, or no object, is refused."""
    first = started()
    for mid in (2.0, 3.0):
        feed(first, mid)
    second = started(first.saved)
    assert second.strategy.at_start == 2
    feed(second, 2.0)
    assert started(second.saved).strategy.at_start == 3
    with pytest.raises(SavedRecordBroken):
        started(SavedStrategy(state=b"[]"))


def test_state_is_bounded_and_holds_copies() -> None:
    """What would make it too large changes nothing; a value that is read and changed stays as it was assigned."""
    state = started().strategy.state
    state["levels"] = [1, 2]
    state["levels"].append(3)
    assert state["levels"] == [1, 2]
    with pytest.raises(StateTooLarge):
        state["levels"] = ["x" * 1_000] * 66
    assert dict(state) == {"levels": [1, 2]}
    with pytest.raises(TypeError):
        state["levels"] = object()
    del state["levels"]
    assert len(state) == 0


def test_state_that_did_not_change_is_not_kept_again() -> None:
    """Assigning what is there already costs no write."""
    harness = started()
    harness.strategy.state["a"] = 1
    assert harness.strategy.state.changed() == b'{"a":1}'
    harness.strategy.state["a"] = 1
    assert harness.strategy.state.changed() is None


def test_plots_have_the_time_of_the_clock() -> None:
    """Each value stands at the moment at which it was plotted."""
    harness = started()
    feed(harness, 2.0)
    harness.advance(500)
    feed(harness, 4.0)
    (first, second) = harness.plots["mid"]
    assert (first[1], second[1], second[0] - first[0]) == (2.0, 4.0, 500)


@pytest.mark.parametrize(
    "value", [float("nan"), [1.0, float("inf")], {"a": Decimal("NaN")}, {"x"}, [frozenset({1})]], ids=repr
)
def test_what_would_come_back_as_something_else_is_refused(value: object) -> None:
    """JSON has no NaN, which would be null, and no sets, whose order would be another in each process."""
    state = started().strategy.state
    with pytest.raises(TypeError, match="JSON cannot say"):
        state["value"] = value
    assert dict(state) == {}
