"""Answering: how a request ends. First the order's hash, then the answer, then the ledger.

In this order because each step is found undone, and done, by whoever comes after a crash: who reads an answer
finds the order, and an intent is settled only once Redis holds its answer.
"""

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.ids import RequestId
from millrace_core.messages import Response
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.orders import Order, OrderRecord
from millrace_core.requests import CreateOrder, EditOrder
from millrace_core.trace import Trace
from millrace_executor.answering.answer_streams import Answers
from millrace_executor.answering.intent_ledger import Ledger
from millrace_executor.answering.intents import Intent, marked_unknown, settled


class Answering:
    """Ends the requests of one account."""

    def __init__(self, bus: Bus, answers: Answers, ledger: Ledger, tenant: Tenant, exchange: ExchangeId) -> None:
        self._bus = bus
        self._answers = answers
        self._ledger = ledger
        self._tenant = tenant
        self._exchange = exchange

    async def finally_(self, request_id: RequestId, intent: Intent, response: Response, trace: Trace) -> None:
        """Return the final answer; when this returns Redis holds all that it entails."""
        orders = response.orders or [] if response.order is None else [response.order]
        for order in orders:
            await self._merge(request_id, intent, order)
        await self._answers.give(intent.stream, response, trace)
        await self._ledger.note(request_id, settled(intent, response.status))

    async def provisionally(self, request_id: RequestId, intent: Intent, response: Response, trace: Trace) -> Intent:
        """Return the answer `unknown`; give the intent as the ledger then holds it."""
        await self._answers.give(intent.stream, response, trace)
        unknown = marked_unknown(intent, now_ms())
        await self._ledger.note(request_id, unknown)
        return unknown

    async def _merge(self, request_id: RequestId, intent: Intent, order: Order) -> None:
        source: str | None = None
        made_by: str | None = None
        if isinstance(intent.request, CreateOrder):
            source, made_by = intent.request.payload.order_source, request_id
        elif isinstance(intent.request, EditOrder):
            # An exchange that replaces an order to change it gives it a new id: it stays its owner's.
            source, made_by = await self._owner_of_edited(intent.request, order)
        record = OrderRecord(order, self._exchange, now_ms(), order_source=source, request_id=made_by)
        await self._bus.orders.merge(self._tenant, record)

    async def _owner_of_edited(self, edit: EditOrder, order: Order) -> tuple[str | None, str | None]:
        former = edit.payload.order_id
        if former is None or former == order.id:
            return None, None
        known = await self._bus.orders.get(
            self._tenant, former, exchange=self._exchange, symbol=Symbol(edit.payload.symbol)
        )
        return (known.order_source if known else edit.payload.order_source), edit.request_id
