"""Runs of ids say the same as the ids themselves: pure."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_core.ids import MessageId
from millrace_core.message_ids import MessageIds
from millrace_store.writing.written import NOWHERE, Run, Written

IDS = st.builds(MessageId, st.integers(1, 3), st.integers(1, 12))


def ids_of(written: Written) -> list[MessageId]:
    return [MessageId(run.epoch, seq) for run in written.runs for seq in range(run.first, run.last + 1)]


def test_a_stream_reaches_as_far_as_its_last_message_or_position() -> None:
    """Whichever is further counts; without either a stream stays where it is."""
    assert Written("x").reaches == NOWHERE
    assert Written("x", [Run(1, 5, 5)], MessageId(1, 3)).reaches == (1, 5)
    assert Written("x", [Run(1, 5, 5)], MessageId(1, 9)).reaches == (1, 9)


def test_messages_that_follow_one_another_are_one_run() -> None:
    """Runs are the same for any split; a gap or a new epoch begins another."""
    written = Written("x")
    for ids in ([MessageId(1, 1)], [MessageId(1, 2), MessageId(1, 3)], [MessageId(1, 5)], [MessageId(2, 6)]):
        assert written.add(MessageIds.of(ids)) is None
    assert written.runs == [Run(1, 1, 3), Run(1, 5, 5), Run(2, 6, 6)]


@given(st.lists(st.lists(IDS, min_size=1), max_size=4))
def test_each_message_counts_once_and_only_upwards(pages: list[list[MessageId]]) -> None:
    """What is added is what is above all before it, in whatever pages it comes."""
    written, kept, last = Written("x"), [], NOWHERE
    for page in pages:
        new = written.add(MessageIds.of(page)) or [True] * len(page)
        for one, is_new in zip(page, new, strict=True):
            assert is_new == (one > last)
            if is_new:
                kept.append(one)
                last = one
    assert ids_of(written) == kept
    assert written.messages == len(kept)
    assert written.last == last


@given(st.sets(IDS), IDS | st.just(NOWHERE))
def test_what_is_above_a_position_is_counted_epoch_by_epoch(ids: set[MessageId], position: MessageId) -> None:
    """First, last and number of each epoch are those of the ids above the position."""
    written = Written("x")
    if ids:
        written.add(MessageIds.of(sorted(ids)))
    above = [one for one in sorted(ids) if one > position]
    assert written.is_above(position) == (len(above) == len(ids))
    assert list(written.above(position)) == [
        (epoch, seqs[0], seqs[-1], len(seqs))
        for epoch in sorted({one.epoch for one in above})
        if (seqs := [one.seq for one in above if one.epoch == epoch])
    ]
