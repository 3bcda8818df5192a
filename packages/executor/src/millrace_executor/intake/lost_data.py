"""Notices that Redis lost a tenant's data, and with it the ledger: halts trading until a person resumes it.

When the ledger began is kept where halts are kept: in Redis, in memory and in the database. So an executor that starts
beside an emptied Redis knows that there was another ledger before.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Final

import structlog

from millrace_bus import Leases
from millrace_core.clock import elapsed_s, now_ms
from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.names import ExchangeId
from millrace_executor.accepted_request import AcceptedRequest
from millrace_executor.answering.intents import KEPT_UNDATED_MS
from millrace_executor.intake.tenant_halts import TenantHalts
from millrace_executor.lease.tenure import Tenure
from millrace_executor.refused_writes import RefusedWrites
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter

BEGAN: Final = HaltScope(ExchangeId(".ledger"), "began")
"""Its resumption says when the ledger in Redis began. No exchange's id begins with a dot."""
LOST: Final = HaltScope(ExchangeId(".ledger"), "lost")
"""Its resumption says when a ledger was found lost that no process had in memory."""
REASON: Final = (
    "Redis lost its data, and with it what was under way: compare the orders on the exchange with what you expect, "
    "then resume"
)

log = structlog.get_logger()


class LostData:
    """Compares when the ledger began with what is remembered of it."""

    def __init__(
        self,
        tenure: Tenure,
        leases: Leases,
        halts: TenantHalts,
        controls: TradingControls,
        accounts: Callable[[], Collection[ExchangeId]],
        restore: Callable[[], Awaitable[None]],
        health: UnitHealthReporter,
        writes: RefusedWrites,
    ) -> None:
        """`accounts` returns the exchanges on which the tenant has an account; `restore` writes their ledgers again."""
        self._tenure = tenure
        self._restore = restore
        self._leases = leases
        self._writes = writes
        self._accounts = accounts
        self._halts = halts
        self._controls = controls
        self._health = health

    async def check(self) -> None:
        """Halt if the ledger is a new one.

        While the database does not answer, nothing is known of a former one; new orders are refused meanwhile.
        """
        known, began_ms = self._controls.halts.resumed.get(BEGAN), self._tenure.born_ms
        if self._controls.doubt is not None:
            return
        if known == began_ms:
            return
        if known is not None:
            self._report()
            self._halts.halt(HaltScope(), self._note())
            if not self._tenure.remembers(self._accounts(), known):
                # Nothing restores what the ledger held.
                self._halts.learn(HaltState({}, {LOST: max(now_ms(), self._tenure.server_ms())}))
            if known > began_ms:
                # Of two markers the larger is kept: the clock of the server that has the new data may be behind.
                began_ms = await self._number_data(known + 1)
            # An executor that ends before all is written again leaves the loss to be found by the next.
            await self._restore()
        # Together with the halt: the loss must not be forgotten before the halt is durable.
        self._halts.learn(HaltState({}, {BEGAN: began_ms}))
        await self._halts.write()

    async def _number_data(self, born_ms: int) -> int:
        """Number Redis's data; return the number."""
        number = self._leases.number_data
        await self._writes.until_taken(lambda: self._tenure.write(lambda fence: number(fence, born_ms)))
        self._tenure.data_are(born_ms, elapsed_s())
        return born_ms

    def _note(self) -> HaltNote:
        """Return the note of the halt; an earlier halt of everything keeps its own note."""
        before = self._controls.halts.halts.get(HaltScope())
        if before is None:
            return HaltNote(since=now_ms(), reason=REASON, by="executor")
        return HaltNote(since=now_ms(), reason=f"{before.reason or 'halted'}; {REASON}", by=before.by)

    def _report(self) -> None:
        log.error("Redis lost its data; trading is halted", tenant=self._tenure.fence.tenant)
        self._health.error(f"trading is halted: {REASON}")


def doubt_about(accepted: AcceptedRequest, halts: HaltState) -> str | None:
    """Return why it cannot be known whether a request was carried out already; None if it was not."""
    if (lost_ms := halts.resumed.get(LOST)) is None:
        return None
    request = accepted.request
    if request.requested_at is None:
        # Nothing tells a late copy of a request without a time from a new one, except that the id was made up.
        may_be_older = request.request_id is not None and now_ms() < lost_ms + KEPT_UNDATED_MS
    else:
        may_be_older = request.requested_at <= lost_ms
    if not may_be_older:
        return None
    return "Redis has lost its data since: it may have been carried out already; send it anew, with another requestId"
