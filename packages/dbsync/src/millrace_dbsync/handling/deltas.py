"""What changed, by kind of stream: decoded as far as storing needs, and added to a batch."""

from collections.abc import Callable
from typing import Any

import msgspec

from millrace_core.market import Balance, BookDelta, CandlesDelta, TradesDelta
from millrace_core.messages import Status
from millrace_core.names import Action
from millrace_core.orders import OrdersDelta
from millrace_dbsync.decoding.envelopes import read
from millrace_store import Batch, Place

Put = Callable[[Batch, Place, msgspec.Raw], None]
"""Adds one message's data; raises InvalidMessage where it is none of its kind."""


class MarketTrade(msgspec.Struct):
    """What is stored of a market's trade; whatever else it says is not looked at."""

    id: str | None
    timestamp: int | None
    side: str | None
    price: float
    amount: float


class MarketTrades(msgspec.Struct):
    """What is stored of a message with a market's trades."""

    trades: list[MarketTrade]


def put_delta_of(action: Action) -> Put:
    """Return what adds the deltas of a stream; those without a table of their own are kept as they travelled."""
    return _PUTS.get(action, _event)


def put_status(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    """Add what a writer says of its stream."""
    batch.status(place, read(_STATUS, data))


def _book(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    # Decoded whole, although only its number is wanted apart: a level that is none must be found here, and not when
    # somebody asks for the book.
    batch.book_delta(place, bytes(data), read(_BOOK, data).nonce)


def _trades(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    batch.trades(place, read(_MARKET_TRADES, data).trades)


def _own_trades(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    batch.own_trades(place, read(_OWN_TRADES, data).trades)


def _candles(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    delta = read(_CANDLES, data)
    batch.candles(place, delta.timeframe, delta.candles)


def _ticker(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    read(_OBJECT, data)
    batch.ticker(place, bytes(data))


def _orders(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    batch.orders(place, read(_ORDERS, data).orders)


def _balances(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    batch.balances(place, read(_BALANCES, data))


def _event(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    batch.event(place, bytes(data))


_BOOK = msgspec.json.Decoder(BookDelta)
_MARKET_TRADES = msgspec.json.Decoder(MarketTrades)
_OWN_TRADES = msgspec.json.Decoder(TradesDelta)
_CANDLES = msgspec.json.Decoder(CandlesDelta)
_ORDERS = msgspec.json.Decoder(OrdersDelta)
_BALANCES = msgspec.json.Decoder(dict[str, Balance])
_STATUS = msgspec.json.Decoder(Status)
_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])

_PUTS: dict[str, Put] = {
    "watchOrderBook": _book,
    "watchTrades": _trades,
    "watchMyTrades": _own_trades,
    "watchOHLCV": _candles,
    "watchTicker": _ticker,
    "watchOrders": _orders,
    "watchBalance": _balances,
}
