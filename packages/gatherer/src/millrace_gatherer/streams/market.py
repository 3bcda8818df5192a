"""What the exchange's list of markets says of a running stream."""

from typing import NoReturn

from millrace_exchange import ExchangeError
from millrace_gatherer.streams.stream import Stream


async def report_source(stream: Stream) -> None:
    """Report by what a stream comes, as soon as the exchange says of what kind its market or account is."""
    while True:
        try:
            source = await stream.exchange.source(stream.action, stream.unit.name.symbol)
        except ExchangeError:
            await stream.exchange.reloaded()
        else:
            stream.health.source(source)
            return


async def follow_market(stream: Stream) -> NoReturn:
    """Publish the terms of a stream's market, each time that the exchange's markets are loaded.

    The stream breaks when its symbol is gone from them: it would be silent, and look live. It is followed anew then,
    which is refused for as long as there is no such market.
    """
    exchange, symbol = stream.exchange, stream.symbol
    while True:
        if (terms := exchange.rules.terms(symbol)) is not None:
            stream.writer.market(terms)
        await exchange.reloaded()
        if symbol not in exchange.rules.symbols:
            stream.fail(f"{exchange.id} lists {symbol} no more")
