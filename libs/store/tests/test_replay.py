"""A book rebuilt from a whole one and what came after: pure, with generated histories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.book import OrderBook
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot
from millrace_core.messages import encode
from millrace_store import BookUnknown
from millrace_store.queries.replay import Base, Delta, Rebuilt, in_order

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
def test_a_hole_is_always_found(
    changes: list[tuple[list[tuple[float, float]], list[tuple[float, float]]]], data: st.DataObject
) -> None:
    """Whichever message before the last is left out, the book is refused."""
    messages, _ = deltas(changes)
    del messages[data.draw(st.integers(0, len(messages) - 2))]
    with pytest.raises(BookUnknown):
        Rebuilt(START).apply(messages)


def test_what_cannot_be_read_is_refused_with_its_place() -> None:
    """A message or a snapshot that is none makes the book unknown, and says which it was."""
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
