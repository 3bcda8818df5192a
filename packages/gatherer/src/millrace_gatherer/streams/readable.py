"""Lets through what readers can read: the rest must become no part of a stream's state, nor of its snapshots.

A null price or a text in place of a number would shut out every reader, through the snapshot too; an amount below 0 or
a time beyond the year 9999 would be read, and be wrong.
"""

import math
from collections.abc import Callable, Iterable
from math import inf
from typing import Any, Final, Generic, TypeVar

import msgspec
import structlog

from millrace_core.clock import LATEST_MS
from millrace_core.decimals import is_usual
from millrace_core.json_problems import UNREADABLE
from millrace_core.market import Candle, Fields, Level, Trade
from millrace_core.messages import encode
from millrace_core.orders import Order
from millrace_exchange import is_order_id
from millrace_service import UnitHealthReporter

_T = TypeVar("_T")

log = structlog.get_logger()

_SIDES: Final = ("buy", "sell")
IMPOSSIBLE: Final = "no exchange has such a time or such an amount"


class Readable(Generic[_T]):
    """Checks values of one type as readers do. What they cannot read is counted and reported, with its reason once."""

    def __init__(
        self,
        decoder: "msgspec.json.Decoder[_T]",
        health: UnitHealthReporter,
        is_possible: Callable[[_T], bool] = lambda _value: True,
    ) -> None:
        """`is_possible` tells whether a value that can be read can be true."""
        self._decoder = decoder
        self._is_possible = is_possible
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
        except (*UNREADABLE, TypeError, ValueError, OverflowError) as error:
            self._refuse(value, str(error))
            return False
        if not self._is_possible(value):
            self._refuse(value, IMPOSSIBLE)
            return False
        return True

    def _refuse(self, value: _T, why: str) -> None:
        self._health.count("unreadable")
        if why not in self._reported:
            self._reported.add(why)
            self._health.error(f"the exchange sent what cannot be read, and it is left out: {why}")
            log.error("the exchange sent what cannot be read", why=why, value=repr(value)[:500])


def is_possible_trade(trade: Trade) -> bool:
    """Tell whether a trade can have happened."""
    has_time = trade.timestamp is None or possible_ms(trade.timestamp) is not None
    return trade.amount >= 0 and has_time and trade.side in (None, *_SIDES)


def is_possible_own_trade(trade: Trade) -> bool:
    """Tell whether an own trade can have happened: it has a time and a side, of which positions are made."""
    return is_possible_trade(trade) and trade.timestamp is not None and trade.side is not None


def is_possible_order(order: Order) -> bool:
    """Tell whether there can be such an order. What was filled of one never becomes less, whatever comes later."""
    numbers = (order.amount, order.filled, order.remaining, order.price, order.cost)
    if not all(number is None or (is_usual(number) and number >= 0) for number in numbers):
        return False
    is_full = order.type != "limit" or not order.amount or order.filled is None or order.filled <= order.amount
    return is_full and is_order_id(order.id) and order.side in (None, *_SIDES)


def is_possible_candle(candle: Candle) -> bool:
    """Tell whether there can be such a candle."""
    return candle[5] >= 0 and possible_ms(candle[0]) is not None


def are_possible_levels(levels: Iterable[Level]) -> bool:
    """Tell whether a book can have such levels: a price that is no number would stand anywhere in it."""
    # A generator costs as much as the comparisons of five levels, and most messages have fewer.
    for price, amount in levels:  # noqa: SIM110
        if not (0.0 <= amount < inf and -inf < price < inf):
            return False
    return True


def possible_ms(value: Any) -> int | None:
    """Return a time, ms, that can be one; None for anything else that was sent in its place."""
    return value if type(value) is int and 0 <= value <= LATEST_MS else None


def fields_with_value(fields: Fields) -> Fields:
    """Return those fields that have a value."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None and not (isinstance(value, float) and not math.isfinite(value))
    }
