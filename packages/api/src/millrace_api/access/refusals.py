"""What was denied, in the audit trail: the first at once, those that follow it as one row with their number."""

import asyncio
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from millrace_api.access.audit import entry
from millrace_api.access.principal import Principal
from millrace_api.access.trail import Trail

SUM_S: Final = 5.0
"""How long denials of one action to one token and address are summed up."""
_TARGETS_NAMED: Final = 10


class _Asker(NamedTuple):
    tenant: str
    token_id: str
    address: str
    action: str


@dataclass
class _Sum:
    """Refusals after the first."""

    times: int = 0
    targets: set[str] = field(default_factory=set)


class Refusals:
    """Sums up what was denied."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._sums: dict[_Asker, _Sum] = {}

    def note(
        self, principal: Principal, address: str, target: str, action: str = "subscribe", detail: object = None
    ) -> None:
        """Record that a client asked for something that it may not have, such as a stream."""
        asker = _Asker(principal.tenant, principal.token_id, address, action)
        if (known := self._sums.get(asker)) is not None:
            known.times += 1
            if len(known.targets) < _TARGETS_NAMED:
                known.targets.add(target)
            return
        self._sums[asker] = _Sum()
        self._record(asker, target, detail)
        asyncio.get_running_loop().call_later(SUM_S, self._finish, asker)

    def _finish(self, asker: _Asker) -> None:
        summed = self._sums.pop(asker)
        if summed.times:
            self._record(asker, None, {"times": summed.times, "targets": sorted(summed.targets)})

    def _record(self, asker: _Asker, target: str | None, detail: object) -> None:
        self._trail.add(
            entry(
                action=asker.action,
                outcome="denied",
                tenant=asker.tenant,
                actor=asker.token_id,
                address=asker.address,
                target=target,
                detail=detail,
            )
        )
