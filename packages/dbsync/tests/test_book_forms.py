"""Proving books by their forms finds the same as reading each in full: pure."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.market import BookDelta
from millrace_dbsync.decoding.book_forms import BookForms

READ = msgspec.json.Decoder(BookDelta).decode

numbers = st.one_of(
    st.integers(-(10**3), 10**3),
    st.integers(-(10**400), 10**400),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.1, 10.0, 7]),
)
levels = st.lists(st.tuples(numbers, numbers), max_size=3)
things = st.one_of(numbers, st.none(), st.text("1a", max_size=2), st.lists(numbers, max_size=3), st.just({}))
sides = st.one_of(levels, levels, levels, st.lists(st.one_of(things, st.lists(things, max_size=3)), max_size=3))
books = st.fixed_dictionaries({"bids": sides, "asks": sides}, optional={"nonce": st.one_of(st.integers(), st.none())})


def is_book(text: str) -> bool:
    try:
        READ(text)
    except msgspec.MsgspecError:
        return False
    return True


@given(st.lists(books, min_size=1, max_size=8), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_a_text_is_proved_if_and_only_if_it_can_be_read(found: list[dict[str, Any]], separators: Any) -> None:
    """Whatever forms are known from those before."""
    forms = BookForms()
    for book in found:
        text = json.dumps(book, separators=separators)
        assert forms.are_books([text.encode()]) == is_book(text)


@given(st.lists(books, min_size=1, max_size=8))
def test_many_are_proved_together_if_each_is(found: list[dict[str, Any]]) -> None:
    """A malformed message is found among others of known forms."""
    forms, texts = BookForms(), [json.dumps(book, separators=(",", ":")) for book in found]
    for text in filter(is_book, texts):
        assert forms.are_books([text.encode()])
    assert forms.are_books([text.encode() for text in texts]) == all(map(is_book, texts))


@pytest.mark.parametrize(
    ("known", "other"),
    [
        ('{"bids":[],"asks":[]}', '{"bids":[7],"asks":[]}'),
        ('{"bids":[],"asks":[[1.5,2.5]]}', '{"bids":[7],"asks":[[1.5,2.5]]}'),
        ('{"bids":[ ],"asks":[]}', '{"bids":[ 7],"asks":[]}'),
        ('{"bids":[[1.5,2.5]],"asks":[]}', f'{{"bids":[[1.5,{"9" * 400}.5]],"asks":[]}}'),
        ('{"bids":[[1e9,2.5]],"asks":[]}', '{"bids":[[1e999,2.5]],"asks":[]}'),
        ('{"bids":[[1.5,2.5]],"asks":[]}', '{"bids":[[1.5,2.5]],"asks":[],"note":1}'),
    ],
)
def test_what_leaves_the_same_without_its_digits_is_distinguished(known: str, other: str) -> None:
    """A list of one number is no empty list, and a number may be too large."""
    forms = BookForms()
    for text, is_one in ((known, True), (other, False), (known, True)):
        assert forms.are_books([text.encode()]) == is_one


def test_a_text_of_several_lines_is_left_to_others() -> None:
    """Though it may be a book."""
    assert not BookForms().are_books([b'{"bids":[],\n"asks":[]}'])
