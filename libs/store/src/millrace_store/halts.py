"""The table of halts: the copy of them that outlives Redis and the executor."""

from typing import Any

import sqlalchemy as sa

from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.names import Tenant
from millrace_store.backends.database import Database, Reader
from millrace_store.schema import tables
from millrace_store.writing.orders import lock_accounts
from millrace_store.writing.rows import nul_free


class StoredHalts:
    """Reads and joins the halts of every tenant; reached as `store.halts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: Tenant) -> HaltState:
        """Return what is stored of a tenant's halts.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        async with self._database.reading() as reader:
            return await _stored(reader, tenant)

    async def merge(self, tenant: Tenant, known: HaltState) -> HaltState:
        """Join what is known with what is stored, store that, and return it.

        Raises:
            DatabaseUnavailable: the database does not answer; to merge again does no harm.
        """
        if known.join(stored := await self.get(tenant)) == stored:
            return stored
        async with self._database.writing() as writer:
            await lock_accounts(writer, self._database.dialect, [tenant])
            joined = known.join(await _stored(writer, tenant))
            await writer.replace(tables.halts, _rows(tenant, joined))
        return joined


async def _stored(reader: Reader, tenant: Tenant) -> HaltState:
    wanted = sa.select(*tables.halts.columns).where(tables.halts.c.tenant == tenant)
    halts, resumed = {}, {}
    for _, text, since_ms, reason, author, resumed_ms in await reader.fetch(wanted):
        scope = HaltScope.parse(text)
        if since_ms is not None:
            halts[scope] = HaltNote(since_ms, reason, author)
        if resumed_ms is not None:
            resumed[scope] = resumed_ms
    return HaltState(halts, resumed)


def _rows(tenant: Tenant, state: HaltState) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for scope in state.halts.keys() | state.resumed.keys():
        note = state.halts.get(scope)
        of_halt = (None,) * 3 if note is None else (note.since, nul_free(note.reason), nul_free(note.by))
        rows.append((str(tenant), nul_free(str(scope)), *of_halt, state.resumed.get(scope)))
    return rows
