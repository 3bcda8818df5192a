"""What is shown of a book that a snapshot covers in part is the book, as far as it goes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from millrace_core.book import OrderBook
from millrace_exchange.ccxt.recording.book_edges import BookEdges, SnapshotDepth
from millrace_exchange.ccxt.recording.books import RecordedBook
from millrace_exchange.profile import BookRules

CAP = 4
CHANGES = st.lists(st.tuples(st.booleans(), st.integers(1, 12), st.integers(0, 3)), max_size=12)


class Venue:
    """A book of twelve prices a side, and the snapshots of its best levels."""

    def __init__(self) -> None:
        self.sides = {"bids": {float(-n): 1.0 for n in range(1, 9)}, "asks": {float(n): 1.0 for n in range(1, 9)}}
        self.nonce = 10

    def change(self, is_bid: bool, place: int, amount: int) -> tuple[str, float, float]:
        """Set one level."""
        name, price = ("bids", float(-place)) if is_bid else ("asks", float(place))
        self.sides[name][price] = float(amount)
        self.nonce += 1
        return name, price, float(amount)

    def levels(self, name: str) -> list[tuple[float, float]]:
        """All levels, best first."""
        held = [(price, amount) for price, amount in self.sides[name].items() if amount]
        return sorted(held, reverse=name == "bids")

    def snapshot(self) -> dict[str, Any]:
        """The best levels."""
        return {"nonce": self.nonce, **{name: [list(each) for each in self.levels(name)[:CAP]] for name in self.sides}}


@given(batches=st.lists(CHANGES, min_size=1, max_size=5), data=st.data())
def test_what_is_shown_is_the_best_part_of_the_book(batches: list[Any], data: st.DataObject) -> None:
    """After every change, and after every extension by a snapshot that the stream has passed."""
    venue, book, shown = Venue(), RecordedBook({}), OrderBook()
    book.reset(venue.snapshot())
    edges = BookEdges(book, SnapshotDepth(CAP, frozenset({CAP})))
    bids, asks = book.levels()
    shown.replace(edges.bids.known(bids), edges.asks.known(asks), None)
    for batch in batches:
        snapshot, at = None, data.draw(st.integers(0, max(0, len(batch) - 1)))
        for place, change in enumerate(batch):
            name, price, amount = venue.change(*change)
            book[name].storeArray([price, amount])
            book["nonce"] = venue.nonce
            if place == at:
                snapshot = venue.snapshot()
        bids, asks = book["bids"].take_changes(), book["asks"].take_changes()
        shown.apply(edges.bids.known(bids), edges.asks.known(asks), None)
        assert_best(shown, venue)
        if snapshot is not None:
            assert edges.can_use(snapshot)
            shown.apply(*edges.extend(book, snapshot), None)
            book["bids"].take_changes()
            book["asks"].take_changes()
            assert_best(shown, venue)


def assert_best(shown: OrderBook, venue: Venue) -> None:
    """Each side that is shown is the best part of the venue's."""
    for name, side in (("bids", shown.bids), ("asks", shown.asks)):
        levels = side.levels()
        assert levels == venue.levels(name)[: len(levels)]


def test_a_snapshot_that_was_not_cut_off_has_no_edge() -> None:
    """Fewer levels than a full page, or more than one: the side is whole."""
    for levels in (CAP - 1, CAP + 1):
        book = RecordedBook({})
        asks = [[float(n), 1.0] for n in range(1, levels + 1)]
        book.reset({"bids": [], "asks": asks, "nonce": 1})
        edges = BookEdges(book, SnapshotDepth(CAP, frozenset({CAP})))
        assert edges.asks.left(book["asks"]) is None
        assert edges.asks.known([(99.0, 1.0)]) == [(99.0, 1.0)]
        assert not edges.is_near(book)


def test_another_snapshot_is_due_when_half_of_the_levels_are_gone() -> None:
    """Before the edge is passed, and an older snapshot than what is known cannot be used."""
    book = RecordedBook({})
    book.reset({"bids": [], "asks": [[float(n), 1.0] for n in range(1, CAP + 1)], "nonce": 5})
    edges = BookEdges(book, SnapshotDepth(CAP, frozenset({CAP})))
    assert not edges.is_near(book)
    for price, (near, passed) in (
        (1.0, (False, False)),
        (2.0, (True, False)),
        (3.0, (True, False)),
        (4.0, (True, True)),
    ):
        book["asks"].storeArray([price, 0.0])
        assert (edges.is_near(book), edges.is_passed(book)) == (near, passed)
    assert [edges.can_use({"nonce": nonce}) for nonce in (None, 4, 5)] == [False, False, True]


def test_a_small_book_is_known_further_than_it_was_asked_for() -> None:
    """Of five levels any jump of the price would leave nothing: a hundred are asked for at once."""
    rules = BookRules(snapshot_levels=1_000)
    assert SnapshotDepth.of(rules, None) == (1_000, {1_000})
    assert SnapshotDepth.of(rules, 5) == (100, {5, 100, 1_000})
    assert SnapshotDepth.of(rules, 500) == (500, {500, 1_000})
    assert SnapshotDepth.of(BookRules(snapshot_levels=50, stream_levels=50), None) is None
    assert SnapshotDepth.of(BookRules(), 5) is None
