from hypothesis import given
from hypothesis import strategies as st

from millrace_bus import Extent
from millrace_core.ids import BEGINNING, MessageId
from millrace_dbsync.reading.lag import USUAL_RETENTION, is_numbered_below, lag_of


def extent(oldest: MessageId, newest: MessageId, length: int, added: int) -> Extent:
    return Extent(oldest, newest, length, added)


@given(trimmed=st.integers(1, 1_000), length=st.integers(1, 1_000), data=st.data())
def test_within_an_epoch_the_lag_is_exact(trimmed: int, length: int, data: st.DataObject) -> None:
    """As many are behind as the journal holds beyond what is stored; at all that it keeps, the share is 1."""
    newest = trimmed + length
    stored = data.draw(st.integers(0, newest))
    lag = lag_of(MessageId(5, stored), extent(MessageId(5, trimmed + 1), MessageId(5, newest), length, newest))
    assert lag.behind == min(length, newest - stored)
    assert lag.share == lag.behind / length


@given(old=st.integers(1, 100), new=st.integers(1, 100), data=st.data())
def test_over_two_epochs_the_lag_is_exact_while_the_old_one_is_there(old: int, new: int, data: st.DataObject) -> None:
    """What is behind is the rest of the old epoch and all of the new one."""
    stored = data.draw(st.integers(1, old))
    there = extent(MessageId(5, 1), MessageId(6, new), old + new, old + new)
    assert lag_of(MessageId(5, stored), there).behind == old - stored + new


def test_a_journal_that_was_never_trimmed_is_far_from_losing_anything() -> None:
    """Its length says nothing of its limit, so the usual limit is taken."""
    lag = lag_of(BEGINNING, extent(MessageId(5, 1), MessageId(5, 3), 3, 3))
    assert lag == (3, 3 / USUAL_RETENTION)
    assert lag_of(BEGINNING, extent(MessageId(5, 1), MessageId(5, 50_000), 50_000, 50_000)).share == 0.5


def test_nothing_is_behind_an_empty_journal() -> None:
    """Where there is nothing, or nothing new, the lag is 0; also where Redis is behind what is stored."""
    assert lag_of(MessageId(5, 3), Extent(None, MessageId(5, 3), 0, 3)).behind == 0
    assert lag_of(MessageId(5, 9), extent(MessageId(5, 1), MessageId(5, 3), 3, 3)).behind == 0


def test_a_lag_in_requests_is_estimated_by_time() -> None:
    """Half of the journal's time behind is about half of its entries."""
    there = extent(MessageId(1_000, 0), MessageId(2_000, 0), 100, 200)
    assert lag_of(MessageId(1_500, 0), there, by_time=True).behind == 50


def test_a_journal_that_grows_below_what_is_stored_is_noticed() -> None:
    """Only growth in a smaller epoch counts: a writer that sends again does so in its own."""
    stored = MessageId(5, 9)
    assert is_numbered_below(stored, MessageId(4, 2), MessageId(4, 1))
    assert not is_numbered_below(stored, MessageId(4, 1), MessageId(4, 1))
    assert not is_numbered_below(stored, MessageId(4, 1), None)
    assert not is_numbered_below(stored, MessageId(5, 3), MessageId(5, 2))
