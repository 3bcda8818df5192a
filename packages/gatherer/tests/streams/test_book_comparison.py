from hypothesis import given
from hypothesis import strategies as st

from millrace_core.book import OrderBook
from millrace_core.market import Level
from millrace_gatherer.streams.book_comparison import BookComparison, Place

CHANGES = st.lists(
    st.tuples(st.booleans(), st.integers(1, 20).map(float), st.integers(0, 3).map(float)), min_size=1, max_size=30
)


def book() -> OrderBook:
    """A book with ten levels a side."""
    book = OrderBook()
    book.replace([(10.0 - n, 1.0) for n in range(10)], [(11.0 + n, 1.0) for n in range(10)], None)
    return book


@given(changes=CHANGES, data=st.data())
def test_an_answer_of_any_moment_is_equal(changes: list[tuple[bool, float, float]], data: st.DataObject) -> None:
    """However the book moves meanwhile: an answer that was right at some time since then differs nowhere."""
    ours = book()
    comparison, answers = BookComparison(ours), [(ours.bids.levels(), ours.asks.levels())]
    for is_bid, price, amount in changes:
        bids: list[Level] = [(price if is_bid else -1.0, amount)] if is_bid and price <= 10 else []
        asks: list[Level] = [(price, amount)] if not is_bid and price > 10 else []
        comparison.changing(bids, asks)
        ours.apply(bids, asks, None)
        answers.append((ours.bids.levels(), ours.asks.levels()))
    assert comparison.differences(*data.draw(st.sampled_from(answers))) == set()


def test_a_level_that_never_was_so_differs() -> None:
    """A removal that was missed shows, and so does an amount that is another."""
    ours = book()
    comparison = BookComparison(ours)
    bids, asks = ours.bids.levels(), ours.asks.levels()
    assert comparison.differences([*bids[:1], *bids[2:]], asks) == {Place("bids", 9.0)}
    assert comparison.differences(bids, [(11.0, 5.0), *asks[1:]]) == {Place("asks", 11.0)}
    assert comparison.differences([(9.5, 1.0), *bids], asks) == {Place("bids", 9.5)}


def test_where_either_ends_nothing_is_compared() -> None:
    """An answer of fewer levels than the book, or of more, is equal as far as both go."""
    ours = book()
    comparison = BookComparison(ours)
    assert comparison.differences(ours.bids.levels(4), ours.asks.levels(4)) == set()
    assert comparison.differences([*ours.bids.levels(), (0.5, 1.0)], [*ours.asks.levels(), (99.0, 1.0)]) == set()
    assert comparison.differences([], []) == set()
