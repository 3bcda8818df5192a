"""Equity over time: the value of a tenant's balances in one currency, each minute and when they change."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from millrace_core.clock import DAY_MS, MINUTE_MS, now_ms
from millrace_core.names import Tenant
from millrace_core.position import EXACT, digits, plain
from millrace_store.backends.database import Database, Reader
from millrace_store.portfolio.balances import Accounts, Held, accounts_at, changes_between, first_ms
from millrace_store.portfolio.prices import Prices
from millrace_store.queries.portfolio_records import Holding
from millrace_store.schema import tables

_SETTLED_MS: Final = 2_000
"""What is older is stored."""
_CHANGES_APART_MS: Final = 10_000
"""Of several changes within this time the last one makes a sample."""
_CHANGES_AT_ONCE: Final = 20_000
_SAMPLES_AT_ONCE: Final = 500


async def sample_equity(database: Database, currencies: Mapping[Tenant, str]) -> None:
    """Store the samples that are due, of each of these tenants in its currency.

    What was missed is made up for, from the last day at most.
    """
    for tenant, currency in currencies.items():
        async with database.reading() as reader:
            rows = await _samples(reader, tenant, currency, now_ms() - _SETTLED_MS)
        if rows:
            async with database.writing() as writer:
                await writer.insert_missing(tables.equity, rows)


def moments(after_ms: int, until_ms: int, changed_ms: Iterable[int]) -> list[int]:
    """Return when samples are due after a moment and up to another: whole minutes, and changes."""
    last_of_each = {at_ms // _CHANGES_APART_MS: at_ms for at_ms in sorted(changed_ms)}
    minutes = range(after_ms - after_ms % MINUTE_MS + MINUTE_MS, until_ms + 1, MINUTE_MS)
    return sorted({*minutes, *last_of_each.values()})


async def _samples(reader: Reader, tenant: Tenant, currency: str, until_ms: int) -> list[tuple[Any, ...]]:
    after_ms = await _sampled_until(reader, tenant, until_ms)
    if after_ms is None:
        return []
    accounts = await accounts_at(reader, tenant, after_ms)
    changes = await changes_between(reader, tenant, after_ms, until_ms, _CHANGES_AT_ONCE)
    if len(changes) == _CHANGES_AT_ONCE:
        until_ms = changes[-1].at_ms - 1
    valuation, rows, pending = _Valuation(reader, tenant, currency), [], iter(changes)
    change = next(pending, None)
    due = moments(after_ms, until_ms, (one.at_ms for one in changes if one.at_ms <= until_ms))
    for at_ms in due[:_SAMPLES_AT_ONCE]:
        while change is not None and change.at_ms <= at_ms:
            accounts.apply(change)
            change = next(pending, None)
        rows.append(await valuation.sample(accounts, at_ms))
    return rows


async def _sampled_until(reader: Reader, tenant: Tenant, until_ms: int) -> int | None:
    """Return the moment after which samples are due; None for a tenant without balances."""
    table = tables.equity.c
    sampled = (await reader.fetch(sa.select(sa.func.max(table.at_ms)).where(table.tenant == tenant)))[0][0]
    if sampled is None:
        first = await first_ms(reader, tenant)
        sampled = None if first is None else first - 1
    return None if sampled is None else max(sampled, until_ms - DAY_MS)


class _Valuation:
    """Values balances in one currency."""

    def __init__(self, reader: Reader, tenant: Tenant, currency: str) -> None:
        self._reader, self._tenant, self._currency = reader, tenant, currency
        self._prices: dict[str, Prices] = {}
        """By exchange."""

    async def sample(self, accounts: Accounts, at_ms: int) -> tuple[Any, ...]:
        """Return the row of `equity` of a moment."""
        holdings = [await self._holding(*held, at_ms) for held in accounts.holdings()]
        with localcontext(EXACT):
            value = sum((one.value for one in holdings if one.value is not None), Decimal(0))
        return (self._tenant, at_ms, self._currency, digits(value), msgspec.json.encode(holdings).decode())

    async def _holding(self, exchange: str, currency: str, held: Held, at_ms: int) -> Holding:
        if exchange not in self._prices:
            self._prices[exchange] = await Prices.of(self._reader, self._tenant, exchange)
        found = await self._prices[exchange].price(currency, self._currency, at_ms + 1)
        price = None if found is None else found.price
        value = None if price is None else plain(EXACT.multiply(held.amount, price))
        debt = held.debt or None
        return Holding(exchange=exchange, currency=currency, amount=held.amount, debt=debt, price=price, value=value)
