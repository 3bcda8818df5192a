"""The ledger of one account: who asked what, so that no request is carried out, or answered, twice."""

import structlog

from millrace_bus import Intents
from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId, Tenant
from millrace_executor.answering.intents import Intent, decode_intent, encode_intent

log = structlog.get_logger()


class Ledger:
    """One account's intents in Redis, with the ids of all of them in memory."""

    def __init__(self, intents: Intents, tenant: Tenant, exchange: ExchangeId) -> None:
        self._intents = intents
        self._tenant = tenant
        self._exchange = exchange
        self._settled: dict[RequestId, int] = {}
        self._open: set[RequestId] = set()

    async def load(self) -> dict[RequestId, Intent]:
        """Read the ledger; give what is not settled, oldest first."""
        found: dict[RequestId, Intent] = {}
        for request_id, raw in (await self._intents.all(self._tenant, self._exchange)).items():
            intent = decode_intent(raw)
            if intent is None:
                log.error("an intent in the ledger cannot be read; see to its order by hand", request_id=request_id)
                self._open.add(request_id)
                continue
            self._remember(request_id, intent)
            if intent.state != "settled":
                found[request_id] = intent
        return dict(sorted(found.items(), key=lambda item: item[1].begun_at))

    def knows(self, request_id: RequestId) -> bool:
        """Tell whether a request was claimed before, as far as this process has seen."""
        return request_id in self._settled or request_id in self._open

    async def claim(self, request_id: RequestId, intent: Intent) -> bool:
        """Write an intent before anything is done; False if the request has one already: then leave it alone."""
        theirs = await self._intents.claim(self._tenant, self._exchange, request_id, encode_intent(intent))
        if theirs is None:
            self._remember(request_id, intent)
        return theirs is None

    async def note(self, request_id: RequestId, intent: Intent) -> None:
        """Write what became of an intent."""
        await self._intents.settle(self._tenant, self._exchange, request_id, encode_intent(intent))
        self._remember(request_id, intent)

    async def prune(self, now_ms: int) -> int:
        """Forget settled intents whose time is over; give how many."""
        over = [request_id for request_id, keep_until in self._settled.items() if keep_until < now_ms]
        if over:
            await self._intents.remove(self._tenant, self._exchange, *over)
        for request_id in over:
            del self._settled[request_id]
        return len(over)

    def _remember(self, request_id: RequestId, intent: Intent) -> None:
        if intent.state == "settled":
            self._open.discard(request_id)
            self._settled[request_id] = intent.keep_until
        else:
            self._open.add(request_id)
