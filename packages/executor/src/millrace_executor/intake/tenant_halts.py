"""One tenant's halts: what this executor knows, what Redis holds, and what the database holds are joined.

Whatever loses a halt gets it back from the others; only a resumption ends one.
"""

import asyncio
from typing import Final

import structlog

from millrace_bus import CommandRefused, Halts
from millrace_bus.requests.halts import HaltsRead
from millrace_core.clock import now_ms
from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.names import Tenant
from millrace_executor.intake.executor_database import ANSWERED_S, SOON_S, ExecutorDatabase
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter
from millrace_store import StoreError

STORED_EVERY_S: Final = 10.0
"""How often the database is asked for halts that other programs stored, when nothing changes here."""
_RETRY_S: Final = 1.0

log = structlog.get_logger()


class TenantHalts:
    """Puts halts in force at once, and keeps Redis and the database in step."""

    def __init__(
        self,
        tenant: Tenant,
        halts: Halts,
        database: ExecutorDatabase,
        controls: TradingControls,
        health: UnitHealthReporter,
    ) -> None:
        self._tenant = tenant
        self._halts = halts
        self._database = database
        self._controls = controls
        self._health = health
        self._writing = asyncio.Lock()
        """One writer of Redis at a time: an older state must not follow a newer one."""
        self._changed = asyncio.Event()
        """Set when there is something to store."""
        self._unwritten: set[HaltScope] = set()
        """Halts that Redis never held."""
        self._reported: set[HaltScope] = set()
        """Halts that Redis lost, as far as reported."""
        self._is_away = False
        """Whether the database did not answer last time; an outage is reported once."""

    async def begin(self) -> None:
        """Put in force what Redis and the database hold; without the database, nothing new may be sent."""
        await self.read()
        # Requests are read after this, cancels too.
        if (reason := await self.store(SOON_S)) is not None:
            self._controls.doubt_halts(
                f"whether trading is halted is not known: the database does not answer: {reason}"
            )
            self._health.state("stale", f"new orders are refused: {self._controls.doubt}")
            return
        self._controls.trust_halts()
        self._health.state("live")
        await self.read()

    def halt(self, scope: HaltScope, note: HaltNote) -> None:
        """Put a halt in force."""
        known = self._controls.halts
        halted = known.halted(scope, note)
        self._unwritten |= halted.halts.keys() - known.halts.keys()
        self.learn(halted)

    async def write(self) -> str | None:
        """Write to Redis and the database what is in force; return why one of them does not take it, or None."""
        async with self._writing:
            refusal = await self._write()
        unstored = await self.store()
        return refusal or unstored

    async def resume(self, scope: HaltScope) -> bool:
        """Lift the halt of exactly this scope; tell whether there was one.

        Raises:
            CommandRefused: Redis does not write; nothing was lifted.
        """
        async with self._writing:
            found = await self._halts.read(self._tenant)
            self.learn(found.joined_to(self._controls.halts, now_ms()))
            if scope not in self._controls.halts.halts:
                return False
            resumed = self._controls.halts.resume(scope, now_ms())
            await self._halts.write(self._tenant, resumed)
            self.learn(resumed)
            self._changed.set()
            return True

    async def read(self) -> None:
        """Learn the halts in Redis, and write those that it lacks."""
        async with self._writing:
            found = await self._halts.read(self._tenant)
            before = self._controls.halts
            self.learn(found.joined_to(before, now_ms()))
            self._report_lost(found)
            if self._controls.halts != found.state or found.typed:
                await self._write()
            if self._controls.halts != before:
                self._changed.set()

    async def keep_stored(self) -> None:
        """Store each change, and learn what others stored, until cancelled."""
        while True:
            is_stored = await self.store() is None
            try:
                async with asyncio.timeout(STORED_EVERY_S if is_stored else _RETRY_S):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def store(self, within_s: float = ANSWERED_S) -> str | None:
        """Join with the database; return why it does not answer, or None."""
        self._changed.clear()
        try:
            stored = await self._database.merge(self._tenant, self._controls.halts, within_s=within_s)
        except StoreError as error:
            self._unavailable(error)
            return str(error)
        self.learn(stored)
        self._answered()
        return None

    def learn(self, state: HaltState) -> None:
        """Put halts and resumptions in force here."""
        self._controls.learn_halts(state)
        self._health.gauge("halts", len(self._controls.halts.halts))

    async def _write(self) -> str | None:
        known = self._controls.halts
        try:
            await self._halts.write(self._tenant, known)
        except CommandRefused as refused:
            return str(refused)
        self._unwritten -= known.halts.keys()
        return None

    def _report_lost(self, found: HaltsRead) -> None:
        lost = self._controls.halts.halts.keys() - found.state.halts.keys() - found.typed.keys() - self._unwritten
        if lost - self._reported:
            scopes = ", ".join(map(str, lost))
            log.error("Redis lost halts; they stay in force and are written again", halts=scopes)
            self._health.error(
                f"Redis lost the halts of {self._tenant}; they stay in force until they are resumed, and are written "
                f"again: {scopes}"
            )
        self._reported = lost

    def _unavailable(self, error: StoreError) -> None:
        if not self._is_away:
            self._is_away = True
            log.error("halts cannot be stored; trying again", cause=str(error))
            self._health.error(error)

    def _answered(self) -> None:
        self._is_away = False
        if self._controls.doubt is not None:
            self._controls.trust_halts()
            self._health.state("live")
            log.info("the database answers: halts are known")
