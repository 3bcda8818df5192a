from hypothesis import given
from hypothesis import strategies as st

from millrace_core.continuity import Before, Gap, end_unknown, follows, gaps_before, gaps_within
from millrace_core.ids import BEGINNING, MessageId

NAME = "stream.Ann.binance.watchTrades.BTC/USDT"
WHOLE = Before(last=None, was_trimmed=False)


def missing(gaps: list[Gap]) -> set[MessageId]:
    return {MessageId(gap.epoch, seq) for gap in gaps for seq in range(gap.first_seq, gap.last_seq + 1)}


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4), data=st.data())
def test_the_gaps_within_a_page_are_exactly_what_is_missing(lengths: list[int], data: st.DataObject) -> None:
    """Every message removed from a journal is in a gap, and no other message; only the end of an epoch is unknown."""
    written = [MessageId(epoch, seq) for epoch, length in enumerate(lengths, 1) for seq in range(1, length + 1)]
    kept = sorted(data.draw(st.sets(st.sampled_from(written), min_size=1)))
    last = {epoch: max(entry.seq for entry in kept if entry.epoch == epoch) for epoch in {e.epoch for e in kept}}
    provable = {
        entry
        for entry in written
        if entry > kept[0] and entry not in kept and entry.epoch in last and entry.seq < last[entry.epoch]
    }
    assert missing(gaps_within(NAME, kept)) == provable


@given(cut=st.lists(st.integers(1, 40), unique=True, max_size=6).map(sorted), length=st.integers(1, 40))
def test_reading_in_pages_finds_the_same_gaps(cut: list[int], length: int) -> None:
    """Where a page happens to end makes no difference."""
    kept = [MessageId(7, seq) for seq in range(1, length + 1) if seq not in cut]
    if not kept:
        return
    pages = [kept[:2], kept[2:5], kept[5:]]
    found: list[Gap] = []
    position = BEGINNING
    for page in filter(None, pages):
        if not follows(position, page[0]):
            found += gaps_before(NAME, position, page[0], WHOLE)
        found += gaps_within(NAME, page)
        position = page[-1]
    assert missing(found) == {MessageId(7, seq) for seq in cut if seq < kept[-1].seq}


def test_a_stream_that_is_met_at_its_first_message_lost_nothing() -> None:
    """The first message of a stream never read before follows the beginning."""
    assert follows(BEGINNING, MessageId(5, 1))
    assert not follows(BEGINNING, MessageId(5, 2))


def test_what_was_gone_before_the_first_reading_is_counted() -> None:
    """A stream met in its midst lacks exactly what its epoch had before."""
    (gap,) = gaps_before(NAME, BEGINNING, MessageId(5, 11), Before(None, was_trimmed=True))
    assert (gap.epoch, gap.first_seq, gap.last_seq, gap.missing) == (5, 1, 10, 10)


def test_a_new_epoch_behind_what_was_read_is_no_loss() -> None:
    """While the last read message is still there, a new epoch follows it without a gap."""
    assert gaps_before(NAME, MessageId(5, 20), MessageId(6, 1), Before(MessageId(5, 20), was_trimmed=True)) == []


def test_the_end_of_an_epoch_that_is_gone_is_not_made_up() -> None:
    """Trimmed beyond the end of an epoch: its end is unknown and counts nothing; the new one's beginning is exact."""
    unknown, known = gaps_before(NAME, MessageId(5, 20), MessageId(6, 4), Before(None, was_trimmed=True))
    assert (unknown.epoch, unknown.first_seq, unknown.missing) == (5, 21, 0)
    assert "not known" in unknown.reason
    assert (known.epoch, known.first_seq, known.last_seq) == (6, 1, 3)


def test_a_redis_that_came_back_older_leaves_a_doubt() -> None:
    """After Redis lost messages and their writer restarted, it is unknown whether unread messages were lost."""
    (unknown,) = gaps_before(NAME, MessageId(5, 20), MessageId(6, 1), Before(MessageId(5, 12), was_trimmed=True))
    assert unknown.missing == 0
    assert "older data" in unknown.reason


def test_messages_missing_within_an_epoch_say_why() -> None:
    """The entry before the gap tells trimmed messages from deleted ones."""
    (trimmed,) = gaps_before(NAME, MessageId(5, 20), MessageId(5, 24), Before(None, was_trimmed=True))
    (deleted,) = gaps_before(NAME, MessageId(5, 20), MessageId(5, 24), Before(MessageId(5, 20), was_trimmed=True))
    assert trimmed.missing == deleted.missing == 3
    assert "trimmed" in trimmed.reason
    assert "trimmed" not in deleted.reason


def test_a_journal_of_requests_is_whole_while_what_was_read_last_is_there() -> None:
    """Requests have Redis's ids, which are not consecutive: only the entry before a page shows a loss."""
    assert end_unknown("Ann.traderActions", BEGINNING, Before(None, was_trimmed=True)) == []
    assert end_unknown("Ann.traderActions", MessageId(5, 0), Before(MessageId(5, 0), was_trimmed=True)) == []
    (doubt,) = end_unknown("Ann.traderActions", MessageId(5, 0), Before(None, was_trimmed=True))
    assert doubt.missing == 0
