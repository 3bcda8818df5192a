"""Ends requests: writes the order's hash, then publishes the answer, then settles the intent.

A crash may come between any two. In this order, the executor that runs next finds out which steps are done: a reader
of an answer finds the order, and an intent is settled only if Redis holds its answer.
"""

from collections.abc import Callable, Iterable, Sequence

import structlog

from millrace_bus import Bus, CommandRefused, UnmergeableOrder
from millrace_core.clock import now_ms
from millrace_core.messages import Response, ResponseStatus
from millrace_core.names import ExchangeId, StreamName, Symbol
from millrace_core.orders import Order, OrderRecord
from millrace_core.requests import CreateOrder, EditOrder
from millrace_core.trace import Trace
from millrace_exchange import is_same_id
from millrace_executor.accepted_request import error_answer
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.answering.intent_ledger import IntentLedger
from millrace_executor.answering.intents import Intent
from millrace_executor.lease.tenure import Tenure
from millrace_executor.refused_writes import RefusedWrites
from millrace_service import UnitHealthReporter

OUR_HOPS = ("accepted", "sent", "acknowledged")
"""The hops that end in the executor: it reports their latencies."""

log = structlog.get_logger()


class Responder:
    """Answers the requests of one account."""

    def __init__(
        self,
        tenure: Tenure,
        exchange: ExchangeId,
        *,
        bus: Bus,
        streams: AnswerStreams,
        ledger: IntentLedger,
        health: UnitHealthReporter,
        writes: RefusedWrites,
        on_answer: Callable[[Intent, Response], None] | None = None,
    ) -> None:
        """`on_answer` learns each final answer before anybody can read it."""
        self._tenure = tenure
        self._tenant = tenure.fence.tenant
        self._exchange = exchange
        self._bus = bus
        self._streams = streams
        self._ledger = ledger
        self._health = health
        self._until_taken = writes.until_taken
        self._on_answer = on_answer

    async def unanswered(self, intents: Sequence[Intent]) -> list[Intent]:
        """Return the intents without a final answer.

        Of those whose answer was published before the ledger was updated, the ledger is updated now: there must be no
        second answer.
        """
        statuses = {stream: await self._answered(stream) for stream in {each.stream for each in intents}}
        found = []
        for intent in intents:
            status = statuses[intent.stream].get(intent.request_id)
            if status is None:
                found.append(intent)
            else:
                await self._ledger.update(intent.settled(status))
        return found

    async def finish(self, intent: Intent, answer: Response, trace: Trace, seen: Sequence[Order] = ()) -> None:
        """Publish the final answer; when this returns, Redis holds it, its orders and the settled intent.

        `seen` are orders that the exchange showed besides those in the answer, such as the former one of an edit.
        """
        orders = answer.orders or [] if answer.order is None else [answer.order]
        for order in orders:
            await self._merge(intent, order, seen)
        await self.merge(seen)
        if self._on_answer is not None:
            self._on_answer(intent, answer)
        await self._publish(intent.stream, answer, trace)
        await self._ledger.update(intent.settled(answer.status))
        self._health.count(answer.status)
        for hop, ns in trace.latencies().items():
            if hop.endswith(OUR_HOPS):
                self._health.latency(hop, ns)

    async def mark_unknown(self, intent: Intent, kind: str, message: str) -> Intent:
        """Publish the provisional answer `unknown`; return the intent as the ledger then holds it."""
        log.warning(
            "the outcome of a request is unknown; asking the exchange", request_id=intent.request_id, cause=message
        )
        source = None if intent.request is None else intent.request.payload.order_source
        provisional = error_answer(intent.request_id, "unknown", kind, message, source)
        await self._publish(intent.stream, provisional, intent.trace)
        unknown = intent.marked_unknown(self._tenure.server_ms())
        await self._ledger.update(unknown)
        return unknown

    async def mark_unresolved(self, intent: Intent, kind: str, message: str) -> None:
        """Publish that a request stays `unknown`, and what a person can do; it is asked about at the next start."""
        source = None if intent.request is None else intent.request.payload.order_source
        text = (
            f"the exchange does not say what became of it: {message}. Look there for the order "
            f"{intent.client_order_id} by hand; it is asked about again when the executor starts"
        )
        await self._publish(intent.stream, error_answer(intent.request_id, "unknown", kind, text, source), intent.trace)

    async def merge(self, seen: Iterable[Order]) -> None:
        """Write what the exchange showed of existing orders, ours or others'."""
        for order in seen:
            await self._write(OrderRecord(order, self._exchange, now_ms()))

    async def is_known_to_have_ended(self, symbol: str, order_id: str) -> bool:
        """Tell whether Redis shows an order as one that is no longer open."""
        known = await self._bus.orders.get(self._tenant, order_id, exchange=self._exchange, symbol=Symbol(symbol))
        return known is not None and known.order.is_final

    async def _publish(self, stream: StreamName, answer: Response, trace: Trace) -> None:
        await self._until_taken(lambda: self._streams.publish(stream, answer, trace, self._tenure))

    async def _answered(self, stream: StreamName) -> dict[str, ResponseStatus]:
        """Return the final answers on a stream; none if its key is no stream, so that one key stops no account.

        The stream is opened first: no answer of an executor that held the lease before can follow.
        """
        try:
            await self._streams.open(stream, self._tenure)
            return await self._streams.answered(stream)
        except CommandRefused as refused:
            if refused.code != "WRONGTYPE":
                raise
            log.warning("a stream of answers cannot be read; delete its key", stream=str(stream), cause=str(refused))
            self._health.error(refused)
            return {}

    async def _merge(self, intent: Intent, order: Order, seen: Sequence[Order]) -> None:
        source: str | None = None
        made_by: str | None = None
        if isinstance(intent.request, CreateOrder):
            source, made_by = intent.request.payload.order_source, intent.request_id
        elif isinstance(intent.request, EditOrder):
            # An exchange that replaces an order to change it assigns a new id; the order source stays.
            source, made_by = await self._source_of_edited(intent.request, order, seen)
        await self._write(OrderRecord(order, self._exchange, now_ms(), order_source=source, request_id=made_by))

    async def _write(self, record: OrderRecord) -> None:
        try:
            await self._until_taken(lambda: self._bus.orders.merge(self._tenant, record))
        except UnmergeableOrder as error:
            # Trying again would fail again, and the account would never trade again because of one order.
            log.warning("an order's hash cannot be written; its request is answered without", cause=str(error))
            self._health.error(error)

    async def _source_of_edited(
        self, edit: EditOrder, order: Order, seen: Sequence[Order]
    ) -> tuple[str | None, str | None]:
        """Return whose order took the place of another, and by which request; nothing if none did."""
        former = next((each.id for each in seen if each.id != order.id), edit.payload.order_id)
        if former is None or is_same_id(former, order.id):
            return None, None
        known = await self._bus.orders.get(
            self._tenant, former, exchange=self._exchange, symbol=Symbol(edit.payload.symbol)
        )
        return (None if known is None else known.order_source), edit.request_id
