import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.errors import InvalidName
from millrace_core.ids import MessageId, is_request_id, new_request_id

NUMBERS = st.integers(0, 2**53)


@given(NUMBERS, NUMBERS)
def test_an_id_is_read_back(epoch: int, seq: int) -> None:
    """Text and id stand for each other."""
    assert MessageId.parse(str(MessageId(epoch, seq))) == MessageId(epoch, seq)


def test_only_the_next_of_the_same_epoch_follows() -> None:
    """A gap, a repetition and another epoch do not follow."""
    last = MessageId(5, 7)
    assert MessageId(5, 8).follows(last)
    assert not any(MessageId(*other).follows(last) for other in [(5, 7), (5, 9), (6, 8), (6, 1)])


def test_a_newer_epoch_is_greater_whatever_its_number() -> None:
    """Ids order as the journal orders them."""
    assert MessageId(6, 1) > MessageId(5, 1_000_000)


@pytest.mark.parametrize("text", ["", "5", "5-", "-7", "5-x", "5-7-8", "9" * 5_000 + "-1"])
def test_other_texts_are_refused(text: str) -> None:
    """Only `{epoch}-{seq}` is an id."""
    with pytest.raises(InvalidName):
        MessageId.parse(text)


def test_request_ids_are_32_hex_digits_and_differ() -> None:
    """New ids have the accepted form, and no two are equal."""
    made = {new_request_id() for _ in range(100)}
    assert len(made) == 100
    assert all(is_request_id(text) for text in made)
    assert not is_request_id("A" * 32)
