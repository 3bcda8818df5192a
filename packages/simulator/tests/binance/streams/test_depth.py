"""What is gathered between two flushes of a depth stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millrace_matching import Side
from millrace_simulator.binance.streams.depth import DepthBatch
from millrace_simulator.venue import BookChange

Level = tuple[Side, int, int]

levels = st.tuples(st.sampled_from(Side), st.integers(1, 20), st.integers(0, 5))
actions = st.lists(st.lists(levels, min_size=1, max_size=4), min_size=1, max_size=30)


def _changes(actions: list[list[Level]]) -> list[BookChange]:
    changes, last = [], 100
    for action in actions:
        changes.append(BookChange("BTCUSDT", last + 1, last + len(action), tuple(action), 0))
        last += len(action)
    return changes


def _apply(book: dict[tuple[Side, int], int], side: Side, price: int, total: int) -> None:
    book[side, price] = total
    if not total:
        del book[side, price]


@given(actions, st.sets(st.integers(0, 30)))
def test_updates_join_and_rebuild_the_book_wherever_the_flushes_fall(
    actions: list[list[Level]], flushes: set[int]
) -> None:
    """Each update begins where the last one ended, and all of them together make the book of all changes."""
    batch, rebuilt, truth, next_id = DepthBatch("BTCUSDT"), {}, {}, 101
    changes = _changes(actions)
    for number, change in enumerate(changes):
        batch.add(change)
        for level in change.changes:
            _apply(truth, *level)
        if number not in flushes and change is not changes[-1]:
            continue
        update = batch.take()
        assert update is not None
        assert (update.first_update_id, update.last_update_id) == (next_id, change.last_update_id)
        next_id = update.last_update_id + 1
        for side, side_levels in ((Side.BUY, update.bids), (Side.SELL, update.asks)):
            for price, total in side_levels:
                _apply(rebuilt, side, price, total)
    assert rebuilt == truth


def test_nothing_is_reported_when_nothing_changed() -> None:
    """A second flush returns nothing, nor does one after the changes were discarded."""
    batch = DepthBatch("BTCUSDT")
    (change,) = _changes([[(Side.BUY, 1, 1)]])
    batch.add(change)
    assert batch.take() is not None
    assert batch.take() is None
    batch.add(change)
    batch.forget()
    assert batch.take() is None


def test_levels_come_best_first() -> None:
    """Bids fall and asks rise."""
    batch = DepthBatch("BTCUSDT")
    (change,) = _changes([[(side, price, 1) for side in Side for price in (2, 3, 1)]])
    batch.add(change)
    update = batch.take()
    assert update is not None
    assert [price for price, _ in update.bids] == [3, 2, 1]
    assert [price for price, _ in update.asks] == [1, 2, 3]
