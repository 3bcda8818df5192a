"""One time during which this process holds a tenant's lease. All that it writes or sends for the tenant needs one."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from typing import Final, NoReturn, TypeVar

from millrace_bus import FENCED, CommandRefused, Fence
from millrace_bus.requests.lease import LEASE_MS
from millrace_core.clock import elapsed_ms, elapsed_s
from millrace_core.errors import MillraceError
from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId
from millrace_executor.answering.ledger_memory import LedgerMemory

SURE_S: Final = (LEASE_MS - 500) / 1000
"""How long after a confirmation nobody else can have the lease; the margin is for what follows the check."""

T = TypeVar("T")


class LeaseLost(MillraceError):
    """Another executor acts for the tenant: nothing more may be sent, written or answered here."""


class Tenure:
    """A lease's token, and when Redis last confirmed it."""

    def __init__(
        self,
        fence: Fence,
        born_ms: int,
        server_ms: int,
        confirmed_s: float,
        confirm: Callable[["Tenure"], Awaitable[None]],
    ) -> None:
        self.fence = fence
        self.born_ms = born_ms
        """Which data Redis has: when the tenant's lease was first written in them, ms; others have another number."""
        self._births = [born_ms]
        """Those of all data that Redis had meanwhile, in their order."""
        self._born_asked_s = confirmed_s
        """When Redis was asked that said so."""
        self._reborn = asyncio.Event()
        self.users = 0
        """Units at work under it."""
        self.answering: set[RequestId] = set()
        """Requests that are being answered in place of their account, which must not answer them too."""
        self._ledgers: defaultdict[ExchangeId, LedgerMemory] = defaultdict(LedgerMemory)
        self._server_offset_ms = server_ms - elapsed_ms()
        self._confirmed_s = confirmed_s
        self._confirm = confirm
        self._lost = asyncio.Event()

    def ledgers(self) -> Collection[ExchangeId]:
        """Return the accounts whose ledgers are remembered."""
        return list(self._ledgers)

    def ledger_of(self, exchange: ExchangeId) -> LedgerMemory:
        """Return what is remembered of an account's ledger."""
        return self._ledgers[exchange]

    def remembers(self, exchanges: Collection[ExchangeId], born_ms: int) -> bool:
        """Tell whether all ledgers were read from the data that were born then, or from earlier ones."""
        if born_ms not in self._births:
            return False
        so_far = self._births[: self._births.index(born_ms) + 1]
        return bool(exchanges) and all(self._ledgers[each].read_from_ms in so_far for each in exchanges)

    @property
    def is_lost(self) -> bool:
        """Tell whether it is known to be over."""
        return self._lost.is_set()

    def end(self) -> None:
        """Let nothing more be done under it."""
        self._lost.set()

    def server_ms(self) -> int:
        """Return the time by Redis's clock, which all executors share, late by what its answers take to arrive."""
        return self._server_offset_ms + elapsed_ms()

    def confirmed(self, at_s: float, born_ms: int | None = None, server_ms: int | None = None) -> None:
        """Learn that Redis confirmed it, when asked at this time or later, of which data, and by which clock."""
        self._confirmed_s = max(self._confirmed_s, at_s)
        if server_ms is not None:
            # The answer that took the least time tells best.
            self._server_offset_ms = max(self._server_offset_ms, server_ms - elapsed_ms())
        if born_ms is not None and at_s >= self._born_asked_s:
            self.data_are(born_ms, at_s)

    def data_are(self, born_ms: int, asked_s: float) -> None:
        """Learn which data Redis has, by an answer to what was asked at this time."""
        self._born_asked_s = asked_s
        if born_ms != self.born_ms:
            self.born_ms = born_ms
            self._births.append(born_ms)
            self._reborn.set()
            self._reborn = asyncio.Event()

    async def reborn(self) -> None:
        """Wait until Redis has lost its data."""
        await self._reborn.wait()

    async def until_lost(self) -> NoReturn:
        """Wait until it is lost.

        Raises:
            LeaseLost: it is.
        """
        await self._lost.wait()
        raise self._loss()

    async def assure(self) -> None:
        """Return if nobody else can have the lease at this moment; ask Redis if that is in doubt.

        Raises:
            LeaseLost: another executor has it.
        """
        while not self.is_sure():
            await self.confirm()

    def is_sure(self) -> bool:
        """Tell whether nobody else can have the lease at this moment; if not, Redis has to be asked.

        Raises:
            LeaseLost: another executor has it.
        """
        self.check()
        return elapsed_s() - self._confirmed_s < SURE_S

    async def confirm(self) -> None:
        """Have Redis confirm the lease now.

        Raises:
            LeaseLost: another executor has it.
        """
        self.check()
        await self._confirm(self)
        self.check()

    async def write(self, command: Callable[[Fence], Awaitable[T]]) -> T:
        """Return the reply to a command that Redis checks against the lease, and that renews it.

        Raises:
            LeaseLost: another executor has it; nothing was written.
            CommandRefused: Redis refuses for another reason.
        """
        while True:
            self.check()
            asked_s = elapsed_s()
            try:
                reply = await command(self.fence)
            except CommandRefused as refused:
                if refused.code != FENCED:
                    raise
                await self.confirm()
            else:
                self.confirmed(asked_s)
                return reply

    def check(self) -> None:
        """Return unless it is known to be lost.

        Raises:
            LeaseLost: it is.
        """
        if self.is_lost:
            raise self._loss()

    def _loss(self) -> LeaseLost:
        return LeaseLost(f"another executor acts for {self.fence.tenant}")
