"""What a writer does when it meets its stream again."""

import pytest

from millrace_bus.writing.resume_policy import Fenced, Intruded, NewEpoch, Resend, decide
from millrace_core.ids import MessageId as Id


@pytest.mark.parametrize(
    ("first_kept", "newest", "newest_snapshot", "decision"),
    [
        (8, Id(5, 10), Id(5, 2), Resend(10)),
        (8, Id(5, 7), Id(5, 2), Resend(7)),
        (1, None, None, Resend(0)),
        (1, Id(4, 99), None, Resend(0)),
        (8, Id(5, 6), Id(5, 2), NewEpoch(5, 6)),
        (8, None, None, NewEpoch(5, 0)),
        (None, Id(5, 6), None, NewEpoch(5, 6)),
        (8, Id(6, 1), Id(5, 2), Fenced(6)),
        (8, Id(5, 10), Id(6, 1), Fenced(6)),
        (8, None, Id(7, 1), Fenced(7)),
        (8, Id(5, 11), Id(5, 2), Intruded(5)),
        (8, Id(5, 10), Id(5, 4), Intruded(5)),
    ],
)
def test_decisions(first_kept: int | None, newest: Id | None, newest_snapshot: Id | None, decision: object) -> None:
    """A larger epoch fences; a gap that is still kept is filled; any other needs a new epoch.

    So does an entry behind ours in our own epoch. The writer is at 5-10, and wrote three snapshots.
    """
    assert decide(Id(5, 10), 3, first_kept, newest, newest_snapshot) == decision
