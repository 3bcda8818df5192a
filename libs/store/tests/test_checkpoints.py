"""Whole books of our own where snapshots are sparse."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from millrace_store import Store
from millrace_store.schema import tables
from millrace_store.writing import maintenance

History = Callable[..., Any]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 100 messages, so that a test needs few."""
    monkeypatch.setattr(maintenance, "CHECKPOINT_EVERY", 100)


async def kept(store: Store) -> list[int]:
    async with store._database.reading() as reader:
        return sorted(seq for (seq,) in await reader.fetch(sa.select(tables.book_checkpoints.c.seq)))


async def test_sparse_snapshots_are_filled_up(store: Store, book_history: History) -> None:
    """With one snapshot in 1,000 messages there is a checkpoint each 100, and no book takes more deltas."""
    history = book_history(store)
    await history.play(650, snapshots_every=1_000)
    assert await maintenance.extend_checkpoints(store._database) == 6
    assert await kept(store) == [100, 200, 300, 400, 500, 600]
    for state in history.states[::37]:
        book = await store.market.book(history.name, at_ms=state[0].at_ms)
        assert (book.bids, book.asks) == state[2:]
        assert book.deltas <= 100
        assert (await store.market.book(history.name, nonce=state[1])).message_id == str(state[0].id)


async def test_dense_snapshots_need_none(store: Store, book_history: History) -> None:
    """Where the gatherer's snapshots are near enough, nothing is written."""
    history = book_history(store)
    await history.play(450, snapshots_every=90)
    assert await maintenance.extend_checkpoints(store._database) == 0


async def test_it_goes_on_where_it_stopped(store: Store, book_history: History) -> None:
    """A second call adds what came since the first, and a third nothing."""
    history = book_history(store)
    for _ in range(2):
        await history.play(250, snapshots_every=1_000)
        await maintenance.extend_checkpoints(store._database)
    assert await kept(store) == [100, 200, 300, 400, 500]
    assert await maintenance.extend_checkpoints(store._database) == 0


async def test_a_gap_is_left_and_the_next_snapshot_taken(store: Store, book_history: History) -> None:
    """No checkpoint is made of an unknown book; after the gap they begin again."""
    history = book_history(store)
    await history.play(900, snapshots_every=500, leave_out=(250,))
    await maintenance.extend_checkpoints(store._database)
    assert await kept(store) == [100, 200, 600, 700, 800, 900]
