"""Order books of the past, on both databases."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from millrace_core.ids import MessageId
from millrace_core.messages import Status
from millrace_core.names import StreamName
from millrace_store import BookUnknown, Store
from millrace_store.queries.records import BookRecord

History = Callable[..., Any]


def same(book: BookRecord, state: tuple[Any, ...]) -> bool:
    """Tell whether a book is a state of its history, level by level."""
    place, nonce, bids, asks = state
    return (book.message_id, book.nonce, book.bids, book.asks) == (str(place.id), nonce, bids, asks)


async def test_every_past_book_is_given_as_it_was(store: Store, book_history: History) -> None:
    """By moment, by message and by the exchange's number, the book is the one that was."""
    history = book_history(store)
    await history.play(700)
    for state in Random(1).sample(history.states, 40):
        place, nonce, *_ = state
        assert same(await store.market.book(history.name, at_ms=place.at_ms), state)
        assert same(await store.market.book(history.name, at_ms=place.at_ms + 9), state)
        assert same(await store.market.book(history.name, message_id=place.id), state)
        assert same(await store.market.book(history.name, nonce=nonce), state)
        assert same(await store.market.book(history.name, nonce=nonce + 2), state)


async def test_a_book_says_how_deep_and_how_sure_it_is(store: Store, book_history: History) -> None:
    """`depth` cuts both sides, and a book from a proven snapshot is checked."""
    history = book_history(store)
    await history.play(60)
    book = await store.market.book(history.name, at_ms=history.states[-1][0].at_ms, depth=3)
    assert (len(book.bids), len(book.asks), book.checked, book.deltas) == (3, 3, True, 60)


async def test_statuses_leave_no_hole(store: Store, book_history: History) -> None:
    """A status takes a number and changes nothing: the book goes on over it."""
    history = book_history(store)
    await history.play(5)
    place = history._deltas.next()
    async with store.batch() as batch:
        batch.status(place, Status("stale", "reconnecting"))
    await history.play(5)
    assert same(await store.market.book(history.name, at_ms=2**50), history.states[-1])
    assert (await store.market.book(history.name, message_id=place.id)).bids == history.states[4][2]


async def test_a_lost_message_is_never_passed_over(store: Store, book_history: History) -> None:
    """Between a hole and the next snapshot there is no book, and outside of it there is."""
    history = book_history(store)
    await history.play(250, leave_out=(120,))
    assert same(
        await store.market.book(history.name, message_id=MessageId(history._deltas.epoch, 119)), history.states[118]
    )
    assert same(
        await store.market.book(history.name, message_id=MessageId(history._deltas.epoch, 205)), history.states[204]
    )
    for number in (121, 199):
        with pytest.raises(BookUnknown, match="not stored"):
            await store.market.book(history.name, message_id=MessageId(history._deltas.epoch, number))


async def test_a_wrong_message_is_found_by_the_checksum(store: Store, book_history: History) -> None:
    """A level that never was makes the book unknown from the next checksum on."""
    history = book_history(store)
    await history.play(2)
    async with store.batch() as batch:
        batch.book_delta(history._deltas.next(), b'{"bids":[[99.99,123.0]],"asks":[],"nonce":9}', 9)
    await history.play(20)
    with pytest.raises(BookUnknown, match="checksum"):
        await store.market.book(history.name, message_id=MessageId(history._deltas.epoch, 14))


async def test_before_the_first_snapshot_there_is_no_book(store: Store, book_history: History) -> None:
    """A moment before anything was stored, and a stream that nobody wrote, have no book."""
    history = book_history(store)
    await history.play(3)
    with pytest.raises(BookUnknown):
        await store.market.book(history.name, at_ms=history._deltas.epoch - 1)
    with pytest.raises(BookUnknown):
        await store.market.book(history.name._replace(symbol="BTC/USDT"), at_ms=2**50)


async def test_a_message_beyond_the_last_is_refused(store: Store, book_history: History) -> None:
    """A book is never given for a message that has not come."""
    history = book_history(store)
    await history.play(3)
    with pytest.raises(BookUnknown, match="is not stored"):
        await store.market.book(history.name, message_id=MessageId(history._deltas.epoch, 4))


async def test_an_epoch_without_its_snapshot_is_refused(store: Store, book_history: History) -> None:
    """When a new writer's first snapshot was never stored, the old writer's book is not given in its place."""
    history = book_history(store)
    await history.play(5)
    later = book_history(store, epoch=history._deltas.epoch + 60_000)
    later._deltas.seq = 1
    await later.play(3, snapshots_every=1_000)
    with pytest.raises(BookUnknown, match="snapshot with which epoch"):
        await store.market.book(history.name, at_ms=2**50)
    assert same(await store.market.book(history.name, at_ms=history.states[-1][0].at_ms), history.states[-1])


async def test_a_book_is_asked_for_in_one_way(store: Store, name: Callable[..., StreamName]) -> None:
    """Asking for a moment and a message at once, or for nothing, is a mistake."""
    for question in ({}, {"at_ms": 1, "nonce": 1}):
        with pytest.raises(ValueError, match="exactly one"):
            await store.market.book(name("watchOrderBook"), **question)  # type: ignore[arg-type]
