"""The terms of markets, as the statuses of their streams tell them: the newest of each market."""

from millrace_core.market_terms import terms_of
from millrace_store.backends.database import Database
from millrace_store.queries.listings import Listing, newest_rows, streams_of
from millrace_store.queries.pages import Scope
from millrace_store.queries.records import MarketRecord
from millrace_store.schema import tables


async def newest_terms(database: Database, scope: Scope) -> list[MarketRecord]:
    """Return the newest terms of each market of a scope, by exchange and symbol."""
    listing = Listing(tables.statuses, ("market",), 0, where=(tables.statuses.c.market.is_not(None),))
    async with database.reading() as reader:
        streams = [stream for stream in await streams_of(reader, scope) if stream.symbol is not None]
        found = await newest_rows(reader, scope, streams, listing)
    markets: dict[tuple[str, str], MarketRecord] = {}
    for one in sorted(found, key=lambda each: each.at_ms):
        exchange, symbol, terms = one.stream.exchange, one.stream.symbol or "", terms_of(one.values[0])
        if terms is not None:
            markets[exchange, symbol] = MarketRecord(exchange=exchange, symbol=symbol, at_ms=one.at_ms, terms=terms)
    return [markets[key] for key in sorted(markets)]
