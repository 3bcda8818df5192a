"""A strategy whose every decision depends on all that a strategy can see, and on the order in which it saw it."""

from decimal import Decimal
from typing import Any
from zlib import crc32

from millrace_strategy import Context, Event, StartEvent, Strategy, StrategyConfiguration, TimerEvent


class Checksum(Strategy):
    """Places an order far from the market and cancels it, again and again, in hooks that wait.

    Validity and amount of each request are drawn from a checksum of every event, of its clock at each, and of the
    books, orders, positions, balances, candles, trades and state by then. So one that is missing, comes a place too
    early, or is another event's, changes all decisions after it.
    """

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        every_ms: int = 150
        """How often it decides."""
        least: Decimal = Decimal(1)
        """The least amount of an order."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._seen = 0
        self._is_busy = False

    def on_start(self, event: StartEvent) -> None:
        """Go on from the state of the last run."""
        self._see(self.state.get("seen"), len(self.orders))
        self.every(self.configuration.every_ms, self._place)

    def handle(self, event: Event) -> None:
        """Take an event into account, and all that can be seen at it."""
        if isinstance(event, TimerEvent):
            self._see(event.name, event.due_ms, event.timestamp)
        else:
            self._see(event)
        self._see(self.clock.now_ns(), len(self.orders), list(self.orders.open), dict(self.balances))
        for key, book in self.books.items():
            self._see(key, book, book.bids(3), book.asks(3), book.timestamp, book.nonce)
        for market, position in self.positions.items():
            self._see(market, position, self.trades[market].last, self.candles[*market, "1m"].closed)
        self.state["seen"] = self._seen

    async def _place(self) -> None:
        book = next((book for book in self.books.values() if book.trusted and book.symbol == "KCS/USDT"), None)
        if book is None or book.best_bid is None:
            return
        drawn = self._seen % 1_000
        pending = self.trader.create_order(
            exchange=book.exchange,
            symbol=book.symbol,
            side="buy",
            type="limit",
            amount=self.configuration.least + Decimal(drawn) / 1_000,
            price=round(Decimal(repr(book.best_bid[0])) * Decimal("0.9"), 3),
            valid_for_ms=5_000 + drawn,
        )
        # One that magicbox itself refuses, before the call returns: it is too large to be sent.
        self.trader.cancel_all_orders(exchange=book.exchange, symbol=book.symbol, params={"text": "x" * 70_000})
        response = await pending
        self._see(pending.request_id, response, self.clock.now_ns(), book)
        await self.clock.sleep(20 + drawn % 40)
        self._see(self.clock.now_ns(), book, book.bids(3))
        if response.order is not None:
            named = book.exchange, book.symbol, response.order.id
            await self.trader.cancel_order(named, valid_for_ms=5_000 + self._seen % 1_000)

    def _see(self, *facts: Any) -> None:
        self._seen = crc32(repr(facts).encode(), self._seen)
