from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.errors import InvalidName
from millrace_core.ids import MessageId
from millrace_core.message_ids import MessageIds

IDS = st.lists(st.builds(MessageId, st.sampled_from([1, 12, 112, 1763800000000]), st.integers(0, 2**64)))


@given(IDS)
def test_ids_are_read_together_as_each_by_itself(ids: list[MessageId]) -> None:
    """Whatever epochs they are of, also those whose digits end another's."""
    assert list(MessageIds.parse([str(one).encode() for one in ids])) == ids
    assert list(MessageIds.of(ids)) == ids


@given(IDS, st.integers(0, 5), st.integers(0, 5))
def test_a_part_holds_the_ids_of_that_part(ids: list[MessageId], start: int, end: int) -> None:
    """It is sliced as a list is."""
    assert list(MessageIds.of(ids)[start:end]) == ids[start:end]


@given(IDS)
def test_holes_are_seen(ids: list[MessageId]) -> None:
    """As a look at each pair of neighbours sees them."""
    assert MessageIds.of(ids).is_run == all(second.follows(first) for first, second in pairwise(ids))


@pytest.mark.parametrize("texts", [[b"x"], [b"5"], [b"1-2", b"1-x"], [b"1-2", b"1-"], [b"-5"], [b"1-2", b"3"]])
def test_what_is_no_id_is_refused(texts: list[bytes]) -> None:
    """Wherever it stands."""
    with pytest.raises(InvalidName):
        MessageIds.parse(texts)
