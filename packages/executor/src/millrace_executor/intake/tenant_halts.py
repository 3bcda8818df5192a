"""One tenant's halts: those in Redis, and those that Redis has lost or could not take yet. All of them are in force."""

import asyncio
import contextlib

import structlog

from millrace_bus import CommandRefused, HaltNote, Halts, HaltScope
from millrace_core.names import Tenant
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter

log = structlog.get_logger()


class TenantHalts:
    """Puts halts in force at once and keeps Redis in step; only a lift, by a request or in Redis, ends one."""

    def __init__(self, tenant: Tenant, halts: Halts, controls: TradingControls, health: UnitHealthReporter) -> None:
        self._tenant = tenant
        self._halts = halts
        self._controls = controls
        self._health = health
        self._one_at_a_time = asyncio.Lock()
        """Keeps an older reply from undoing a newer one."""

    async def halt(self, scope: HaltScope, note: HaltNote) -> str | None:
        """Put a halt in force, then write it; return why Redis refuses to write it, or None.

        Each `read` retries what could not be written.
        """
        self._controls.unwritten_halts[scope] = note
        self._put_in_force()
        async with self._one_at_a_time:
            return await self._write()

    async def resume(self, scope: HaltScope) -> bool:
        """Lift the halt of exactly this scope; tell whether there was one.

        Raises:
            CommandRefused: Redis does not write; nothing was lifted.
        """
        async with self._one_at_a_time:
            was_there = await self._halts.clear(self._tenant, scope)
            was_there |= self._controls.unwritten_halts.pop(scope, None) is not None
            self._controls.halts_in_redis.pop(scope, None)
            self._put_in_force()
        return was_there

    async def read(self) -> list[HaltScope]:
        """Read the halts in Redis and write those that it lacks; return everything that is halted now."""
        async with self._one_at_a_time:
            found = await self._halts.read(self._tenant)
            if self._controls.halts_in_redis and not found.halts and not found.has_mark:
                # Lifting leaves the mark, so Redis has lost its data.
                self._report_loss()
                self._controls.unwritten_halts = self._controls.halts_in_redis | self._controls.unwritten_halts
            self._controls.halts_in_redis = found.halts
            self._put_in_force()
            await self._write()
            if found.halts and not found.has_mark:
                # Halted by hand: with the mark, a later loss is noticed.
                with contextlib.suppress(CommandRefused):
                    await self._halts.mark(self._tenant)
            return list(self._controls.halts)

    async def _write(self) -> str | None:
        for scope, note in list(self._controls.unwritten_halts.items()):
            try:
                await self._halts.set(self._tenant, scope, note)
            except CommandRefused as refused:
                return str(refused)
            self._controls.halts_in_redis[scope] = note
            if self._controls.unwritten_halts[scope] is note:
                del self._controls.unwritten_halts[scope]
        return None

    def _report_loss(self) -> None:
        scopes = ", ".join(map(str, self._controls.halts_in_redis))
        text = f"Redis lost the halts of {self._tenant}; they stay in force and are written again: {scopes}"
        log.error("Redis lost halts; they stay in force and are written again", halts=scopes)
        self._health.error(text)

    def _put_in_force(self) -> None:
        self._controls.put_halts_in_force()
        self._health.gauge("halts", len(self._controls.halts))
