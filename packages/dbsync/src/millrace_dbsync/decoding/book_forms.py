"""Proving that messages are changes of an order book without making anything of their numbers, of which they are full.

What is left of a JSON text without its digits, points and signs is its form: which fields it has, where there are
lists, and what stands in them. A number leaves nothing. So of each form, of which there are few, one text is read in
full, and the others are known to be like it.
"""

from collections.abc import Sequence
from itertools import compress
from operator import sub
from typing import Final

import msgspec

from millrace_core.market import Level

_DIGITS: Final = b"0123456789.-"
_EMPTY: Final = b"[]"
_NAMES: Final = (b'"bids"', b'"asks"', b'"nonce"', b'"checksum"')
_PLAIN: Final = frozenset(b"{}[],:null")
"""What a form may consist of beside names: no spaces, which an empty list may have as one with a number, and no
exponents, with which a number of few digits may be beyond what a float can hold."""
_LONGEST: Final = 300
"""Digits of a number that is surely not beyond it."""
_MOST_FORMS: Final = 20_000


class _Book(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What the data must be: as `millrace_core.market.BookDelta`."""

    bids: list[Level]
    asks: list[Level]
    nonce: int | None = None
    checksum: int | None = None


_read: Final = msgspec.json.Decoder(_Book).decode


class BookForms:
    """The forms that were found to be a book's."""

    def __init__(self) -> None:
        self._empty: dict[bytes, int] = {}
        """By form, how many empty lists a text of it has: a list of one number, which is no level, leaves the same."""

    def are_books(self, texts: Sequence[bytes]) -> bool:
        """Tell whether each text, known to be JSON in ASCII, is a change of a book and nothing else, in one line.

        Not looked at is whether `nonce` and `checksum` are whole numbers.
        """
        forms = b"\n".join(texts).translate(None, _DIGITS).split(b"\n")
        if len(forms) != len(texts):
            return False
        try:
            self._prove(texts, forms)
        except msgspec.MsgspecError:
            return False
        return True

    def _prove(self, texts: Sequence[bytes], forms: Sequence[bytes]) -> None:
        if _has_long_number(texts, forms):
            for text in texts:
                _read(text)
        elif not self._knows(texts, forms):
            for text, form in zip(texts, forms, strict=True):
                if self._empty.get(form) != text.count(_EMPTY):
                    self._learn(text, form)

    def _knows(self, texts: Sequence[bytes], forms: Sequence[bytes]) -> bool:
        """Tell whether all are known, and have as many empty lists as texts of their forms: none can have more."""
        try:
            empty = list(map(self._empty.__getitem__, forms))
        except KeyError:
            return False
        return b"\n".join(compress(texts, empty)).count(_EMPTY) == sum(empty)

    def _learn(self, text: bytes, form: bytes) -> None:
        _read(text)
        rest = form
        for name in _NAMES:
            rest = rest.replace(name, b"")
        if not _PLAIN.issuperset(rest):
            return
        if len(self._empty) > _MOST_FORMS:
            self._empty.clear()
        self._empty[form] = form.count(_EMPTY)


def _has_long_number(texts: Sequence[bytes], forms: Sequence[bytes]) -> bool:
    """Tell whether a number may be beyond what a float can hold."""
    if max(map(len, texts)) < _LONGEST:
        return False
    digits = list(map(sub, map(len, texts), map(len, forms)))
    return max(digits) >= _LONGEST and any(map(_has_long_run, compress(texts, map(_LONGEST.__le__, digits))))


def _has_long_run(text: bytes) -> bool:
    # So many digits fill one of these pieces whole, wherever they begin.
    piece = _LONGEST // 2
    return any(text[at : at + piece].isdigit() for at in range(0, len(text), piece))
