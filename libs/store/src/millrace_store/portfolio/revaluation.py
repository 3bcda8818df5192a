"""Counts again what could not be counted whole at once: fees whose value was not known, and trades from before.

A fee in a third currency is worth the price at the end of its minute. That price is kept, so counting everything again
gives the same result, also after the market data are gone.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from millrace_core.clock import MINUTE_MS, now_ms
from millrace_core.names import Tenant
from millrace_store.backends.database import Database, Reader
from millrace_store.portfolio.counting import recount
from millrace_store.portfolio.position import digits
from millrace_store.portfolio.prices import Prices
from millrace_store.portfolio.trades import Market, markets_of
from millrace_store.schema import tables
from millrace_store.writing.orders import lock_accounts

_RETRIED_MS: Final = 60 * MINUTE_MS
"""For so long a price that is missing may still be stored."""
_SETTLED_MS: Final = 10_000
_BIG: Final = sa.BigInteger()


async def rebuild_positions(database: Database, tenant: Tenant) -> int:
    """Count all own trades of a tenant from the first one on; return how many.

    Prices of fees' currencies that were not known are looked up again.
    """
    async with database.reading() as reader:
        markets = await markets_of(reader, tables.streams.c.tenant == tenant)
    counted = 0
    for market in markets:
        await _value_fees(database, market, 0)
        counted += await _recount(database, market, 0)
    return counted


async def revalue(database: Database) -> None:
    """Count the markets that never were, and value the fees of the last hour whose price is known by now."""
    counted, traded = tables.positions.c, tables.own_trades.c
    stream = tables.streams.c.id
    is_counted = sa.exists(sa.select(counted.at_ms).where(counted.stream_id == stream))
    has_trades = sa.exists(sa.select(traded.at_ms).where(traded.stream_id == stream))
    async with database.reading() as reader:
        new = await markets_of(reader, has_trades, ~is_counted)
        old = await markets_of(reader, is_counted)
    for market in new:
        await _recount(database, market, 0)
    for market in old:
        first_ms = await _value_fees(database, market, now_ms() - _RETRIED_MS)
        if first_ms is not None:
            await _recount(database, market, first_ms)


async def _recount(database: Database, market: Market, since_ms: int) -> int:
    async with database.writing() as writer:
        await lock_accounts(writer, database.dialect, [market.tenant])
        return await recount(writer, market.stream, since_ms)


async def _value_fees(database: Database, market: Market, since_ms: int) -> int | None:
    """Store the prices that are wanted and known; return the first minute of which one is."""
    async with database.reading() as reader:
        wanted = await reader.fetch(_wanted(market, since_ms))
        known = await _known(reader, market, wanted) if wanted else []
    if known:
        async with database.writing() as writer:
            await writer.replace(tables.fee_prices, known)
    return min((row[2] for row in known), default=None)


def _wanted(market: Market, since_ms: int) -> sa.Select[Any]:
    table = tables.fee_prices.c
    settled_ms = now_ms() - MINUTE_MS - _SETTLED_MS
    return (
        sa.select(table.currency, table.at_ms)
        .where(
            table.stream_id == sa.literal(market.stream, _BIG),
            table.at_ms.between(sa.literal(since_ms, _BIG), sa.literal(settled_ms, _BIG)),
            table.price.is_(None),
        )
        .order_by(table.at_ms)
    )


async def _known(reader: Reader, market: Market, wanted: Sequence[Any]) -> list[tuple[Any, ...]]:
    prices, found = await Prices.of(reader, market.tenant, market.exchange), []
    for currency, at_ms in wanted:
        price = await prices.price(currency, market.instrument.currency, at_ms + MINUTE_MS)
        if price is not None:
            found.append((market.stream, currency, at_ms, digits(Decimal(price.price))))
    return found
