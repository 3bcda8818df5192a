"""Decimal digits through ccxt, both ways: none is lost, none is added, and no number is rounded unseen.

ccxt calculates with floats and cuts an order's numbers to what it takes for their step: an amount in quote currency
to the price's tick, for one. What a request decided has been checked against the exchange's own steps before
(`precision_errors`), so here it passes as it was decided.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, Final

from ccxt.base.exchange import Exchange

from millrace_exchange.ccxt.conversion import ANSWERED, plain
from millrace_exchange.ccxt.recording.shortcuts import Shortcuts

_NUMBERS: Final = ("price", "triggerPrice", "amount", "filled", "remaining", "average", "cost")

_decided: ContextVar[frozenset[Decimal]] = ContextVar("decided", default=frozenset())


class Digits(Decimal):
    """A decimal that prints as exchanges want it: no exponent, no zeros behind the last digit."""

    def __str__(self) -> str:
        return format(plain(self), "f")


@contextmanager
def decided(*numbers: Decimal | None) -> Iterator[None]:
    """Let these numbers pass to the exchange as they are, in whatever this task sends meanwhile."""
    token = _decided.set(frozenset(number for number in numbers if number is not None))
    try:
        yield
    finally:
        _decided.reset(token)


def safe_string(dictionary: Any, key: Any, default_value: Any = None) -> Any:
    """Return a value as text: ccxt's own method does not know decimals, and would send nothing in their place.

    Only instances that trade have it: ccxt calls it many times for every message of a market.
    """
    if _decided.get() and isinstance(dictionary, dict) and type(value := dictionary.get(key)) is Digits:
        return str(value)
    return Exchange.safe_string(dictionary, key, default_value)


class DigitKeeper(Shortcuts):
    """Methods of ccxt's `Exchange`, to be laid over it."""

    @staticmethod
    def decimal_to_precision(n: Any, *rules: Any, **named_rules: Any) -> Any:
        """Return a number as text, rounded by ccxt's rules unless a request decided on exactly this number."""
        if (numbers := _decided.get()) and (number := Digits(str(n))) in numbers:
            return str(number)
        return Shortcuts.decimal_to_precision(n, *rules, **named_rules)

    @staticmethod
    def json(data: Any, params: Any = None) -> Any:
        """Return JSON in which a decimal stands as its digits."""
        try:
            return Exchange.json(data, params)
        except TypeError:
            return json.dumps(data, separators=(",", ":"), default=str)

    def safe_order(self, order: dict[str, Any], market: Any = None) -> Any:
        """Return ccxt's unified order, and beside its floats the texts that the exchange sent."""
        texts = {name: text for name in _NUMBERS if type(text := order.get(name)) is str and text}
        unified = super().safe_order(order, market)  # type: ignore[misc]
        unified[ANSWERED] = texts
        return unified
