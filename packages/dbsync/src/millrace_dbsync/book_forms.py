"""Proving that messages are changes of an order book without making anything of their numbers, of which they are full.

What is left of a JSON text without its digits is its form: which fields it has, where there are lists, and what stands
in them. A number leaves nothing, or a point and a sign. So of each form, of which there are few, one text is read in
full, and the others are known to be like it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from millrace_core.market import Level

_DIGITS: Final = b"0123456789"
_EMPTY: Final = b"[]"
_NAMES: Final = (b'"bids"', b'"asks"', b'"nonce"', b'"checksum"')
_PLAIN: Final = frozenset(b"{}[],:.-null")
"""What a form may consist of beside names: no spaces, which an empty list may have as one with a number, and no
exponents, with which a number of few digits may be beyond what a float can hold."""
_LONGEST: Final = 300
"""Digits of a number that is surely not beyond it."""
_MOST_FORMS: Final = 20_000


class _Book(msgspec.Struct, gc=False):
    """What the data must be: as `millrace_core.market.BookDelta`."""

    bids: list[Level]
    asks: list[Level]
    nonce: int | None = None
    checksum: int | None = None


prove_book = msgspec.json.Decoder(_Book).decode
"""Read a text in full; raises MsgspecError where it is no change of a book."""


class BookForms:
    """The forms that were found to be a book's."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._with_empty: dict[bytes, int] = {}
        """Those in which lists are empty, and how many: a list of one number, which is no level, leaves the same."""

    def data_of(self, bodies: Sequence[bytes]) -> list[str]:
        """Give the text of the data of each message, proved to be a change of a book.

        The messages must be JSON in ASCII, of which is known that they, their traces and their data have no unknown
        fields. As the bus writes them data stands last and holds no object: it begins with the last brace that is
        opened. (What begins there in another message is no book: a trace, or more than the data.)

        Raises:
            MsgspecError: one is no change of a book, or not written so.
        """
        texts = [body[body.rfind(b"{") : -1] for body in bodies]
        forms = b"\n".join(texts).translate(None, _DIGITS).split(b"\n")
        if len(forms) != len(texts) or _has_long_number(texts):
            for text in texts:
                prove_book(text)
        elif not self._known.issuperset(forms):
            for text, form in zip(texts, forms, strict=True):
                if form not in self._known:
                    self._learn(text, form)
        return [text.decode() for text in texts]

    def _learn(self, text: bytes, form: bytes) -> None:
        empty = self._with_empty.get(form)
        if empty is not None and text.count(_EMPTY) == empty:
            return
        prove_book(text)
        rest = form
        for name in _NAMES:
            rest = rest.replace(name, b"")
        if not _PLAIN.issuperset(rest):
            return
        if len(self._known) + len(self._with_empty) > _MOST_FORMS:
            self._known.clear()
            self._with_empty.clear()
        if empty := form.count(_EMPTY):
            self._with_empty[form] = empty
        else:
            self._known.add(form)


def _has_long_number(texts: Sequence[bytes]) -> bool:
    """Tell whether a number may be beyond what a float can hold."""
    if max(map(len, texts)) <= _LONGEST:
        return False
    return any(_has_long_run(text) for text in texts if len(text) > _LONGEST)


def _has_long_run(text: bytes) -> bool:
    # So many digits fill one of these pieces whole, wherever they begin.
    piece = _LONGEST // 2
    return any(text[at : at + piece].isdigit() for at in range(0, len(text), piece))
