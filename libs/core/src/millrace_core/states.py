"""The state that a reader builds from the messages of one stream, by kind of stream.

Pure: a snapshot resets a state, a delta changes it, and a state can tell whether it is provably wrong.
"""

from collections import deque
from typing import Any, Protocol, TypeVar

import msgspec

from millrace_core.actions import FIELDS_ACTIONS
from millrace_core.book import OrderBook
from millrace_core.errors import InvalidMessage, InvalidName, Problem
from millrace_core.ids import MessageId
from millrace_core.json_problems import UNREADABLE, problem_of
from millrace_core.market import (
    Balance,
    Balances,
    BookDelta,
    BookSnapshot,
    Candle,
    CandlesDelta,
    CandlesSnapshot,
    Fields,
    Trade,
    TradesDelta,
    TradesSnapshot,
    fields_after,
)
from millrace_core.names import Action
from millrace_core.orders import Order, OrdersDelta, OrdersSnapshot

KEPT_TRADES = 1_000
KEPT_CANDLES = 500


class StreamState(Protocol):
    """What a reader of one stream holds."""

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Take a snapshot's state, and return the id of the last message that it includes.

        Raises:
            InvalidMessage: the data is not a snapshot of this kind.
        """

    def apply(self, data: msgspec.Raw) -> Any:
        """Apply a delta, and return its data decoded.

        Raises:
            InvalidMessage: the data is not a delta of this kind.
        """

    def flaw(self) -> str | None:
        """Return what proves the state wrong, such as a checksum that does not match; None if nothing does."""


_BOOK_SNAPSHOT = msgspec.json.Decoder(BookSnapshot)
_BOOK_DELTA = msgspec.json.Decoder(BookDelta)
_TRADES_SNAPSHOT = msgspec.json.Decoder(TradesSnapshot)
_TRADES_DELTA = msgspec.json.Decoder(TradesDelta)
_ORDERS_SNAPSHOT = msgspec.json.Decoder(OrdersSnapshot)
_ORDERS_DELTA = msgspec.json.Decoder(OrdersDelta)
_CANDLES_SNAPSHOT = msgspec.json.Decoder(CandlesSnapshot)
_CANDLES_DELTA = msgspec.json.Decoder(CandlesDelta)
_BALANCES = msgspec.json.Decoder(dict[str, Balance])
_FIELDS = msgspec.json.Decoder(dict[str, Any])

_T = TypeVar("_T")


def _decode(decoder: "msgspec.json.Decoder[_T]", data: msgspec.Raw) -> _T:
    try:
        return decoder.decode(data)
    except UNREADABLE as error:
        raise InvalidMessage((problem_of(error),)) from error


def _balances(fields: dict[str, Any]) -> Balances:
    try:
        return msgspec.convert(fields, dict[str, Balance])
    except msgspec.ValidationError as error:
        raise InvalidMessage((problem_of(error),)) from error


class BookState:
    """An order book."""

    def __init__(self) -> None:
        self.book = OrderBook()
        self._expected: int | None = None

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's levels and no others."""
        snapshot = _decode(_BOOK_SNAPSHOT, data)
        self.book.replace(snapshot.bids, snapshot.asks, snapshot.nonce)
        self._expected = snapshot.checksum
        return _as_of(snapshot.as_of)

    def apply(self, data: msgspec.Raw) -> BookDelta:
        """Set the levels that changed."""
        delta = _decode(_BOOK_DELTA, data)
        self.book.apply(delta.bids, delta.asks, delta.nonce)
        self._expected = delta.checksum
        return delta

    def flaw(self) -> str | None:
        """Return whether the book is crossed, or does not match the checksum of the last message, if it had one."""
        if self.book.is_crossed:
            return "the book is crossed"
        if self._expected is not None and self._expected != self.book.checksum():
            return "the checksum does not match"
        return None


class _Flawless:
    """A state that nothing but the message ids can prove wrong."""

    def flaw(self) -> str | None:
        """Return None: there is nothing to check."""
        return None


