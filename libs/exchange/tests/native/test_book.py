"""The join of a snapshot with the updates that follow it."""

from random import Random
from typing import NamedTuple

import pytest
from libs.exchange.tests.contracts import RecordingListener

from millrace_core.book import OrderBook
from millrace_core.market import Level
from millrace_exchange.ccxt.recording.book_edges import SnapshotDepth
from millrace_exchange.native.book import NumberedBook, Snapshot


class Change(NamedTuple):
    """An update of a book."""

    first: int
    last: int
    bids: list[Level]
    asks: list[Level]
    time: int = 1


def bid(number: int, amount: float = 1.0, last: int | None = None) -> Change:
    """Return an update that sets a bid of the price 10."""
    return Change(number, last or number, [(10.0, amount)], [])


SNAPSHOT = Snapshot(100, [(9.0, 1.0)], [(11.0, 1.0)])


@pytest.fixture
def listener() -> RecordingListener:
    """Keeps what it receives."""
    return RecordingListener()


@pytest.fixture
def book(listener: RecordingListener) -> NumberedBook:
    """A book that awaits its snapshot."""
    return NumberedBook(listener, None)


def test_updates_before_the_snapshot_are_joined_with_it(book: NumberedBook, listener: RecordingListener) -> None:
    """Those that it holds already are dropped, one that reaches beyond it counts."""
    for update in (bid(98, 7.0), bid(99, 2.0, last=101), bid(102, 3.0)):
        book.take(update, 1)
    assert book.begin(SNAPSHOT)
    assert (listener.resets, listener.book.nonce) == (1, 102)
    assert listener.book.bids.levels() == [(10.0, 3.0), (9.0, 1.0)]


def test_a_snapshot_older_than_the_updates_is_refused(book: NumberedBook, listener: RecordingListener) -> None:
    """What lies between would be missing."""
    book.take(bid(102), 1)
    assert not book.begin(SNAPSHOT)
    assert listener.resets == 0
    assert book.begin(SNAPSHOT._replace(number=101))


def test_an_update_that_was_passed_on_is_not_passed_on_again(book: NumberedBook, listener: RecordingListener) -> None:
    """Duplicates and late updates change nothing."""
    book.begin(SNAPSHOT)
    for update in (bid(101, 5.0), bid(101, 5.0), bid(100, 9.0)):
        book.take(update, 1)
    assert (len(listener.events), listener.book.bids.levels()[0]) == (2, (10.0, 5.0))


def test_a_gap_is_reported_at_once_and_nothing_follows_before_the_next_snapshot(
    book: NumberedBook, listener: RecordingListener
) -> None:
    """The update after the gap is part of the next book."""
    book.begin(SNAPSHOT)
    book.take(bid(102, 4.0), 1)
    book.take(bid(103, 5.0), 1)
    assert listener.breaks == ["expected update 101 of the exchange, received 102"]
    assert book.wants_snapshot.is_set()
    assert len(listener.events) == 1
    assert book.begin(SNAPSHOT._replace(number=101))
    assert listener.book.bids.levels()[0] == (10.0, 5.0)


def test_a_book_that_the_exchange_numbers_anew_begins_again(book: NumberedBook, listener: RecordingListener) -> None:
    """All that follows would be taken for what came late, and the book would stand still."""
    book.begin(SNAPSHOT)
    book.take(bid(101, 5.0)._replace(time=20), 1)
    book.take(bid(2, 6.0)._replace(time=19), 1)
    book.take(bid(2, 6.0)._replace(time=20), 1)
    assert listener.breaks == []
    book.take(bid(3, 7.0)._replace(time=21), 1)
    assert listener.breaks == ["the exchange numbers its book anew: after update 101 came 3"]
    assert book.begin(SNAPSHOT._replace(number=2))
    assert (listener.book.nonce, listener.book.bids.levels()[0]) == (3, (10.0, 7.0))


def test_a_second_gap_before_the_snapshot_makes_older_ones_too_old(
    book: NumberedBook, listener: RecordingListener
) -> None:
    """A snapshot from between two gaps cannot be continued."""
    book.begin(SNAPSHOT)
    book.take(bid(102), 1)
    book.take(bid(110), 1)
    assert not book.begin(SNAPSHOT._replace(number=105))
    assert book.begin(SNAPSHOT._replace(number=109))


def covered(listener: RecordingListener, levels: int) -> NumberedBook:
    """Return a book whose snapshots are cut off after so many levels."""
    return NumberedBook(listener, SnapshotDepth(levels, frozenset({levels})))


