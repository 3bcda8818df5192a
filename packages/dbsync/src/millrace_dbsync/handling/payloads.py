"""The data of messages, by kind of stream: decoded as far as storing needs, and added to a batch."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec

from millrace_core.errors import InvalidName
from millrace_core.exact_json import exactly
from millrace_core.ids import MessageId
from millrace_core.market import Balance, BookDelta, BookSnapshot, CandlesDelta, ExchangePositionsDelta, TradesDelta
from millrace_core.messages import Status
from millrace_core.names import Action
from millrace_core.orders import OrdersDelta, OrdersSnapshot
from millrace_dbsync.decoding.envelopes import invalid, read
from millrace_store import Batch, Place

_DataT = TypeVar("_DataT")
Put = Callable[[Batch, Place, msgspec.Raw], None]
"""Adds the data of one message to a batch; raises InvalidMessage when it is not of its kind."""


Positive = Annotated[float, msgspec.Meta(ge=0)]
"""A price or an amount."""


class StoredTrade(msgspec.Struct):
    """The stored fields of a market's trade; other fields are ignored. Contracts may trade below zero."""

    id: str | None
    timestamp: int | None
    side: str | None
    price: float
    amount: Positive


class SpotTrade(StoredTrade):
    """The stored fields of a trade of a spot market, where nobody pays to be rid of a currency."""

    price: Positive


class StoredTrades(msgspec.Struct):
    """The stored fields of a message with trades of a contract."""

    trades: list[StoredTrade]


class SpotTrades(msgspec.Struct):
    """The stored fields of a message with trades of a spot market."""

    trades: list[SpotTrade]


def is_spot(name: str) -> bool:
    """Tell whether a stream is about a spot market: the symbols of contracts name what they settle in."""
    return ":" not in name


def put_delta_of(action: Action) -> Put:
    """Return the function that adds a stream's deltas; those without a table of their own are kept as published."""
    return _DELTAS.get(action, _event)


def put_snapshot_of(action: Action) -> Put:
    """Return the function that adds a stream's snapshots; of most, only the id up to which they reach is decoded."""
    return _SNAPSHOTS.get(action, _snapshot)


def put_status(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    """Add a status of a stream."""
    batch.status(place, read(_STATUS, data))


def _book(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    # Decoded whole although only the nonce is stored apart: a malformed level must be found now, not when the book is
    # asked for.
    batch.book_delta(place, bytes(data), read(_BOOK, data).nonce)


def _trades(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    trades = _exact(_SPOT_TRADES, data).trades if is_spot(place.name) else _exact(_MARKET_TRADES, data).trades
    batch.trades(place, trades)


def _own_trades(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    trades = _exact(_OWN_TRADES, data).trades
    if any(trade.amount < 0 or (trade.price < 0 and is_spot(place.name)) for trade in trades):
        raise invalid("a price or an amount of a trade is below zero")
    batch.own_trades(place, trades)


def _candles(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    delta = _exact(_CANDLES, data)
    if any(candle[-1] < 0 or (min(candle[1:]) < 0 and is_spot(place.name)) for candle in delta.candles):
        raise invalid("a price or the volume of a candle is below zero")
    batch.candles(place, delta.timeframe, delta.candles)


def _ticker(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    read(_OBJECT, data)
    batch.ticker(place, bytes(data))


def _orders(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    batch.orders(place, read(_ORDERS, data).orders)


def _balances(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    batch.balances(place, _exact(_BALANCES, data))


def _positions(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    batch.exchange_positions(place, _exact(_POSITIONS, data).positions)


def _event(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    batch.event(place, bytes(data))


def _book_snapshot(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    book = read(_WHOLE_BOOK, data)
    batch.snapshot(place, _included(book.as_of), bytes(data), nonce=book.nonce, checksum=book.checksum)


def _orders_snapshot(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    whole = read(_ALL_ORDERS, data)
    batch.orders_snapshot(place, _included(whole.as_of), bytes(data), whole.orders)


def _balances_snapshot(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    as_of = _included(read(_AS_OF, data).as_of)
    whole = {code: held for code, held in _exact(_ALL_BALANCES, data).items() if isinstance(held, Balance)}
    batch.balances_snapshot(place, as_of, bytes(data), whole)


def _snapshot(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    batch.snapshot(place, _included(read(_AS_OF, data).as_of), bytes(data))


def _exact(decoder: "msgspec.json.Decoder[_DataT]", data: msgspec.Raw) -> _DataT:
    """Return decoded data with every digit.

    Raises:
        InvalidMessage: it is not of that type.
    """
    return exactly(read(decoder, data), data)


def _included(as_of: str) -> MessageId:
    """Return the id of the last message that a snapshot includes.

    Raises:
        InvalidMessage: `as_of` is not the id of a message.
    """
    try:
        return MessageId.parse(as_of)
    except (InvalidName, ValueError) as error:
        raise invalid(str(error)) from error


class _AsOf(msgspec.Struct, rename="camel"):
    """The field that every snapshot has."""

    as_of: str


_BOOK = msgspec.json.Decoder(BookDelta)
_SPOT_TRADES = msgspec.json.Decoder(SpotTrades)
_MARKET_TRADES = msgspec.json.Decoder(StoredTrades)
_OWN_TRADES = msgspec.json.Decoder(TradesDelta)
_CANDLES = msgspec.json.Decoder(CandlesDelta)
_ORDERS = msgspec.json.Decoder(OrdersDelta)
_BALANCES = msgspec.json.Decoder(dict[str, Balance])
_POSITIONS = msgspec.json.Decoder(ExchangePositionsDelta)
_STATUS = msgspec.json.Decoder(Status)
_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_WHOLE_BOOK = msgspec.json.Decoder(BookSnapshot)
_ALL_ORDERS = msgspec.json.Decoder(OrdersSnapshot)
_ALL_BALANCES = msgspec.json.Decoder(dict[str, Balance | str])
_AS_OF = msgspec.json.Decoder(_AsOf)

_DELTAS: dict[str, Put] = {
    "watchOrderBook": _book,
    "watchTrades": _trades,
    "watchMyTrades": _own_trades,
    "watchOHLCV": _candles,
    "watchTicker": _ticker,
    "watchOrders": _orders,
    "watchBalance": _balances,
    "watchPositions": _positions,
}
_SNAPSHOTS: dict[str, Put] = {
    "watchOrderBook": _book_snapshot,
    "watchOrders": _orders_snapshot,
    "watchBalance": _balances_snapshot,
}
