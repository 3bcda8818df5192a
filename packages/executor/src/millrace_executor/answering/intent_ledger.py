"""The ledger of one account: its intents by request id, each pending, unknown or settled.

An intent is written before anything is sent, so that the executor that runs after a crash knows what to ask the
exchange about. It stays for a while after its request is answered, so that a copy of the request is recognised.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

import structlog

from millrace_bus import Intents
from millrace_core.errors import MillraceError
from millrace_core.ids import RequestId
from millrace_core.messages import encode
from millrace_core.names import Action, ExchangeId, StreamName
from millrace_executor.accepted_request import EVERY_EXCHANGE, UNKNOWN
from millrace_executor.answering.intents import Intent, decode_intent
from millrace_executor.answering.ledger_memory import LedgerMemory
from millrace_executor.lease.tenure import Tenure
from millrace_executor.refused_writes import RefusedWrites

RESTORED_AT_ONCE: Final = 500
"""Intents that one command writes again."""

log = structlog.get_logger()

Exchanges = Callable[[], Collection[ExchangeId]]


class UsedElsewhere(MillraceError):
    """Another account of the tenant has, or had, a request under the same id."""

    def __init__(self, stream: StreamName) -> None:
        super().__init__(
            f"its requestId was used before, for {stream.action} on {stream.exchange}; send it with another"
        )
        self.stream = stream
        """Where that is answered."""


class IntentLedger:
    """One account's intents in Redis, with the ids of all of them in memory. Writing waits while Redis refuses.

    The memory lasts as long as the tenure: a ledger that is opened anew knows what Redis may have lost since.
    """

    def __init__(
        self,
        intents: Intents,
        tenure: Tenure,
        exchange: ExchangeId,
        writes: RefusedWrites,
        *,
        accounts: Exchanges = tuple,
        expires_ms: int = 0,
    ) -> None:
        """`accounts` returns those of the tenant. `expires_ms`: how long it is kept, if there is no such account."""
        self._intents = intents
        self._tenure = tenure
        self._until_taken = writes.until_taken
        self._tenant = tenure.fence.tenant
        self._exchange = exchange
        self._accounts = accounts
        self._expires_ms = expires_ms
        # Where there is no such account, nobody would prune what the tenure remembers.
        self._memory = LedgerMemory() if expires_ms else tenure.ledger_of(exchange)

    @property
    def is_outdated(self) -> bool:
        """Tell whether Redis has lost its data since the ledger was read or written whole."""
        return self._memory.born_ms not in (None, self._tenure.born_ms)

    async def load(self) -> list[Intent]:
        """Read the ledger and return the intents that are not settled, oldest first.

        What is in memory and was lost in Redis counts too, and what is settled stays so. Otherwise Redis is newer than
        the memory: a task that was cancelled while it wrote has not remembered it.
        """
        self._memory.open = {each.request_id: each for each in self._memory.open.values() if each is not None}
        born_ms, entries = await self._entries()
        for request_id, raw in entries.items():
            self._read(request_id, raw)
        if self._memory.born_ms is None:
            self._memory.born_ms = self._memory.read_from_ms = born_ms
        return sorted(filter(None, self._memory.open.values()), key=lambda intent: intent.begun_at)

    async def _entries(self) -> tuple[int, dict[RequestId, bytes]]:
        """Return what Redis holds, and when the data was born that it was read from."""
        while True:
            born_ms = self._tenure.born_ms
            entries = await self._intents.all(self._tenant, self._exchange)
            # Redis may have lost its data since the lease was last confirmed: then the present data were read.
            await self._tenure.confirm()
            if self._tenure.born_ms == born_ms:
                return born_ms, entries

    def _read(self, request_id: RequestId, raw: bytes) -> None:
        if request_id in self._memory.settled:
            return
        if (intent := decode_intent(raw)) is not None:
            self._remember(intent)
            return
        log.error("an intent cannot be read: check its order on the exchange by hand", request_id=request_id)
        self._memory.open[request_id] = None

    async def left(self, request_id: RequestId) -> list[Intent]:
        """Return the intent of a request that was to be answered without the exchange and is not; else nothing."""
        raw = await self._intents.get(self._tenant, self._exchange, request_id)
        intent = None if raw is None else decode_intent(raw)
        return [] if intent is None or intent.verdict is None else [intent]

    def knows(self, request_id: RequestId) -> bool:
        """Tell whether a request was claimed before, as far as this process has seen."""
        return request_id in self._memory.settled or request_id in self._memory.open

    async def names_another(self, request_id: RequestId, answer_to: StreamName, *, is_malformed: bool = False) -> bool:
        """Tell whether the request of this id was another one: malformed or not, or answered on another stream."""
        raw = await self._intents.get(self._tenant, self._exchange, request_id)
        intent = None if raw is None else decode_intent(raw)
        places = (answer_to, answer_to._replace(symbol=None))  # the latter, where the exchange did not list the symbol
        if intent is None or intent.stream.action == UNKNOWN:
            return False
        return intent.is_malformed != is_malformed or intent.stream not in places

    async def claim(self, intent: Intent, *, waits: bool = True) -> bool:
        """Write an intent before anything is done; False if its request has one already and must be left alone.

        One with a verdict places nothing, so that only this ledger matters. Without `waits` a Redis that takes no
        writes is not waited for.

        Raises:
            CommandRefused: Redis does not write it.
            UsedElsewhere: another account has a request under this id.
            LeaseLost: another executor acts for the tenant; so do `update` and `prune`.
        """
        raw, key = encode(intent), (self._exchange, intent.request_id)
        others = [] if intent.verdict is not None else self._others()
        claim = partial(self._intents.claim, others=others, expires_ms=self._expires_ms)

        def write() -> Awaitable[bytes | None]:
            return self._tenure.write(lambda fence: claim(fence, *key, raw))

        theirs = await (self._until_taken(write) if waits else write())
        if theirs is None:
            self._remember(intent)
            return True
        if others and (other := decode_intent(theirs)) is not None and other.stream.exchange != self._exchange:
            raise UsedElsewhere(other.stream)
        return False

    def _others(self) -> list[ExchangeId]:
        """Return the tenant's other accounts, also those that are being configured anew."""
        return sorted({*self._accounts(), *self._tenure.ledgers()} - {self._exchange, EVERY_EXCHANGE})

    async def update(self, intent: Intent) -> None:
        """Write an intent's new state."""
        # Before it is written: `restore` may be under way, and must not write the former state after it.
        self._remember(intent)
        settle, entry = self._intents.settle, (intent.request_id, encode(intent))
        await self._until_taken(lambda: self._tenure.write(lambda fence: settle(fence, self._exchange, entry)))

    async def prune(self, now_ms: int) -> int:
        """Remove the settled intents that need not be kept any longer; return how many."""
        over = [request_id for request_id, keep_until in self._memory.settled.items() if keep_until < now_ms]
        if over:
            await self._tenure.assure()
            await self._until_taken(lambda: self._intents.remove(self._tenant, self._exchange, *over))
        for request_id in over:
            del self._memory.settled[request_id]
        return len(over)

    async def restore(self) -> None:
        """Write everything again that is in memory: Redis lost its data."""
        born_ms = self._tenure.born_ms
        known = [request_id for request_id, intent in self._memory.open.items() if intent is not None]
        known += self._memory.settled
        for first in range(0, len(known), RESTORED_AT_ONCE):
            await self._write_again(known[first : first + RESTORED_AT_ONCE])
        self._memory.born_ms = born_ms
        log.warning("the ledger was written again", exchange=self._exchange, intents=len(known))

    async def _write_again(self, request_ids: Sequence[RequestId]) -> None:
        settle = self._intents.settle
        # Encoded at the moment of sending: what one was before must not replace what it became.
        await self._until_taken(
            lambda: self._tenure.write(lambda fence: settle(fence, self._exchange, *self._raw(request_ids)))
        )

    def _raw(self, request_ids: Iterable[RequestId]) -> Iterator[tuple[RequestId, bytes]]:
        """Yield what is in memory of requests now."""
        for request_id in request_ids:
            if (intent := self._memory.open.get(request_id)) is not None:
                yield request_id, encode(intent)
            elif (keep_until := self._memory.settled.get(request_id)) is not None:
                yield request_id, encode(self._settled_entry(request_id, keep_until))

    def _settled_entry(self, request_id: RequestId, keep_until: int) -> Intent:
        answer_to = StreamName(self._tenant, self._exchange, Action(UNKNOWN))
        return Intent(request_id, "settled", str(answer_to), begun_at=keep_until, keep_until=keep_until)

    def _remember(self, intent: Intent) -> None:
        if intent.state == "settled":
            self._memory.open.pop(intent.request_id, None)
            self._memory.settled[intent.request_id] = intent.keep_until
        else:
            self._memory.open[intent.request_id] = intent
