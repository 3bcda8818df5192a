"""Refused subscriptions in the audit trail: the first at once, those that follow it as one row with their number."""

import asyncio
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from millrace_api.access.audit import entry
from millrace_api.access.principal import Principal
from millrace_api.access.trail import Trail

SUM_S: Final = 5.0
"""How long refusals of one token and address are summed up."""
_STREAMS_NAMED: Final = 10


class _Asker(NamedTuple):
    tenant: str
    token_id: str
    address: str


@dataclass
class _Sum:
    """Refusals after the first."""

    times: int = 0
    streams: set[str] = field(default_factory=set)


class Refusals:
    """Sums up what live clients were refused."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._sums: dict[_Asker, _Sum] = {}

    def note(self, principal: Principal, address: str, stream: str) -> None:
        """Record that a client asked for a stream that it may not follow."""
        asker = _Asker(principal.tenant, principal.token_id, address)
        if (known := self._sums.get(asker)) is not None:
            known.times += 1
            if len(known.streams) < _STREAMS_NAMED:
                known.streams.add(stream)
            return
        self._sums[asker] = _Sum()
        self._record(asker, stream, None)
        asyncio.get_running_loop().call_later(SUM_S, self._finish, asker)

    def _finish(self, asker: _Asker) -> None:
        summed = self._sums.pop(asker)
        if summed.times:
            self._record(asker, None, {"times": summed.times, "streams": sorted(summed.streams)})

    def _record(self, asker: _Asker, stream: str | None, detail: object) -> None:
        self._trail.add(
            entry(
                action="subscribe",
                outcome="denied",
                tenant=asker.tenant,
                actor=asker.token_id,
                address=asker.address,
                target=stream,
                detail=detail,
            )
        )
