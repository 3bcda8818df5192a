from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from millrace_core.market import Trade
from millrace_gatherer.streams.trade_sequence import TradeSequence


def trades(ids: Iterable[int]) -> list[Trade]:
    """Trades of these ids, each at the time of its id."""
    return [Trade(id=str(n), timestamp=n, symbol="A/B", side="buy", price=1.0, amount=1.0) for n in ids]


def ids(found: Iterable[Trade]) -> list[int]:
    """The ids of trades."""
    return [int(trade.id or 0) for trade in found]


BATCHES = st.lists(st.lists(st.integers(1, 40), max_size=8), max_size=12)


@given(batches=BATCHES, consecutive=st.booleans())
def test_no_trade_is_given_twice(batches: list[list[int]], consecutive: bool) -> None:
    """However often and in whatever order trades are told, each is new once."""
    sequence = TradeSequence(consecutive=consecutive)
    published: list[int] = []
    for batch in batches:
        if fresh := sequence.unseen(trades(batch)):
            sequence.add(fresh)
            published += ids(fresh)
    assert len(published) == len(set(published))
    if consecutive:
        assert published == sorted(published)
    else:
        assert set(published) == {n for batch in batches for n in batch}


def test_a_hole_shows_in_consecutive_ids() -> None:
    """The number of missing trades is known where ids are consecutive, else none is."""
    numbered, other = TradeSequence(consecutive=True), TradeSequence(consecutive=False)
    for sequence in (numbered, other):
        assert sequence.missing_before(trades([7])) == 0
        sequence.add(trades([7]))
    assert numbered.missing_before(trades([8])) == 0
    assert numbered.missing_before(trades([11, 12])) == 3
    assert other.missing_before(trades([11, 12])) == 0


def test_only_the_newest_thousand_are_held() -> None:
    """A snapshot is bounded."""
    sequence = TradeSequence(consecutive=True)
    sequence.add(trades(range(1, 1501)))
    assert ids(sequence.newest) == list(range(501, 1501))
