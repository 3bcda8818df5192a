"""Listeners: the interfaces that receive an exchange's streams."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from millrace_core.market import Balances, Candle, ExchangePosition, Fields, Level, Liquidation, Trade
from millrace_core.orders import Order


class EventTimes(NamedTuple):
    """When something happened, and when it was received."""

    timestamp: int | None
    """The exchange's own time of the event, ms; None if it sends none."""
    received_ns: int
    """The frame was read, wall clock."""


class BookListener(Protocol):
    """Receives one symbol's order book. Called synchronously, in the order in which the adapter applied things."""

    def book_reset(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Take the whole book, which replaces the earlier one."""

    def book_changed(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Take the levels that one message set, in its order; amount 0 removes the level."""

    def book_broken(self, reason: str) -> None:
        """Learn that a message is missing: what follows is wrong until the book is streamed again."""


class TradesListener(Protocol):
    """Receives trades, public ones or our own."""

    def traded(self, trades: list[Trade], event: EventTimes) -> None:
        """Take new trades, oldest first."""


class AccountListener(Protocol):
    """Receives a stream of an account, which can be asked for: it goes on where a message is missing."""

    def message_missed(self, reason: str) -> None:
        """Learn that the exchange sent something that cannot be read: what it said is missing."""


class OwnTradesListener(TradesListener, AccountListener, Protocol):
    """Receives our own trades."""


class OrdersListener(AccountListener, Protocol):
    """Receives our own orders in one symbol."""

    def orders_changed(self, orders: list[Order], event: EventTimes) -> None:
        """Take orders as they are now, each whole."""


class BalanceListener(AccountListener, Protocol):
    """Receives the account's balances."""

    def balance_changed(self, balances: Balances, event: EventTimes) -> None:
        """Take the balances that the exchange sent; others are not included."""


class PositionsListener(AccountListener, Protocol):
    """Receives the account's positions."""

    def positions_changed(self, positions: list[ExchangePosition], event: EventTimes) -> None:
        """Take the positions that the exchange sent, each whole; others are not included, and closed ones have 0."""


class LiquidationsListener(Protocol):
    """Receives one symbol's liquidations."""

    def liquidated(self, liquidations: list[Liquidation], event: EventTimes) -> None:
        """Take new liquidations, oldest first."""


class FieldsListener(Protocol):
    """Receives one object of a symbol, such as its ticker."""

    def fields_changed(self, fields: Fields, event: EventTimes) -> None:
        """Take all its fields that have a value."""


class CandlesListener(Protocol):
    """Receives one symbol's candles of one timeframe."""

    def candles_changed(self, candles: Sequence[Candle], event: EventTimes) -> None:
        """Take new and changed candles, oldest first."""


OnSubscribed = Callable[[], None]
"""Called when the exchange sends a stream from now on."""


def ignore() -> None:
    """Do nothing."""


ExchangeListener = Any
"""One of the above, by the kind of stream that it was registered for."""
