"""Streams that are near one that nobody writes, found for many clients without slowing down the others."""

import asyncio
from typing import Final

from millrace_api.access.principal import Principal
from millrace_api.access.sharing import may_read
from millrace_bus import Bus
from millrace_core.names import PUBLIC, StreamName, Tenant
from millrace_core.near_names import near_streams

_FRESH_S: Final = 1.0
"""How long a list of streams is used again."""


class NearStreams:
    """Finds near streams; one search at a time, between which the event loop does other work."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._searching = asyncio.Lock()
        self._tenant: Tenant | None = None
        self._listed_s = 0.0
        self._existing: list[StreamName] = []

    async def to(self, wanted: StreamName, principal: Principal) -> list[StreamName]:
        """Return what a principal may read that is near a stream, the nearest first."""
        async with self._searching:
            await asyncio.sleep(0)
            return near_streams(wanted, await self._of(principal))

    async def _of(self, principal: Principal) -> list[StreamName]:
        tenant = principal.tenant
        now_s = asyncio.get_running_loop().time()
        if tenant != self._tenant or now_s - self._listed_s > _FRESH_S:
            names = await self._bus.stream_names({tenant, PUBLIC})
            self._existing = [name for name in names if may_read(principal, name)]
            self._tenant, self._listed_s = tenant, now_s
        return self._existing
