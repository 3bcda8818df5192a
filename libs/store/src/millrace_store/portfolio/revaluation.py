"""Counts again what could not be counted whole at once: fees whose value was not known, and trades from before.

A fee in a third currency is worth the price at the end of its minute. That price is kept, so counting everything again
gives the same result, also after the market data are gone.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from millrace_core.clock import DAY_MS, MINUTE_MS, now_ms
from millrace_core.names import Tenant
from millrace_core.position import digits
from millrace_store.backends.database import Database
from millrace_store.portfolio.counting import recount
from millrace_store.portfolio.prices import Prices
from millrace_store.portfolio.trades import Market, markets_of
from millrace_store.schema import tables
from millrace_store.writing.orders import lock_accounts

_RETRIED_MS: Final = DAY_MS
"""For so long a price that is missing may still be stored."""
_SETTLED_MS: Final = 10_000
_BIG: Final = sa.BigInteger()


class _FeePrice(NamedTuple):
    """A row of `fee_prices`."""

    stream: int
    currency: str
    at_ms: int
    price: str


async def rebuild_positions(database: Database, tenant: Tenant) -> int:
    """Count all own trades of a tenant from the first one on; return how many.

    Prices of fees' currencies that were not known are looked up again.
    """
    async with database.reading() as reader:
        markets = await markets_of(reader, tables.streams.c.tenant == tenant)
    return sum([await _recount(database, market, 0, await _known_prices(database, market, 0)) for market in markets])


async def revalue(database: Database) -> None:
    """Count the markets that never were, and value the fees of the last day whose price is known by now."""
    counted, traded = tables.positions.c, tables.own_trades.c
    stream = tables.streams.c.id
    is_counted = sa.exists(sa.select(counted.at_ms).where(counted.stream_id == stream))
    has_trades = sa.exists(sa.select(traded.at_ms).where(traded.stream_id == stream))
    async with database.reading() as reader:
        new = await markets_of(reader, has_trades, ~is_counted)
        old = await markets_of(reader, is_counted)
    for market in new:
        await _recount(database, market, 0, [])
    for market in old:
        if prices := await _known_prices(database, market, now_ms() - _RETRIED_MS):
            await _recount(database, market, min(price.at_ms for price in prices), prices)


async def _recount(database: Database, market: Market, since_ms: int, prices: Sequence[_FeePrice]) -> int:
    """Store prices, and count the trades from a moment on with them."""
    async with database.writing() as writer:
        await lock_accounts(writer, database.dialect, [market.tenant])
        if prices:
            await writer.replace(tables.fee_prices, [tuple(price) for price in prices])
        return await recount(writer, market.stream, since_ms)


async def _known_prices(database: Database, market: Market, since_ms: int) -> list[_FeePrice]:
    """Return the prices that are wanted and known, from a moment on."""
    async with database.reading() as reader:
        if not (wanted := await reader.fetch(_wanted(market, since_ms))):
            return []
        prices, found = await Prices.of(reader, market.tenant, market.exchange), list[_FeePrice]()
        for currency, at_ms in wanted:
            price = await prices.price(currency, market.instrument.currency, at_ms + MINUTE_MS)
            if price is not None:
                found.append(_FeePrice(market.stream, currency, at_ms, digits(price.price)))
    return found


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
