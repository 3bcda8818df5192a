from hypothesis import given
from hypothesis import strategies as st

from millrace_core.book import OrderBook
from millrace_core.market import BookDelta, Level
from millrace_gatherer.streams.order_book import BookMirror

LEVELS = st.lists(st.tuples(st.integers(1, 6).map(float), st.integers(0, 2).map(float)), max_size=5)
STEPS = st.lists(st.tuples(st.booleans(), LEVELS, LEVELS), max_size=12)


def whole(levels: list[Level]) -> list[Level]:
    """Levels as a snapshot has them: each price once, with an amount."""
    return [(price, amount) for price, amount in dict(levels).items() if amount]


@given(steps=STEPS)
def test_what_was_published_adds_up_to_the_mirror_and_is_never_crossed(
    steps: list[tuple[bool, list[Level], list[Level]]],
) -> None:
    """A reader that applies every delta holds the mirror's book, its checksums match, and no book is crossed."""
    mirror, reader = BookMirror(checksum_every=2), OrderBook()
    for number, (is_whole, bids, asks) in enumerate(steps):
        before = mirror.snapshot("0-0")
        delta = mirror.become(whole(bids), whole(asks), number) if is_whole else mirror.change(bids, asks, number)
        if delta is None:
            assert mirror.snapshot("0-0") == before
            continue
        reader.apply(delta.bids, delta.asks, delta.nonce)
        assert not reader.is_crossed
        assert (reader.bids.levels(), reader.asks.levels()) == (mirror.book.bids.levels(), mirror.book.asks.levels())
        assert delta.checksum in (None, reader.checksum())


@given(bids=LEVELS, asks=LEVELS)
def test_only_a_crossed_book_is_refused(bids: list[Level], asks: list[Level]) -> None:
    """A change or whole book is published unless it is crossed."""
    wanted = OrderBook()
    wanted.replace(whole(bids), whole(asks), None)
    assert (BookMirror(9).become(whole(bids), whole(asks), 1) is None) == wanted.is_crossed
    assert (BookMirror(9).change(whole(bids), whole(asks), 1) is None) == wanted.is_crossed


def test_after_an_outage_only_the_difference_is_published() -> None:
    """Levels that stayed the same are not sent again, those that are gone are removed."""
    mirror = BookMirror(checksum_every=9)
    mirror.become([(3.0, 1.0), (2.0, 1.0)], [(5.0, 1.0)], 1)
    assert mirror.become([(3.0, 1.0), (1.0, 4.0)], [(5.0, 2.0)], 7) == BookDelta(
        bids=[(2.0, 0.0), (1.0, 4.0)], asks=[(5.0, 2.0)], nonce=7
    )
