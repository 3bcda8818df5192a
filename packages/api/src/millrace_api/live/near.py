"""Streams that are near one that nobody writes, found for many clients without slowing down the others."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from millrace_api.access.principal import Principal
from millrace_api.access.sharing import may_read
from millrace_bus import Bus
from millrace_core.names import PUBLIC, StreamName, Tenant
from millrace_core.near_names import near_streams

_FRESH_S: Final = 5.0
"""How long a list of streams is used again."""


@dataclass
class _Known:
    """What a tenant may read, and what was found near streams that it asked for."""

    listed_s: float
    existing: list[StreamName]
    near: dict[StreamName, list[StreamName]] = field(default_factory=dict)


class NearStreams:
    """Finds near streams; one search at a time, between which the event loop does other work."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._searching = asyncio.Lock()
        self._known: dict[Tenant, _Known] = {}

    async def to(self, wanted: StreamName, principal: Principal) -> list[StreamName]:
        """Return what a principal may read that is near a stream, the nearest first.

        All who wait for the same stream at a time share one search.
        """
        async with self._searching:
            await asyncio.sleep(0)
            known = await self._of(principal)
            if wanted not in known.near:
                known.near[wanted] = near_streams(wanted, known.existing)
            return known.near[wanted]

    async def _of(self, principal: Principal) -> _Known:
        now_s = asyncio.get_running_loop().time()
        self._known = {of: known for of, known in self._known.items() if now_s - known.listed_s <= _FRESH_S}
        if (known := self._known.get(principal.tenant)) is None:
            names = await self._bus.stream_names({principal.tenant, PUBLIC})
            known = _Known(now_s, [name for name in names if may_read(principal, name)])
            self._known[principal.tenant] = known
        return known
