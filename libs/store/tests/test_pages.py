"""Cursors: pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_store import BadCursor
from millrace_store.queries.pages import decode_cursor, encode_cursor

_keys = st.lists(
    st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    max_size=5,
).map(tuple)


@given(_keys)
def test_a_cursor_holds_its_key(key: tuple[int | str, ...]) -> None:
    """Whatever the key, the cursor is a text for an address and holds it."""
    cursor = encode_cursor(key)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&? ")
    assert decode_cursor(cursor, tuple(type(value) for value in key)) == key


@given(st.text())
def test_any_other_text_is_refused_by_one_error(text: str) -> None:
    """Nothing that a client makes up is more than a bad cursor."""
    with pytest.raises(BadCursor):
        decode_cursor(text, (int, str, int))


@pytest.mark.parametrize("key", [(2**63,), (-(2**63) - 1,), ("\x00",), (1, 2), ()])
def test_a_key_that_no_database_can_compare_is_refused(key: tuple[int | str, ...]) -> None:
    """Numbers beyond 64 bits, NUL, and keys of another length never reach a query."""
    with pytest.raises(BadCursor):
        decode_cursor(encode_cursor(key), (type(key[0]) if key else int,))
