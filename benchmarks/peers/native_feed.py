"""Our native feed alone: books and trades passed to listeners that count them.

python -m benchmarks.peers.native_feed EXCHANGE_URL SYMBOL,SYMBOL
"""

import asyncio
import sys

import uvloop

from benchmarks.peers.counting import Counter
from millrace_core.config.common import Credentials
from millrace_core.market import Level, Trade
from millrace_exchange import EventTimes, open_exchange


class Listener:
    """Counts the messages of one symbol."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def book_reset(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Take the whole book, which came over REST."""

    def book_changed(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Count a message."""
        self._counter.count()

    def book_broken(self, reason: str) -> None:
        """Learn of a gap."""

    def traded(self, trades: list[Trade], event: EventTimes) -> None:
        """Count a message for each trade."""
        for _ in trades:
            self._counter.count()


async def main(url: str, symbols: str) -> None:
    """Follow until the process ends."""
    counter = Counter()
    counter.listen()
    exchange = await open_exchange("binance", Credentials(urls={"base": url}))
    await exchange.prepare()
    await asyncio.gather(
        *(exchange.market.order_book(symbol, Listener(counter)) for symbol in symbols.split(",")),
        *(exchange.market.trades(symbol, Listener(counter)) for symbol in symbols.split(",")),
    )


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
