"""Proves that messages are changes of an order book without decoding their numbers.

The form of a JSON text is what is left of it without digits, points and signs: its fields, its lists, and what is in
them. There are few forms, so one text of each is decoded in full, and others of that form are known to be like it.
"""

from collections.abc import Sequence
from itertools import compress
from operator import sub
from typing import Final

import msgspec

from millrace_core.json_problems import UNREADABLE
from millrace_core.market import Level

_DIGITS: Final = b"0123456789.-"
_EMPTY: Final = b"[]"
_NAMES: Final = (b'"bids"', b'"asks"', b'"nonce"', b'"checksum"')
_PLAIN: Final = frozenset(b"{}[],:null")
"""Characters that a form may have besides names. No spaces: an empty list and a list of one number could look the same.
No exponents: a number of few digits could be too large for a float."""
_LONGEST: Final = 300
"""Numbers of fewer digits than this fit in a float."""
_MOST_FORMS: Final = 20_000


class _Book(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The expected data: as `millrace_core.market.BookDelta`."""

    bids: list[Level]
    asks: list[Level]
    nonce: int | None = None
    checksum: int | None = None


_read: Final = msgspec.json.Decoder(_Book).decode


class BookForms:
    """The forms that are known to be order-book changes."""

    def __init__(self) -> None:
        self._empty: dict[bytes, int] = {}
        """By form, the number of empty lists in its texts: a list of one number, no level, has the same form."""

    def are_books(self, texts: Sequence[bytes]) -> bool:
        """Tell whether each text, known to be JSON in ASCII, is a change of a book in one line.

        Whether `nonce` and `checksum` are whole numbers is not checked.
        """
        forms = b"\n".join(texts).translate(None, _DIGITS).split(b"\n")
        if len(forms) != len(texts):
            return False
        try:
            self._prove(texts, forms)
        except UNREADABLE:
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
        """Tell whether all forms are known, and the texts have all the empty lists that their forms can have."""
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
    """Tell whether a number may be too large for a float."""
    if max(map(len, texts)) < _LONGEST:
        return False
    digits = list(map(sub, map(len, texts), map(len, forms)))
    return max(digits) >= _LONGEST and any(map(_has_long_run, compress(texts, map(_LONGEST.__le__, digits))))


def _has_long_run(text: bytes) -> bool:
    # A run of so many digits fills one of these pieces wherever it begins.
    piece = _LONGEST // 2
    return any(text[at : at + piece].isdigit() for at in range(0, len(text), piece))
