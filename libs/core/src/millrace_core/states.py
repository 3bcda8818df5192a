"""The state that a reader builds from the messages of one stream, by kind of stream.

Pure: a snapshot resets a state, a delta changes it, and a state can tell whether it is provably wrong.
"""

from collections import deque
from typing import Any, Protocol

import msgspec

from millrace_core.access import ANSWERED
from millrace_core.actions import ACTIONS, FIELDS_ACTIONS
from millrace_core.book import OrderBook
from millrace_core.contract_states import ExchangePositionsState, LiquidationsState
from millrace_core.decimals import decimal_or_float
from millrace_core.errors import InvalidMessage
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
from millrace_core.state_data import Flawless, as_of_id, decode, split_as_of

KEPT_TRADES = 1_000
KEPT_CANDLES = 500


class StreamState(Protocol):
    """What a reader of one stream holds."""

    def __init__(self, *, exact: bool = False) -> None:
        """Hold nothing; numbers will be floats, or exact (`Flawless`)."""

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
_OF_ACCOUNTS = frozenset(action.name for action in ACTIONS.values() if action.is_private)
_ANSWER = msgspec.json.Decoder(dict[str, Any], float_hook=decimal_or_float)


def _balances(fields: dict[str, Any]) -> Balances:
    try:
        return msgspec.convert(fields, dict[str, Balance])
    except UNREADABLE as error:
        raise InvalidMessage((problem_of(error),)) from error


class BookState:
    """An order book."""

    def __init__(self, *, exact: bool = False) -> None:
        """Hold no levels; they are floats, exact or not: see docs/protocol.md, "Numbers"."""
        self.book = OrderBook()
        self._expected: int | None = None

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's levels and no others."""
        snapshot = decode(_BOOK_SNAPSHOT, data)
        self.book.replace(snapshot.bids, snapshot.asks, snapshot.nonce)
        self._expected = snapshot.checksum
        return as_of_id(snapshot.as_of)

    def apply(self, data: msgspec.Raw) -> BookDelta:
        """Set the levels that changed."""
        return self.take(decode(_BOOK_DELTA, data))

    @staticmethod
    def delta_of(data: msgspec.Raw) -> BookDelta:
        """Return a delta, not exact, that `take` applies later, once or several times.

        Raises:
            InvalidMessage: the data is not a delta of a book.
        """
        return decode(_BOOK_DELTA, data)

    def take(self, delta: BookDelta) -> BookDelta:
        """Set the levels that a delta changes, and return it."""
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


class TradesState(Flawless):
    """The newest trades, oldest first."""

    def __init__(self, *, exact: bool = False) -> None:
        super().__init__(exact=exact)
        self.trades: deque[Trade] = deque(maxlen=KEPT_TRADES)

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's trades and no others."""
        snapshot = self._read(decode(_TRADES_SNAPSHOT, data), data)
        self.trades.clear()
        self.trades.extend(snapshot.trades)
        return as_of_id(snapshot.as_of)

    def apply(self, data: msgspec.Raw) -> TradesDelta:
        """Add the new trades."""
        return self.take(self._read(decode(_TRADES_DELTA, data), data))

    @staticmethod
    def delta_of(data: msgspec.Raw) -> TradesDelta:
        """Return a delta, not exact, that `take` applies later, once or several times.

        Raises:
            InvalidMessage: the data is not a delta of trades.
        """
        return decode(_TRADES_DELTA, data)

    def take(self, delta: TradesDelta) -> TradesDelta:
        """Add the new trades; return the delta with a list of its own, so that a reader may change it."""
        self.trades.extend(delta.trades)
        return TradesDelta(delta.trades.copy())


