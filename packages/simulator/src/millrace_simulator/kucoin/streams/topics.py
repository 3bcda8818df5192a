"""Topics: what a client may subscribe to, and the streams of single symbols that a topic stands for.

A client names several symbols in one topic, `/market/level2:BTC-USDT,ETH-USDT`; each message names one of them,
`/market/level2:BTC-USDT`. Source: KuCoin's specification, folder `spec/ws`.
"""

from __future__ import annotations

from collections.abc import Collection

from millrace_simulator.kucoin.operations.market import CANDLE_TYPES
from millrace_simulator.kucoin.operations.symbols import MARKET

LEVEL2 = "/market/level2"
LEVEL1 = "/spotMarket/level1"
DEPTH_5 = "/spotMarket/level2Depth5"
DEPTH_50 = "/spotMarket/level2Depth50"
TICKER = "/market/ticker"
ALL_TICKERS = f"{TICKER}:all"
SNAPSHOT = "/market/snapshot"
MATCH = "/market/match"
CANDLES = "/market/candles"
ORDERS = "/spotMarket/tradeOrders"
ORDERS_V2 = "/spotMarket/tradeOrdersV2"
STOP_ORDERS = "/spotMarket/advancedOrders"
BALANCE = "/account/balance"

_OF_SYMBOLS = frozenset({LEVEL2, LEVEL1, DEPTH_5, DEPTH_50, TICKER, SNAPSHOT, MATCH})
PRIVATE = frozenset({ORDERS, ORDERS_V2, STOP_ORDERS, BALANCE})
MOST_SYMBOLS = 100
"""In one topic."""


class UnknownTopicError(Exception):
    """There is no such topic, or it names what is not listed."""


class TooManySymbolsError(Exception):
    """A topic names more symbols than one may."""


def streams_of(topic: str, symbols: Collection[str]) -> list[str]:
    """Return the streams that a public topic stands for.

    Raises:
        UnknownTopicError: there is no such topic.
        TooManySymbolsError: it names too many symbols.
    """
    name, _, what = topic.partition(":")
    parts = what.split(",")
    if len(parts) > MOST_SYMBOLS:
        raise TooManySymbolsError(topic)
    if not all(_exists(name, part, symbols) for part in parts):
        raise UnknownTopicError(topic)
    return [f"{name}:{part}" for part in parts]


def private_stream(topic: str, account_id: int) -> str:
    """Return the stream of an account's own topic."""
    return f"{topic}@{account_id}"


def _exists(name: str, part: str, symbols: Collection[str]) -> bool:
    if name == CANDLES:
        symbol, _, kind = part.partition("_")
        return symbol in symbols and kind in CANDLE_TYPES
    if f"{name}:{part}" in (ALL_TICKERS, f"{SNAPSHOT}:{MARKET}"):
        return True
    return name in _OF_SYMBOLS and part in symbols
