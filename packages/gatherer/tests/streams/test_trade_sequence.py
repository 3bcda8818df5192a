from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest
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
    """Each trade is new once, however often and in whatever order trades are reported."""
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


def test_a_gap_shows_in_consecutive_ids() -> None:
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


@given(batches=BATCHES, consecutive=st.booleans())
def test_a_sequence_that_resumes_returns_no_trade_again(batches: list[list[int]], consecutive: bool) -> None:
    """Trades published by another writer count as published here."""
    published = [trade for batch in batches for trade in trades(batch)]
    sequence, numbers = TradeSequence(consecutive=consecutive), sorted(set(ids(published)))
    sequence.restart(trades(numbers), earlier=published)
    assert ids(sequence.newest) == numbers
    assert sequence.unseen(published) == []
    assert ids(sequence.unseen(trades([*numbers, 41]))) == [41]


def test_a_run_ends_before_a_gap() -> None:
    """Only trades without a gap between them are a run; without numbers nothing proves a gap."""
    assert ids(TradeSequence(consecutive=True).run(trades([4, 5, 7, 8]))) == [4, 5]
    assert TradeSequence(consecutive=True).run([]) == []
    assert ids(TradeSequence(consecutive=False).run(trades([4, 5, 7, 8]))) == [4, 5, 7, 8]


def test_an_answer_that_reaches_not_back_is_suspicious() -> None:
    """Where nothing that was published is among the newest trades, some may have been missed."""
    other, numbered = TradeSequence(consecutive=False), TradeSequence(consecutive=True)
    assert not other.may_miss_before(trades([9]))
    for sequence in (other, numbered):
        sequence.add(trades([3, 4]))
    assert other.may_miss_before(trades([6, 7]))
    assert not other.may_miss_before(trades([4, 5]))
    assert not other.may_miss_before([])
    assert not numbered.may_miss_before(trades([6, 7]))


def test_both_halves_of_a_self_trade_are_new() -> None:
    """An exchange reports a trade with oneself as two records of one trade id, a buy and a sell of two orders."""
    buy, sell = (msgspec.structs.replace(trades([7])[0], side=side, order=side) for side in ("buy", "sell"))
    sequence = TradeSequence(consecutive=False, per_order=True)
    assert sequence.unseen([buy, sell]) == [buy, sell]
    sequence.add([buy])
    assert sequence.unseen([buy, sell]) == [sell]
    sequence.restart([sell], earlier=[buy])
    assert sequence.unseen([buy, sell]) == []


def test_a_known_number_at_a_later_time_shows_that_numbers_begin_anew() -> None:
    """A trade that is reported twice shows nothing, and neither does a higher number."""
    for sequence in (TradeSequence(consecutive=True), TradeSequence(consecutive=False)):
        known = trades([11, 12])
        assert not sequence.begins_anew(known)
        sequence.add(known)
        later = [msgspec.structs.replace(trade, timestamp=60_000) for trade in trades([12, 13])]
        assert not sequence.begins_anew(known)
        assert not sequence.begins_anew(later[1:])
        assert sequence.begins_anew(later)


def test_trades_of_one_millisecond_are_in_the_order_of_their_numbers() -> None:
    """Whatever order an answer lists them in, as texts or anyhow; ids that are no numbers stay as they came."""
    sequence = TradeSequence(consecutive=False)
    same_time = [msgspec.structs.replace(trade, timestamp=5) for trade in trades([10, 9, 100])]
    assert ids(sequence.unseen(same_time)) == [9, 10, 100]
    named = [msgspec.structs.replace(trade, id=name) for trade, name in zip(same_time, "bca", strict=True)]
    assert [trade.id for trade in sequence.unseen(named)] == ["b", "c", "a"]


@given(made=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2)), max_size=12), data=st.data())
@pytest.mark.parametrize("polled", [True, False])
def test_trades_without_ids_are_published_once_each(
    made: list[tuple[int, int]], data: st.DataObject, *, polled: bool
) -> None:
    """However often answers hold them again: those that are alike in everything are as many as the exchange has."""
    all_made = [
        Trade(id=None, timestamp=at, symbol="A/B", side="buy", price=1.0, amount=float(amount))
        for at, amount in sorted(made)
    ]
    sequence, published, shown = TradeSequence(consecutive=False), list[Trade](), 0

    def publish(fresh: list[Trade]) -> None:
        sequence.add(fresh)
        published.extend(fresh)

    while shown < len(all_made):
        until = data.draw(st.integers(shown + 1, len(all_made)))
        newest = all_made[shown:until]
        if polled:
            publish(sequence.unseen(all_made[:until]))
        elif data.draw(st.booleans()):
            # An answer holds all that was streamed beside it, or nothing of that.
            publish(sequence.unseen(all_made[: data.draw(st.sampled_from([shown, until]))], streamed=newest))
        else:
            publish(sequence.unseen(streamed=newest))
        shown = until
        if data.draw(st.booleans()):
            sequence.restart(published, earlier=published[:2])
    assert sequence.unseen(all_made) == []
    assert Counter(published) == Counter(all_made)


def test_what_was_forgotten_is_not_published_again() -> None:
    """Of a trade older than all that are remembered nobody knows whether it was published."""
    sequence = TradeSequence(consecutive=False)
    sequence.restart(trades(range(500, 1_500)), ())
    assert ids(sequence.unseen(trades([400, 1_600]))) == [1_600]


def test_a_trade_of_a_wrong_time_hides_none() -> None:
    """One from the far future, among those that are known, does not make all others old."""
    sequence = TradeSequence(consecutive=False)
    wrong = [msgspec.structs.replace(trade, timestamp=10**15) for trade in trades([500])]
    sequence.restart([*wrong, *trades(range(501, 1_500))], ())
    assert ids(sequence.unseen(trades([1_600]))) == [1_600]


def test_a_gap_between_trades_that_come_together_shows() -> None:
    """Neither before them nor between them may one be missing."""
    sequence = TradeSequence(consecutive=True)
    assert sequence.follows(trades([7, 8]))
    assert not sequence.follows(trades([7, 9]))
    sequence.add(trades([7]))
    assert sequence.follows(trades([8, 9]))
    assert not sequence.follows(trades([9, 10]))
    assert not sequence.follows(trades([8, 10]))
    assert TradeSequence(consecutive=False).follows(trades([7, 9]))
