from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.book import OrderBook
from millrace_exchange.ccxt.conversion import levels_of
from millrace_exchange.ccxt.recording.books import RecordedBook, RecordedCountedBook, RecordedIndexedBook

PRICES = st.integers(1, 8).map(float)
AMOUNTS = st.integers(0, 3).map(float)
THIRD = {
    RecordedBook: st.just(()),
    RecordedCountedBook: st.integers(0, 2).map(lambda count: (count,)),
    RecordedIndexedBook: st.sampled_from("abcd").map(lambda order_id: (order_id,)),
}


@pytest.mark.parametrize("kind", THIRD)
@given(data=st.data())
def test_the_changes_taken_add_up_to_ccxts_book(kind: type[RecordedBook], data: Any) -> None:
    """A mirror that applies the changes, in any batches, equals ccxt's book after each batch."""
    book, mirror = kind({}), OrderBook()
    mirror.replace(*book.levels(), None)
    steps = st.lists(st.tuples(st.booleans(), PRICES, AMOUNTS, THIRD[kind]), max_size=6)
    for batch in data.draw(st.lists(steps, max_size=6)):
        for is_bid, price, amount, third in batch:
            book["bids" if is_bid else "asks"].store(price, amount, *third)
        mirror.apply(book["bids"].take_changes(), book["asks"].take_changes(), None)
        assert dict(mirror.bids.levels()) == dict(levels_of(book["bids"]))
        assert dict(mirror.asks.levels()) == dict(levels_of(book["asks"]))


def test_what_falls_out_of_a_fixed_depth_is_a_removal() -> None:
    """When ccxt cuts a side to its depth, the dropped levels are reported as removed."""
    book = RecordedBook({"bids": [[3.0, 1.0], [2.0, 1.0]], "asks": []}, 2)
    book.levels()
    book["bids"].store(4.0, 1.0)
    book["bids"].limit()
    assert book["bids"].take_changes() == [(4.0, 1.0), (2.0, 0.0)]


def test_a_snapshot_replaces_everything() -> None:
    """After a reset there is one whole book, and no single changes."""
    book = RecordedBook({"bids": [[1.0, 1.0]]})
    book.levels()
    book.reset({"bids": [[2.0, 5.0]], "asks": [[3.0, 1.0]], "nonce": 7})
    assert book.replaced
    assert book.levels() == ([(2.0, 5.0)], [(3.0, 1.0)])
    assert not book.replaced
    assert book["bids"].take_changes() == []
