"""Faster replacements for work that ccxt repeats at every message and order, with the same results."""

import time
from functools import lru_cache
from typing import Any, Final

from ccxt.base.decimal_to_precision import decimal_to_precision
from ccxt.base.exchange import Exchange

from millrace_core.clock import LATEST_MS

_PLAIN: Final = frozenset({str, int})
"""Written as it prints: ccxt escapes it and takes that back."""
_NUMBERS_KEPT: Final = 4_096
_SECONDS_KEPT: Final = 64


class Shortcuts:
    """Methods of ccxt's `Exchange`, to be laid over it."""

    @staticmethod
    def decimal_to_precision(n: Any, *rules: Any, **named_rules: Any) -> Any:
        """Return a number as text, rounded by the rules. Prices and amounts repeat."""
        return _rounded(n, *rules, **named_rules)

    @staticmethod
    def iso8601(timestamp: Any = None) -> Any:
        """Return a time in ms as ISO 8601 in UTC; None if it is invalid."""
        if type(timestamp) is not int or not 0 <= timestamp <= LATEST_MS:
            return Exchange.iso8601(timestamp)
        seconds, milliseconds = divmod(timestamp, 1000)
        return f"{_second(seconds)}.{milliseconds:03d}Z"

    @staticmethod
    def rawencode(params: dict[str, Any] = {}, sort: bool = False) -> Any:  # noqa: B006 (as ccxt has it)
        """Return parameters as a query in which nothing is escaped."""
        if not all(type(value) in _PLAIN for value in params.values()):
            return Exchange.rawencode(params, sort)
        return "&".join([f"{name}={value}" for name, value in params.items()])


# 1 and 1.0 are kept apart because ccxt prints them before it rounds.
_rounded: Final = lru_cache(_NUMBERS_KEPT, typed=True)(decimal_to_precision)


@lru_cache(_SECONDS_KEPT)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
