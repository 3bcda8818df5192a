"""What a strategy keeps over restarts: a small JSON document."""

from collections.abc import Iterator, MutableMapping
from decimal import Decimal
from math import isfinite
from typing import Any, Final

import msgspec

from millrace_strategy.errors import StateTooLarge

MAX_STATE: Final = 65_536
"""Bytes of the whole document as JSON."""
_DOCUMENT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class StrategyState(MutableMapping[str, Any]):
    """A document by its fields, each a JSON value. It is saved after every event in which it changed.

    Reading a field returns a copy: to change a value, assign it. Decimals come back as text.

    Raises:
        StateTooLarge: on assignment, when the document would exceed 64 KiB; it stays as it was.
        TypeError: on assignment of what JSON cannot say: NaN and infinities, sets, objects.
    """

    def __init__(self) -> None:
        self._fields: dict[str, msgspec.Raw] = {}
        self._size = 0
        self.is_changed = False
        """Whether it changed since `changed` was last called."""

    def __getitem__(self, name: str) -> Any:
        return msgspec.json.decode(self._fields[name])

    def __setitem__(self, name: str, value: Any) -> None:
        encoded = msgspec.Raw(msgspec.json.encode(value))
        known = self._fields.get(name)
        if known is not None and bytes(known) == bytes(encoded):
            return
        _check_sayable(name, value)
        fields = {**self._fields, name: encoded}
        size = len(msgspec.json.encode(fields))
        if size > MAX_STATE:
            raise StateTooLarge(name, size, MAX_STATE)
        self._fields = fields
        self.is_changed = True

    def __delitem__(self, name: str) -> None:
        del self._fields[name]
        self.is_changed = True

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._fields))

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"<StrategyState {dict(self)!r}>"

    def changed(self) -> bytes | None:
        """Return the document as JSON if it changed since the last call, else None. For hosts only."""
        if not self.is_changed:
            return None
        self.is_changed = False
        return self.document()

    def document(self) -> bytes:
        """Return the document as JSON. For hosts only."""
        return msgspec.json.encode(self._fields)

    def restore(self, document: bytes, *, is_changed: bool = False) -> None:
        """Take over a document; `is_changed` tells that it is not the one that was kept last. For hosts only.

        Raises:
            msgspec.DecodeError: it is not a JSON object.
        """
        # The parts of a decoded message share its buffer.
        self._fields = {name: msgspec.Raw(bytes(value)) for name, value in _DOCUMENT.decode(document).items()}
        self.is_changed = is_changed


def _check_sayable(name: str, value: Any) -> None:
    """Check for what would come back as something else: NaN as null, a set as a list in an order of chance.

    Raises:
        TypeError: there is such a value.
    """
    if isinstance(value, set | frozenset):
        raise TypeError(f"{name} holds a set, which JSON cannot say: keep a sorted list")
    if isinstance(value, float | Decimal) and not isfinite(value):
        raise TypeError(f"{name} holds {value}, which JSON cannot say")
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for part in parts:
        _check_sayable(name, part)
