"""A tenant's lease as one process sees it: waits for it, renews it, and leaves it once the work is done."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn
from uuid import uuid4

import structlog

from millrace_bus import CommandRefused, Fence, LeaseReply, Leases
from millrace_bus.tasks import was_cancelled
from millrace_core.clock import elapsed_s
from millrace_core.names import Tenant
from millrace_executor.lease.tenure import LeaseLost, Tenure
from millrace_service import UnitHealthReporter

RENEW_S: Final = 0.5
"""How often the lease is renewed."""
LOOK_S: Final = 0.25
"""How often a stand-by looks whether the lease was left."""
LEAVE_LIMIT_S: Final = 2.5
"""How long the end of the work is waited for before the lease is left; longer than requests may take to end."""
STANDBY: Final = "another executor acts for this tenant; this one takes over when that ends"

log = structlog.get_logger()


class TenantLease:
    """Holds a tenant's lease while `keep` runs. Each time that it is taken begins a `Tenure`."""

    def __init__(self, tenant: Tenant, leases: Leases, on_lost: Callable[[Tenant], None]) -> None:
        self._tenant = tenant
        self._leases = leases
        self._on_lost = on_lost
        self._holder = uuid4().hex
        self._tenure: Tenure | None = None
        self._taken = asyncio.Event()
        self._left = asyncio.Event()
        """Set when no unit is at work under the lease."""

    async def keep(self, health: UnitHealthReporter) -> None:
        """Take the lease whenever it is free, and renew it, until cancelled; then leave it once the work has ended."""
        try:
            while True:
                pause_s = await self._look(health)
                await asyncio.sleep(pause_s)
        finally:
            if was_cancelled():
                await self._leave()

    async def while_held(self, health: UnitHealthReporter, work: Callable[[Tenure], Awaitable[None]]) -> NoReturn:
        """Do work whenever the lease is held, and stand by while it is not, until cancelled."""
        while True:
            tenure = await self._held(health)
            tenure.users += 1
            try:
                await work(tenure)
            except LeaseLost as lost:
                log.warning("the lease is lost; standing by", unit=health.name, cause=str(lost))
            finally:
                tenure.users -= 1
                if not tenure.users:
                    self._left.set()

    async def _held(self, health: UnitHealthReporter) -> Tenure:
        while self._tenure is None:
            if health.current_state != "failed":
                health.state("standby", STANDBY)
            await self._taken.wait()
        return self._tenure

    async def _look(self, health: UnitHealthReporter) -> float:
        """Take or renew the lease; return how long to wait until the next look."""
        try:
            left_ms = await self._take()
        except CommandRefused as refused:
            if health.current_state != "stale":
                health.error(refused)
            health.state("stale", f"Redis refuses to renew the lease: {refused}")
            return RENEW_S
        if self._tenure is None:
            health.state("standby", STANDBY)
            return min(left_ms / 1000, LOOK_S)
        health.state("live")
        return RENEW_S

    async def _take(self) -> int:
        """Take or renew the lease; return for how many ms another holder's lasts."""
        tenure, asked_s = self._tenure, elapsed_s()
        reply = await self._leases.take(self._tenant, self._holder, tenure.fence.token if tenure else None)
        self._learn(tenure, reply, asked_s)
        return reply.left_ms

    def _learn(self, tenure: Tenure | None, reply: LeaseReply, asked_s: float) -> None:
        if tenure is not None and reply.token == tenure.fence.token:
            tenure.confirmed(asked_s, reply.born_ms, reply.server_ms)
            return
        if tenure is not None:
            self._lose(tenure)
        if reply.token is not None and self._tenure is None:
            self._begin(reply.token, reply, asked_s)

    def _begin(self, token: int, reply: LeaseReply, asked_s: float) -> None:
        log.info("acting for this tenant", tenant=self._tenant, lease=token)
        fence = Fence(self._tenant, token)
        self._tenure = Tenure(fence, reply.born_ms, reply.server_ms, asked_s, self._confirm)
        self._taken.set()

    async def _confirm(self, tenure: Tenure) -> None:
        """Renew the lease that a tenure is under, or end the tenure."""
        while True:
            asked_s = elapsed_s()
            try:
                reply = await self._leases.take(self._tenant, self._holder, tenure.fence.token)
            except CommandRefused as refused:
                if not refused.refuses_every_write:
                    raise
                await asyncio.sleep(RENEW_S)
            else:
                return self._learn(tenure, reply, asked_s)

    def _lose(self, tenure: Tenure) -> None:
        tenure.end()
        if self._tenure is tenure:
            self._tenure = None
            self._taken.clear()
            self._on_lost(self._tenant)

    async def _leave(self) -> None:
        """Renew the lease until the work under it has ended, then leave it."""
        if (tenure := self._tenure) is None:
            return
        try:
            async with asyncio.timeout(LEAVE_LIMIT_S):
                while tenure.users:
                    self._left.clear()
                    await self._left_or_renewed()
                if not tenure.is_lost:
                    await self._leases.release(tenure.fence)
        except (TimeoutError, CommandRefused):
            log.warning("the lease is not left; it ends by itself", tenant=self._tenant)
        self._lose(tenure)

    async def _left_or_renewed(self) -> None:
        try:
            async with asyncio.timeout(RENEW_S):
                await self._left.wait()
        except TimeoutError:
            await self._take()