class TradesState(_Flawless):
    """The newest trades, oldest first."""

    def __init__(self) -> None:
        self.trades: deque[Trade] = deque(maxlen=KEPT_TRADES)

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's trades and no others."""
        snapshot = _decode(_TRADES_SNAPSHOT, data)
        self.trades.clear()
        self.trades.extend(snapshot.trades)
        return _as_of(snapshot.as_of)

    def apply(self, data: msgspec.Raw) -> TradesDelta:
        """Add the new trades."""
        delta = _decode(_TRADES_DELTA, data)
        self.trades.extend(delta.trades)
        return delta


class OrdersState(_Flawless):
    """The open orders by id."""

    def __init__(self) -> None:
        self.open: dict[str, Order] = {}

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's orders and no others."""
        snapshot = _decode(_ORDERS_SNAPSHOT, data)
        self.open = {order.id: order for order in snapshot.orders}
        return _as_of(snapshot.as_of)

    def apply(self, data: msgspec.Raw) -> OrdersDelta:
        """Update the changed orders, and remove the final ones."""
        delta = _decode(_ORDERS_DELTA, data)
        for order in delta.orders:
            if order.is_final:
                self.open.pop(order.id, None)
            else:
                self.open[order.id] = order
        return delta


class BalanceState(_Flawless):
    """An account's balances by currency code."""

    def __init__(self) -> None:
        self.balances: Balances = {}

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's balances and no others."""
        fields, as_of = _split_as_of(data)
        self.balances = _balances(fields)
        return as_of

    def apply(self, data: msgspec.Raw) -> Balances:
        """Update the changed balances."""
        delta = _decode(_BALANCES, data)
        self.balances.update(delta)
        return delta


class FieldsState(_Flawless):
    """One object by its fields: a ticker, the best bid and ask, a mark price, a funding rate, an open interest."""

    def __init__(self) -> None:
        self.fields: Fields = {}

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's fields and no others."""
        self.fields, as_of = _split_as_of(data)
        return as_of

    def apply(self, data: msgspec.Raw) -> Fields:
        """Update the changed fields, and remove those that have no value any more."""
        delta = _decode(_FIELDS, data)
        self.fields = fields_after(self.fields, delta)
        return delta


class CandlesState(_Flawless):
    """The newest candles of each timeframe, by open time, oldest first."""

    def __init__(self) -> None:
        self.timeframes: dict[str, dict[int, Candle]] = {}

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's candles and no others."""
        snapshot = _decode(_CANDLES_SNAPSHOT, data)
        self.timeframes = {
            timeframe: {candle[0]: candle for candle in candles} for timeframe, candles in snapshot.timeframes.items()
        }
        return _as_of(snapshot.as_of)

    def apply(self, data: msgspec.Raw) -> CandlesDelta:
        """Update new and changed candles."""
        delta = _decode(_CANDLES_DELTA, data)
        candles = self.timeframes.setdefault(delta.timeframe, {})
        candles.update((candle[0], candle) for candle in delta.candles)
        while len(candles) > KEPT_CANDLES:
            del candles[min(candles)]
        return delta


class EventsState(_Flawless):
    """The state of streams without one, such as answers: each message stands for itself."""

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Return the id of the last message that the snapshot includes."""
        return _split_as_of(data)[1]

    def apply(self, data: msgspec.Raw) -> dict[str, Any]:
        """Decode the message's data."""
        return _decode(_FIELDS, data)


_STATES: dict[str, type[StreamState]] = {
    "watchOrderBook": BookState,
    "watchTrades": TradesState,
    "watchMyTrades": TradesState,
    "watchOrders": OrdersState,
    "watchBalance": BalanceState,
    **dict.fromkeys(FIELDS_ACTIONS, FieldsState),
    "watchOHLCV": CandlesState,
}


def state_of(action: Action) -> StreamState:
    """Return the empty state of a stream of this action."""
    return _STATES.get(action, EventsState)()


def _split_as_of(data: msgspec.Raw) -> tuple[dict[str, Any], MessageId]:
    fields = _decode(_FIELDS, data)
    return fields, _as_of(str(fields.pop("asOf", "")))


def _as_of(text: str) -> MessageId:
    try:
        return MessageId.parse(text)
    except InvalidName as error:
        raise InvalidMessage((Problem("$.asOf", str(error)),)) from error
