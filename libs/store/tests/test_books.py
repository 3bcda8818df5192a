"""Order books of the past, on both databases."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.book import OrderBook
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot
from millrace_core.messages import Status, encode
from millrace_core.names import StreamName
from millrace_store import BookUnknown, Store
from millrace_store.queries.books import Base, Delta, Rebuilt, in_order
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


async def test_statuses_leave_no_gap(store: Store, book_history: History) -> None:
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
    """Between a gap and the next snapshot there is no book; elsewhere there is."""
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
    """A moment before anything was stored, and an unknown stream, have no book."""
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
    with pytest.raises(BookUnknown, match="first snapshot of epoch"):
        await store.market.book(history.name, at_ms=2**50)
    assert same(await store.market.book(history.name, at_ms=history.states[-1][0].at_ms), history.states[-1])


async def test_a_book_is_asked_for_in_one_way(store: Store, name: Callable[..., StreamName]) -> None:
    """Asking for a moment and a message at once, or for nothing, is a mistake."""
    for question in ({}, {"at_ms": 1, "nonce": 1}):
        with pytest.raises(ValueError, match="exactly one"):
            await store.market.book(name("watchOrderBook"), **question)  # type: ignore[arg-type]


_level = st.tuples(st.integers(1, 50).map(float), st.sampled_from([0.0, 1.5, 2.0]))
_asks = st.lists(_level.map(lambda level: (level[0] + 100, level[1])), max_size=4)
_changes = st.lists(st.tuples(st.lists(_level, max_size=4), _asks), min_size=1, max_size=30)
START = Base(MessageId(7, 0), 0, 0, True, encode(BookSnapshot([], [], "7-0", OrderBook().checksum(), 0)).decode())


def deltas(changes: list[tuple[list[tuple[float, float]], list[tuple[float, float]]]]) -> tuple[list[Delta], OrderBook]:
    book, made = OrderBook(), []
    for seq, (bids, asks) in enumerate(changes, start=1):
        book.apply(bids, asks, seq)
        data = encode(BookDelta(bids, asks, seq, book.checksum() if seq % 3 == 0 else None)).decode()
        made.append(Delta(MessageId(7, seq), seq, seq, data))
    return made, book


@given(_changes, st.integers(0, 30))
def test_a_book_is_the_same_from_any_base_on_the_way(
    changes: list[tuple[list[tuple[float, float]], list[tuple[float, float]]]], cut: int
) -> None:
    """Rebuilt at once or over a checkpoint at any place, the book is the one that was."""
    messages, book = deltas(changes)
    half = Rebuilt(START)
    half.apply(messages[:cut])
    whole = Rebuilt(half.as_base())
    whole.apply(messages[cut:])
    assert (whole.state.book.bids.levels(), whole.state.book.asks.levels()) == (book.bids.levels(), book.asks.levels())
    assert (whole.nonce, whole.last) == (len(messages), messages[-1].id)


@given(_changes.filter(lambda changes: len(changes) > 2), st.data())
def test_a_gap_is_always_found(
    changes: list[tuple[list[tuple[float, float]], list[tuple[float, float]]]], data: st.DataObject
) -> None:
    """Whichever message before the last is left out, the book is refused."""
    messages, _ = deltas(changes)
    del messages[data.draw(st.integers(0, len(messages) - 2))]
    with pytest.raises(BookUnknown):
        Rebuilt(START).apply(messages)


def test_what_cannot_be_read_is_refused_with_its_place() -> None:
    """A malformed message or snapshot makes the book unknown, and the reason names it."""
    with pytest.raises(BookUnknown, match="7-1"):
        Rebuilt(START).apply([Delta(MessageId(7, 1), 1, None, '{"bids":1}')])
    with pytest.raises(BookUnknown, match="7-0"):
        Rebuilt(START._replace(data="{}"))
    crossed = encode(BookDelta([(9.0, 1.0)], [(8.0, 1.0)])).decode()
    book = Rebuilt(START)
    book.apply([Delta(MessageId(7, 1), 1, None, crossed)])
    with pytest.raises(BookUnknown, match="crossed"):
        book.proved()


def test_messages_are_put_in_order() -> None:
    """Those of another epoch or not after the base are left out."""
    given_ = [Delta(MessageId(epoch, seq), 0, None, "") for epoch, seq in ((7, 3), (7, 1), (8, 1), (7, 2))]
    assert [delta.id for delta in in_order(given_, MessageId(7, 1))] == [(7, 2), (7, 3)]
