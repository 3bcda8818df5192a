"""Decimal digits through ccxt, both ways: none is lost, none is added, and no number is rounded unseen.

ccxt calculates with floats and cuts an order's numbers to what it takes for their step: an amount in quote currency
to the price's tick, for one. What a request decided has been checked against the exchange's own steps before
(`precision_errors`), so here it passes as it was decided.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, Final

import msgspec
from ccxt.base.exchange import Exchange

from millrace_core.decimals import ExactFloat, number, number_or_text
from millrace_core.exact_json import may_be_rounded
from millrace_core.json_problems import UNREADABLE
from millrace_exchange.ccxt.conversion import ANSWERED, plain
from millrace_exchange.ccxt.recording.shortcuts import Shortcuts

_NUMBERS: Final = ("price", "triggerPrice", "amount", "filled", "remaining", "average", "cost")

_OF_CANDLES: Final = frozenset("ohlcv")
"""Binance's names of a candle's numbers; books have numbers by their place, or by other letters."""

_decided: ContextVar[frozenset[Decimal]] = ContextVar("decided", default=frozenset())


class Digits(Decimal):
    """A decimal that prints as exchanges want it: no exponent, no zeros behind the last digit."""

    def __str__(self) -> str:
        return format(plain(self), "f")


_PRINTED: Final = frozenset({int, float, ExactFloat, Digits})
"""Types of numbers that print the digits they have."""


@contextmanager
def decided(*numbers: Decimal | None) -> Iterator[None]:
    """Let these numbers pass to the exchange as they are, in whatever this task sends meanwhile."""
    token = _decided.set(frozenset(number for number in numbers if number is not None))
    try:
        yield
    finally:
        _decided.reset(token)


def parse_json(text: str | bytes) -> Any:
    """Return JSON; a number with more digits than a float prints is its text, which ccxt reads like a number.

    Raises:
        ValueError: it is not JSON.
    """
    data = text.encode() if isinstance(text, str) else text
    if may_be_rounded(data):
        with suppress(*UNREADABLE):
            return _decode(data)
    return Exchange.on_json_response(text)


_decode: Final = msgspec.json.Decoder(float_hook=number_or_text).decode


class DigitKeeper(Shortcuts):
    """Methods of ccxt's `Exchange`, to be laid over it."""

    on_json_response = staticmethod(parse_json)

    @staticmethod
    def number(value: Any) -> float:
        """Return the number of a text, or of a number, with every digit."""
        kind = type(value)
        if kind is str or kind is int:
            return number(str(value))
        return value if isinstance(value, float) else float(value)

    @staticmethod
    def safe_string(dictionary: Any, key: Any, default_value: Any = None) -> Any:
        """Return a value as text. ccxt's own method knows floats and integers alone, and would lose all others."""
        try:
            value = dictionary[key]
        except (LookupError, TypeError):
            return default_value
        kind = type(value)
        if kind is str:
            return value or default_value
        return str(value) if kind in _PRINTED else default_value

    @staticmethod
    def safe_string_2(dictionary: Any, first: Any, second: Any, default_value: Any = None) -> Any:
        """Return the value of the first of two keys that has one, as text."""
        return DigitKeeper.safe_string_n(dictionary, (first, second), default_value)

    @staticmethod
    def safe_string_n(dictionary: Any, keys: Sequence[Any], default_value: Any = None) -> Any:
        """Return the value of the first of some keys that has one, as text."""
        for key in keys:
            if (text := DigitKeeper.safe_string(dictionary, key)) is not None:
                return text
        return default_value

    @staticmethod
    def safe_float(dictionary: Any, key: Any, default_value: Any = None) -> Any:
        """Return a value as float; numbers of Binance's candles exactly, which ccxt reads by it as it does books."""
        try:
            value = dictionary[key]
            return number(str(value)) if key in _OF_CANDLES else float(value)
        except Exception:  # noqa: BLE001 (as ccxt has it)
            return default_value

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
        """Return ccxt's unified order without its guesses, and beside its floats the texts that the exchange sent."""
        texts = {name: text for name in _NUMBERS if type(text := order.get(name)) is str and text}
        guessed = () if order.get("trades") else tuple(_guessed(order))
        unified = super().safe_order(order, market)  # type: ignore[misc]
        unified |= dict.fromkeys(guessed)
        unified[ANSWERED] = texts
        return unified


def _guessed(order: Mapping[str, Any]) -> Iterator[str]:
    """Yield what ccxt would make up of an order: all of a closed one was filled, and at its limit."""
    filled = order.get("filled")
    if filled is None and order.get("remaining") is None:
        yield from ("filled", "remaining")
    if order.get("cost") is None and order.get("average") is None and not _is_zero(filled):
        yield "cost"


def _is_zero(number: Any) -> bool:
    return number is not None and not float(number)
