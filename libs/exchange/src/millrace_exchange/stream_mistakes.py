"""Mistakes in what is asked of an exchange that show without asking it: from ccxt's tables and the profiles."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from millrace_core.actions import ACTIONS, ORDER_BOOK
from millrace_core.names import ExchangeId
from millrace_core.near_names import did_you_mean, question
from millrace_exchange.capabilities import ExchangeCapabilities
from millrace_exchange.ccxt.capabilities import capabilities_of
from millrace_exchange.ccxt.loading import exchange_ids
from millrace_exchange.profiles import profile_of

_QUOTES: Final = "USDT|USDC|FDUSD|TUSD|BUSD|DAI|USD|EUR|GBP|TRY|BRL|JPY|KRW|AUD|BTC|ETH|BNB|KCS"
_OWN_ID: Final = re.compile(rf"([A-Z0-9]{{1,15}}?)[-_:]?({_QUOTES})", re.IGNORECASE)
"""How exchanges themselves name a market, such as KCSUSDT, KCS-USDT and kcs_usdt."""

Place = Literal["exchangeId", "assetPairs", "action", "timeframe", "limit"]
"""The field of the configuration that has the mistake."""


class StreamMistake(NamedTuple):
    """One mistake."""

    place: Place
    message: str


def stream_mistakes(exchange_id: str, action: str, symbol: str | None, depth: int | None) -> Iterator[StreamMistake]:
    """Return what is wrong with a stream that is asked for, as far as it shows at once; `depth` is of an order book."""
    if not exchange_exists(exchange_id):
        yield StreamMistake("exchangeId", _unknown(exchange_id))
        return
    if symbol is not None and "/" not in symbol and (own := _OWN_ID.fullmatch(symbol)):
        meant = question([f"{own[1].upper()}/{own[2].upper()}"])
        yield StreamMistake("assetPairs", f"{symbol} is an exchange's own name of a market, not ccxt's symbol{meant}")
    depths = profile_of(ExchangeId(exchange_id)).book.limits
    if action == ORDER_BOOK.name and depth is not None and depths and depth not in depths:
        listed = ", ".join(map(str, sorted(depths)))
        yield StreamMistake(
            "limit", f"{exchange_id} has no order books of {depth} levels: leave it out, or take {listed}"
        )


def exchange_exists(exchange_id: str) -> bool:
    """Tell whether ccxt has an exchange of this id."""
    return exchange_id in exchange_ids()


def capability_mistakes(exchange_id: str, action: str, timeframes: Iterable[str]) -> Iterator[StreamMistake]:
    """Return what an exchange neither streams nor answers; it is imported for that, which takes about a second."""
    if not exchange_exists(exchange_id):
        return
    capabilities = _capabilities(exchange_id)
    if capabilities.data_points.get(action.removeprefix("watch")) is None:
        known = [name for name in ACTIONS if capabilities.data_points.get(name.removeprefix("watch")) is not None]
        yield StreamMistake("action", f"{exchange_id} has no {action}; it has {', '.join(known) or 'nothing'}")
    for timeframe in timeframes:
        if capabilities.timeframes and timeframe not in capabilities.timeframes:
            listed = ", ".join(capabilities.timeframes)
            yield StreamMistake("timeframe", f"{exchange_id} has no candles of {timeframe}; it has {listed}")


def _unknown(exchange_id: str) -> str:
    return f"ccxt has no exchange {exchange_id}{did_you_mean(exchange_id, exchange_ids())}"


@lru_cache
def _capabilities(exchange_id: str) -> ExchangeCapabilities:
    return capabilities_of(exchange_id)
