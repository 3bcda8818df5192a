"""Notices that an exchange lists the symbol of a running stream no more."""

from typing import NoReturn

from millrace_gatherer.streams.stream import Stream


async def fail_when_delisted(stream: Stream) -> NoReturn:
    """Break a stream each time its symbol is gone from the exchange's markets: it would be silent, and look live.

    It is followed anew then, which is refused for as long as there is no such market.
    """
    exchange, symbol = stream.exchange, stream.symbol
    while True:
        await exchange.reloaded()
        if symbol not in exchange.rules.symbols:
            stream.fail(f"{exchange.id} lists {symbol} no more")