class OrdersState(Flawless):
    """The open orders by id."""

    def __init__(self, *, exact: bool = False) -> None:
        super().__init__(exact=exact)
        self.open: dict[str, Order] = {}

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's orders and no others."""
        snapshot = decode(_ORDERS_SNAPSHOT, data)
        self.open = {order.id: order for order in snapshot.orders}
        return as_of_id(snapshot.as_of)

    def apply(self, data: msgspec.Raw) -> OrdersDelta:
        """Update the changed orders, and remove the final ones."""
        delta = decode(_ORDERS_DELTA, data)
        for order in delta.orders:
            if order.is_final:
                self.open.pop(order.id, None)
            else:
                self.open[order.id] = order
        return delta


class BalanceState(Flawless):
    """An account's balances by currency code."""

    def __init__(self, *, exact: bool = False) -> None:
        super().__init__(exact=exact)
        self.balances: Balances = {}

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's balances and no others."""
        fields, as_of = split_as_of(data)
        self.balances = self._read(_balances(fields), data)
        return as_of

    def apply(self, data: msgspec.Raw) -> Balances:
        """Update the changed balances."""
        delta = self._read(decode(_BALANCES, data), data)
        self.balances.update(delta)
        return delta


class FieldsState(Flawless):
    """One object by its fields: a ticker, the best bid and ask, a mark price, a funding rate, an open interest."""

    def __init__(self, *, exact: bool = False) -> None:
        super().__init__(exact=exact)
        self.fields: Fields = {}

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's fields and no others."""
        fields, as_of = split_as_of(data)
        self.fields = self._read(fields, data)
        return as_of

    def apply(self, data: msgspec.Raw) -> Fields:
        """Update the changed fields, and remove those that have no value any more."""
        delta = self._read(decode(_FIELDS, data), data)
        self.fields = fields_after(self.fields, delta)
        return delta


class CandlesState(Flawless):
    """The newest candles of each timeframe, by open time, oldest first."""

    def __init__(self, *, exact: bool = False) -> None:
        super().__init__(exact=exact)
        self.timeframes: dict[str, dict[int, Candle]] = {}

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's candles and no others."""
        snapshot = self._read(decode(_CANDLES_SNAPSHOT, data), data)
        self.timeframes = {
            timeframe: {candle[0]: candle for candle in candles} for timeframe, candles in snapshot.timeframes.items()
        }
        return as_of_id(snapshot.as_of)

    def apply(self, data: msgspec.Raw) -> CandlesDelta:
        """Update new and changed candles."""
        delta = self._read(decode(_CANDLES_DELTA, data), data)
        candles = self.timeframes.setdefault(delta.timeframe, {})
        candles.update((candle[0], candle) for candle in delta.candles)
        while len(candles) > KEPT_CANDLES:
            del candles[min(candles)]
        return delta


class EventsState(Flawless):
    """The state of streams without one: each message stands for itself."""

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Return the id of the last message that the snapshot includes."""
        return split_as_of(data)[1]

    def apply(self, data: msgspec.Raw) -> dict[str, Any]:
        """Decode the message's data."""
        return decode(_FIELDS, data)


class AnswersState(EventsState):
    """The state of streams of answers, which tell of orders: numbers with a point or an exponent are decimals."""

    def apply(self, data: msgspec.Raw) -> dict[str, Any]:
        """Decode the answer."""
        return decode(_ANSWER, data)


_STATES: dict[str, type[StreamState]] = {
    "watchOrderBook": BookState,
    "watchTrades": TradesState,
    "watchMyTrades": TradesState,
    "watchOrders": OrdersState,
    "watchBalance": BalanceState,
    "watchPositions": ExchangePositionsState,
    "watchLiquidations": LiquidationsState,
    **dict.fromkeys(FIELDS_ACTIONS, FieldsState),
    "watchOHLCV": CandlesState,
    **dict.fromkeys(ANSWERED, AnswersState),
}


def state_of(action: Action, *, exact: bool = False) -> StreamState:
    """Return the empty state of a stream of this action, whose numbers are floats or exact.

    Those of an account are always exact: profit is worked out of them.
    """
    return _STATES.get(action, EventsState)(exact=exact or action in _OF_ACCOUNTS)
