"""Lets through what readers can read: the rest must become no part of a stream's state, nor of its snapshots.

A null price or a text in place of a number would shut out every reader, through the snapshot too.
"""

import math
from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec
import structlog

from millrace_core.json_problems import UNREADABLE
from millrace_core.market import Fields
from millrace_core.messages import encode
from millrace_service import UnitHealthReporter

_T = TypeVar("_T")

log = structlog.get_logger()


class Readable(Generic[_T]):
    """Checks values of one type as readers do. What they cannot read is counted and reported, with its reason once."""

    def __init__(self, decoder: "msgspec.json.Decoder[_T]", health: UnitHealthReporter) -> None:
        self._decoder = decoder
        self._health = health
        self._reported: set[str] = set()

    def only(self, values: Iterable[_T]) -> list[_T]:
        """Return those that can be read."""
        return [value for value in values if self.accepts(value)]

    def accepts(self, value: _T) -> bool:
        """Tell whether readers can read a value."""
        try:
            # As it will travel: NaN and infinities become nulls.
            self._decoder.decode(encode(value))
        except (*UNREADABLE, TypeError, ValueError) as error:
            self._refuse(value, str(error))
            return False
        return True

    def _refuse(self, value: _T, why: str) -> None:
        self._health.count("unreadable")
        if why not in self._reported:
            self._reported.add(why)
            self._health.error(f"the exchange sent what cannot be read, and it is left out: {why}")
            log.error("the exchange sent what cannot be read", why=why, value=repr(value)[:500])


def fields_with_value(fields: Fields) -> Fields:
    """Return those fields that have a value."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None and not (isinstance(value, float) and not math.isfinite(value))
    }
