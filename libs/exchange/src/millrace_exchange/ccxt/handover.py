"""One stream that moves from one connection to another: what its listener hears of the two meanwhile. Pure.

What the first connection brings is passed on, what the second brings is held. Once the first has brought what the held
messages begin with, those that are new are passed on, and the first is heard no more. So nothing is missing, nothing
comes twice, and the listener does not notice.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from millrace_core.actions import BALANCE, LIQUIDATIONS, ORDER_BOOK, POSITIONS, TRADES, StreamAction
from millrace_core.book import OrderBook
from millrace_core.market import Balances, Candle, ExchangePosition, Fields, Level, Liquidation, Trade
from millrace_core.orders import Order
from millrace_exchange.listeners import EventTimes, ExchangeListener


class Message(NamedTuple):
    """One call of a listener."""

    method: str
    arguments: tuple[Any, ...]

    @property
    def timestamp(self) -> int | None:
        """Return the exchange's own time of it, ms; None if it sends none."""
        event = self.arguments[-1]
        return event.timestamp if isinstance(event, EventTimes) else None


class Source:
    """The listener of one connection's stream, of whatever kind."""

    def __init__(self, take: "Callable[[Source, Message], None]") -> None:
        self._take = take

    def book_reset(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Take a whole book."""
        self._take(self, Message("book_reset", (bids, asks, nonce, event)))

    def book_changed(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Take the levels that one message set."""
        self._take(self, Message("book_changed", (bids, asks, nonce, event)))

    def book_broken(self, reason: str) -> None:
        """Learn that a message is missing."""
        self._take(self, Message("book_broken", (reason,)))

    def message_missed(self, reason: str) -> None:
        """Learn that a message cannot be read."""
        self._take(self, Message("message_missed", (reason,)))

    def traded(self, trades: list[Trade], event: EventTimes) -> None:
        """Take trades."""
        self._take(self, Message("traded", (trades, event)))

    def liquidated(self, liquidations: list[Liquidation], event: EventTimes) -> None:
        """Take liquidations."""
        self._take(self, Message("liquidated", (liquidations, event)))

    def orders_changed(self, orders: list[Order], event: EventTimes) -> None:
        """Take orders."""
        self._take(self, Message("orders_changed", (orders, event)))

    def balance_changed(self, balances: Balances, event: EventTimes) -> None:
        """Take balances."""
        self._take(self, Message("balance_changed", (balances, event)))

    def positions_changed(self, positions: list[ExchangePosition], event: EventTimes) -> None:
        """Take positions."""
        self._take(self, Message("positions_changed", (positions, event)))

    def fields_changed(self, fields: Fields, event: EventTimes) -> None:
        """Take the fields of an object."""
        self._take(self, Message("fields_changed", (fields, event)))

    def candles_changed(self, candles: Sequence[Candle], event: EventTimes) -> None:
        """Take candles."""
        self._take(self, Message("candles_changed", (candles, event)))


class Handover:
    """Of a stream whose every message is a whole state: it moves with the first one that is not older."""

    def __init__(self, listener: ExchangeListener) -> None:
        self.source = Source(self._take)
        """What the connection brings whose messages are passed on."""
        self.successor: Source | None = None
        """What the connection brings that the stream moves to; None while it stays."""
        self.moved = asyncio.Event()
        """Set once it hears the successor alone."""
        self._listener = listener
        self._held: list[Message] = []
        self._newest: Message | None = None
        """What was passed on last."""

    @property
    def can_move(self) -> bool:
        """Tell whether it may move although the two were not seen to bring the same."""
        return True

    def begin(self) -> Source:
        """Return the listener for the connection that the stream moves to."""
        self.moved.clear()
        self.successor = Source(self._take)
        return self.successor

    def stay(self) -> None:
        """Forget what the other connection brought."""
        self.successor, self._held = None, []

    def move(self) -> None:
        """Hear the other connection from now on, and pass on what it has brought."""
        if self.successor is not None:
            self.source, self.successor = self.successor, None
            held, self._held = self._held, []
            self._pass_held(held)
            self.moved.set()

    def _take(self, source: Source, message: Message) -> None:
        if source is self.source:
            self._pass(message)
        elif source is self.successor:
            self._hold(message)
        if self.successor is not None and self._has_caught_up():
            self.move()

    def _pass(self, message: Message) -> None:
        self._newest = message
        getattr(self._listener, message.method)(*message.arguments)

    def _hold(self, message: Message) -> None:
        self._held = [message]

    def _has_caught_up(self) -> bool:
        return bool(self._held) and not self._is_older(self._held[0])

    def _pass_held(self, held: list[Message]) -> None:
        for message in held:
            self._pass(message)

    def _is_older(self, message: Message) -> bool:
        if message.timestamp is None or self._newest is None:
            return False
        return message.timestamp < (self._newest.timestamp or 0)


class BookHandover(Handover):
    """Of an order book: it moves as one whole book, once that is as new as what was passed on."""

    def __init__(self, listener: ExchangeListener) -> None:
        self._nonce: int | None = None
        self._book: OrderBook | None = None
        """The successor's; None until it has sent it whole."""
        super().__init__(listener)

    @property
    def can_move(self) -> bool:
        """Tell whether the other connection has brought a whole book."""
        return self._book is not None

    def stay(self) -> None:
        """Forget the other connection's book."""
        self._book = None
        super().stay()

    def _pass(self, message: Message) -> None:
        if message.method != "book_broken":
            self._nonce = message.arguments[2]
        super()._pass(message)

    def _hold(self, message: Message) -> None:
        if message.method == "book_reset":
            self._book = OrderBook()
            self._book.replace(*message.arguments[:3])
        elif message.method == "book_broken":
            self._book = None
        elif self._book is not None:
            self._book.apply(*message.arguments[:3])
        super()._hold(message)

    def _has_caught_up(self) -> bool:
        return self._book is not None and (self._nonce or 0) <= (self._book.nonce or 0)

    def _pass_held(self, held: list[Message]) -> None:
        book, self._book = self._book, None
        if book is not None:
            levels = (book.bids.levels(), book.asks.levels())
            self._pass(Message("book_reset", (*levels, book.nonce, held[0].arguments[-1])))


class SequenceHandover(Handover):
    """Of a stream of events, such as trades: it moves once both connections have brought the same one."""

    def __init__(self, listener: ExchangeListener) -> None:
        self._passed: list[Any] = []
        """What was passed on since there is a successor."""
        super().__init__(listener)

    def begin(self) -> Source:
        """Return the listener for the connection that the stream moves to."""
        self._passed = []
        return super().begin()

    def _pass(self, message: Message) -> None:
        if self.successor is not None:
            self._passed += message.arguments[0]
        super()._pass(message)

    def _hold(self, message: Message) -> None:
        if message.arguments[0]:
            self._held.append(message)

    def _has_caught_up(self) -> bool:
        return bool(self._held) and self._held[0].arguments[0][0] in self._passed

    def _pass_held(self, held: list[Message]) -> None:
        passed, self._passed = self._passed, []
        for message in held:
            if new := [each for each in message.arguments[0] if each not in passed]:
                self._pass(Message(message.method, (new, message.arguments[-1])))


class AccountHandover(Handover):
    """Of an account's own stream, which may bring nothing for long: what either connection brings is passed on.

    Orders and own trades may come twice; who takes them joins them.
    """

    def _hold(self, message: Message) -> None:
        self._pass(message)


class AccountStateHandover(AccountHandover):
    """Of balances and positions: of the two connections' messages those that are older are dropped."""

    def _pass(self, message: Message) -> None:
        if self.successor is None or not self._is_older(message):
            super()._pass(message)


_KINDS: Final[dict[StreamAction, type[Handover]]] = {
    ORDER_BOOK: BookHandover,
    TRADES: SequenceHandover,
    LIQUIDATIONS: SequenceHandover,
    BALANCE: AccountStateHandover,
    POSITIONS: AccountStateHandover,
}


def handover_of(action: StreamAction, listener: ExchangeListener) -> Handover:
    """Return how a stream of an action moves."""
    return _KINDS.get(action, AccountHandover if action.is_private else Handover)(listener)
