"""What a tenant's accounts held at any moment, from the balances that are stored."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa

from millrace_core.market import net_of
from millrace_core.names import Tenant
from millrace_core.position import EXACT, plain
from millrace_store.backends.database import Reader
from millrace_store.schema import tables

_BIG = sa.BigInteger()


class Held(NamedTuple):
    """What an account holds of a currency."""

    amount: Decimal
    """What is owned: below zero if more is owed than held."""
    debt: Decimal
    """What is owed; it is taken off the amount."""


class BalanceChange(NamedTuple):
    """A stored balance."""

    at_ms: int
    epoch: int
    exchange: str
    is_snapshot: bool
    currency: str
    held: Held


class Accounts:
    """The balances of a tenant's accounts, change by change."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, tuple[int, Held]]] = {}
        """By exchange and currency: the epoch of the newest report, and what is held."""

    def apply(self, change: BalanceChange) -> None:
        """Apply the next change.

        The first snapshot of an epoch names every balance, so what only earlier epochs reported is gone.
        """
        held = self._held.setdefault(change.exchange, {})
        if change.is_snapshot:
            for code in [code for code, (epoch, _) in held.items() if epoch < change.epoch]:
                del held[code]
        held[change.currency] = change.epoch, change.held

    def holdings(self) -> list[tuple[str, str, Held]]:
        """Return exchange, currency and what is held of each, where something is held or owed."""
        every = ((exchange, code, held[1]) for exchange, all_ in self._held.items() for code, held in all_.items())
        return sorted(one for one in every if any(one[2]))


async def first_ms(reader: Reader, tenant: Tenant) -> int | None:
    """Return when the first balance of a tenant was reported, or None."""
    found: int | None = (await reader.fetch(_of(tenant, sa.func.min(tables.balances.c.at_ms))))[0][0]
    return found


async def accounts_at(reader: Reader, tenant: Tenant, at_ms: int) -> Accounts:
    """Return the balances at a moment."""
    table = tables.balances.c
    newest = (
        _of(tenant, table.stream_id, table.currency, sa.func.max(table.at_ms).label("at_ms"))
        .where(table.at_ms <= sa.literal(at_ms, _BIG))
        .group_by(table.stream_id, table.currency)
        .subquery()
    )
    is_newest = (
        (newest.c.stream_id == table.stream_id)
        & (newest.c.currency == table.currency)
        & (newest.c.at_ms == table.at_ms)
    )
    found = await reader.fetch(_changes(tenant).join(newest, is_newest))
    accounts = Accounts()
    for change in _read(found):
        accounts.apply(change)
    return accounts


async def changes_between(
    reader: Reader, tenant: Tenant, after_ms: int, until_ms: int, limit: int
) -> list[BalanceChange]:
    """Return the changes after a moment and up to another, oldest first, as many as `limit`."""
    at_ms = tables.balances.c.at_ms
    wanted = _changes(tenant).where(at_ms > sa.literal(after_ms, _BIG), at_ms <= sa.literal(until_ms, _BIG))
    return _read(await reader.fetch(wanted.limit(limit)))


def _changes(tenant: Tenant) -> sa.Select[Any]:
    table, stream = tables.balances.c, tables.streams.c
    amounts = (table.free, table.used, table.total, table.debt)
    return _of(tenant, table.at_ms, table.epoch, stream.exchange, stream.face, table.currency, *amounts).order_by(
        table.at_ms, table.epoch, table.seq, table.n
    )


def _of(tenant: Tenant, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    table, stream = tables.balances.c, tables.streams.c
    return (
        sa.select(*columns)
        .select_from(tables.streams)
        .join(tables.balances, table.stream_id == stream.id)
        .where(stream.tenant == tenant, stream.action == "watchBalance")
    )


def _read(rows: Iterable[Any]) -> list[BalanceChange]:
    return [
        BalanceChange(at_ms, epoch, exchange, face == "snapshots", currency, _held(*amounts))
        for at_ms, epoch, exchange, face, currency, *amounts in rows
    ]


def _held(free: Any, used: Any, total: Any, debt: Any) -> Held:
    whole = Decimal(total) if total is not None else EXACT.add(Decimal(free or 0), Decimal(used or 0))
    owed = Decimal(debt or 0)
    return Held(plain(net_of(whole, owed)), plain(owed))
