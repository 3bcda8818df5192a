"""Whose turn it is when a few places are wanted by many: the tenant's that has the fewest. Pure of any database."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from millrace_core.names import Tenant


class Turns:
    """Places that tenants take for a while."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._held: Counter[Tenant] = Counter()
        self._waiting: list[tuple[Tenant, asyncio.Future[None]]] = []
        """Who came first stands first."""

    @asynccontextmanager
    async def turn(self, tenant: Tenant) -> AsyncIterator[None]:
        """Hold a place for a block, as soon as it is the tenant's turn."""
        await self._place(tenant)
        try:
            yield
        finally:
            self._give_back(tenant)

    async def _place(self, tenant: Tenant) -> None:
        if self._free:
            self._take(tenant)
            return
        place = asyncio.get_running_loop().create_future()
        waiting = (tenant, place)
        self._waiting.append(waiting)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._give_back(tenant)
            else:
                self._waiting.remove(waiting)
            raise

    def _take(self, tenant: Tenant) -> None:
        self._free -= 1
        self._held[tenant] += 1

    def _give_back(self, tenant: Tenant) -> None:
        self._free += 1
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]
        if self._waiting:
            # The first of those whose tenant has the fewest.
            chosen = min(self._waiting, key=lambda waiting: self._held[waiting[0]])
            self._waiting.remove(chosen)
            self._take(chosen[0])
            chosen[1].set_result(None)