def test_levels_beyond_a_partial_snapshot_are_left_out(listener: RecordingListener) -> None:
    """Of what lies there the exchange told nothing but this change."""
    book = covered(listener, 2)
    book.begin(Snapshot(100, [(9.0, 1.0), (8.0, 1.0)], [(11.0, 1.0), (12.0, 1.0)]))
    book.take(Change(101, 101, [(7.0, 1.0), (8.5, 1.0)], [(13.0, 1.0), (11.5, 1.0)]), 1)
    assert [price for price, _ in listener.book.bids.levels()] == [9.0, 8.5, 8.0]
    assert [price for price, _ in listener.book.asks.levels()] == [11.0, 11.5, 12.0]


def test_a_side_that_runs_low_is_renewed_while_the_book_goes_on(listener: RecordingListener) -> None:
    """A new snapshot is wanted before the last known level goes, and joined with what comes meanwhile."""
    book = covered(listener, 4)
    book.begin(Snapshot(100, [(9.0, 1.0)], [(11.0 + n, 1.0) for n in range(4)]))
    book.take(Change(101, 101, [], [(11.0, 0.0), (12.0, 0.0)]), 1)
    assert book.wants_snapshot.is_set()
    book.take(Change(102, 102, [(9.5, 1.0)], []), 1)
    assert listener.breaks == []
    assert not book.begin(Snapshot(100, [], []))
    assert book.begin(Snapshot(101, [(9.0, 1.0)], [(13.0 + n, 1.0) for n in range(4)]))
    assert listener.book.bids.levels() == [(9.5, 1.0), (9.0, 1.0)]
    assert len(listener.book.asks.levels()) == 4


def test_a_snapshot_whose_levels_have_gone_is_no_book(listener: RecordingListener) -> None:
    """What the updates that came meanwhile left of it is nothing."""
    book = covered(listener, 2)
    book.take(Change(101, 101, [], [(11.0, 0.0), (12.0, 0.0)]), 1)
    assert not book.begin(Snapshot(100, [(9.0, 1.0)], [(11.0, 1.0), (12.0, 1.0)]))
    assert (listener.resets, book.wants_snapshot.is_set()) == (0, True)
    assert book.begin(Snapshot(101, [(9.0, 1.0)], [(13.0, 1.0), (14.0, 1.0)]))


def test_a_side_without_a_known_level_is_no_book(listener: RecordingListener) -> None:
    """The exchange may have levels beyond the snapshot: an empty side is never shown for them."""
    book = covered(listener, 2)
    book.begin(Snapshot(100, [(9.0, 1.0)], [(11.0, 1.0), (12.0, 1.0)]))
    book.take(Change(101, 101, [], [(11.0, 0.0), (12.0, 0.0)]), 1)
    assert len(listener.breaks) == 1
    assert len(listener.book.asks.levels()) == 2


def test_a_whole_side_may_run_empty(book: NumberedBook, listener: RecordingListener) -> None:
    """A snapshot of fewer levels than were asked for has them all."""
    book.begin(SNAPSHOT)
    book.take(Change(101, 101, [], [(11.0, 0.0)]), 1)
    assert (listener.breaks, listener.book.asks.levels()) == ([], [])


@pytest.mark.parametrize("seed", range(20))
def test_no_book_is_wrong_whatever_happens_to_the_updates(seed: int) -> None:
    """Of updates that are lost, doubled and swapped, and snapshots of any age, no wrong book comes."""
    random, listener = Random(seed), RecordingListener()
    book, truth = NumberedBook(listener, None), OrderBook()
    past: dict[int, tuple[list[Level], list[Level]]] = {0: ([], [])}
    compared = 0
    sent: list[Change] = []
    for number in range(1, 600):
        change = Change(number, number, [(float(random.randint(1, 9)), float(random.randint(0, 2)))], [])
        truth.apply(change.bids, change.asks, number)
        past[number] = (truth.bids.levels(), truth.asks.levels())
        sent += [change] * random.choices((1, 0, 2), (90, 5, 5))[0]
        if random.random() < 0.9:
            random.shuffle(sent) if random.random() < 0.1 else None
            for each in sent:
                book.take(each, 1)
                if not book.wants_snapshot.is_set():
                    assert past[listener.book.nonce or 0] == (listener.book.bids.levels(), [])
                    compared += 1
            sent.clear()
        if book.wants_snapshot.is_set() and random.random() < 0.5:
            age = max(0, number - random.randint(0, 8))
            book.begin(Snapshot(age, *past[age]))
    assert compared > 200
    assert listener.resets > 5
