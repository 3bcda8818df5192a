"""One listener for the adapter, many for the gatherer: passes the messages of a shared feed on."""

from collections.abc import Sequence
from typing import Any

from millrace_core.market import Candle, Fields, Level, Liquidation, Trade
from millrace_exchange import EventTimes


class Fanout:
    """Passes a feed's messages on to every listener; each of the kind that the feed is for."""

    def __init__(self) -> None:
        self.listeners: tuple[Any, ...] = ()

    def book_reset(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Pass on a whole book."""
        for listener in self.listeners:
            listener.book_reset(bids, asks, nonce, event)

    def book_changed(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Pass on the levels that one message set."""
        for listener in self.listeners:
            listener.book_changed(bids, asks, nonce, event)

    def book_broken(self, reason: str) -> None:
        """Pass on that a message is missing."""
        for listener in self.listeners:
            listener.book_broken(reason)

    def traded(self, trades: list[Trade], event: EventTimes) -> None:
        """Pass on trades; the list is the listener's own."""
        for listener in self.listeners:
            listener.traded(list(trades), event)

    def liquidated(self, liquidations: list[Liquidation], event: EventTimes) -> None:
        """Pass on liquidations; the list is the listener's own."""
        for listener in tuple(self.listeners):
            listener.liquidated(list(liquidations), event)

    def fields_changed(self, fields: Fields, event: EventTimes) -> None:
        """Pass on the fields of an object."""
        for listener in self.listeners:
            listener.fields_changed(fields, event)

    def candles_changed(self, candles: Sequence[Candle], event: EventTimes) -> None:
        """Pass on candles."""
        for listener in self.listeners:
            listener.candles_changed(candles, event)
