"""Settles what the executor before left under way: asks the exchange, and never sends it again."""

import asyncio
from collections.abc import Collection
from typing import NamedTuple

import structlog

from millrace_core.backoff import Backoff
from millrace_core.ids import RequestId
from millrace_core.messages import Response
from millrace_core.requests import CancelAllOrders, CreateOrder, EditOrder
from millrace_exchange import ExchangeError
from millrace_executor.answering.intent_ledger import IntentLedger
from millrace_executor.answering.intents import Intent
from millrace_executor.answering.responder import Responder
from millrace_executor.intake.order_queue import OrderQueue, Turn
from millrace_executor.request_tasks import RequestTasks
from millrace_executor.resolution.resolver import ASK_AGAIN, Resolution, Resolver, Unresolvable
from millrace_service import UnitHealthReporter

ENDED_MEANWHILE = "the executor ended while it was carrying this out"
HANDLING_FAILED = "the executor failed while it was carrying this out"

log = structlog.get_logger()


class _Unsettled(NamedTuple):
    intent: Intent
    turn: Turn


class StartupRecovery:
    """Settles the intents that an account's last run left."""

    def __init__(
        self,
        ledger: IntentLedger,
        responder: Responder,
        resolver: Resolver,
        queue: OrderQueue,
        tasks: RequestTasks,
        health: UnitHealthReporter,
        answering: Collection[RequestId] = (),
    ) -> None:
        """`answering`: requests that others answer at the moment, if that needs no exchange."""
        self._ledger = ledger
        self._responder = responder
        self._resolver = resolver
        self._queue = queue
        self._tasks = tasks
        self._health = health
        self._answering = answering
        self._unsettled: list[_Unsettled] = []

    async def load(self) -> None:
        """Read what is not settled; the orders concerned have their turns before all that enters later."""
        # Only what needs no exchange is answered by others: a request of the same id may be, while this one was sent.
        intents = [
            each for each in await self._ledger.load() if each.verdict is None or each.request_id not in self._answering
        ]
        unanswered = await self._responder.unanswered(intents)
        self._unsettled = [_Unsettled(each, self._turn_of(each)) for each in unanswered]
        placements = [each.turn for each in self._unsettled if each.turn.makes is not None]
        for intent, turn in self._unsettled:
            if isinstance(intent.request, CancelAllOrders):
                # Whichever was claimed first: an order may have been on its way to its claim already.
                turn.sweeps = tuple(each for each in placements if turn.symbol in (None, each.symbol))
        if self._unsettled:
            count = len(self._unsettled)
            log.warning("requests were under way when the executor ended; asking about them", count=count)

    @property
    def symbols(self) -> set[str]:
        """Return the symbols in which what is unsettled may have placed orders."""
        requests = (each.intent.request for each in self._unsettled)
        return {each.payload.symbol for each in requests if isinstance(each, CreateOrder | EditOrder)}

    async def resolve(self) -> None:
        """Ask the exchange once about each; those that this does not resolve are resolved in the background."""
        sweeps = [each for each in self._unsettled if isinstance(each.intent.request, CancelAllOrders)]
        others = [each for each in self._unsettled if each not in sweeps]
        await asyncio.gather(*(self._resolve_now(each) for each in others))
        await asyncio.gather(*(self._resolve_now(each) for each in sweeps))
        self._unsettled.clear()

    async def settle(self, intent: Intent, turn: Turn) -> Response | None:
        """Find out what became of a request that may have been sent, and answer it.

        Return the final answer; None if the exchange does not say what became of it.
        """
        unknown = await self._responder.mark_unknown(intent, "OperationFailed", HANDLING_FAILED)
        return await self._resolve_later(_Unsettled(unknown, turn))

    async def _resolve_now(self, unsettled: _Unsettled) -> None:
        intent, turn = unsettled
        # An order that is still on its way is not among the open ones yet.
        if all(each.is_over for each in turn.sweeps) and (resolution := await self._ask_once(intent)):
            await self._finish(unsettled, resolution)
            return
        if intent.state == "pending":
            intent = await self._responder.mark_unknown(intent, "OperationFailed", ENDED_MEANWHILE)
        self._tasks.start(self._resolve_later(_Unsettled(intent, turn)))

    async def _ask_once(self, intent: Intent) -> Resolution | None:
        try:
            return await self._resolver.ask_once(intent)
        except ExchangeError as error:
            self._resolver.report(error)
        except Exception as error:  # noqa: BLE001  One request that cannot be asked about must not hold up the others.
            self._report(intent, error)
        return None

    async def _resolve_later(self, unsettled: _Unsettled) -> Response | None:
        pauses = Backoff(ASK_AGAIN)
        for placement in unsettled.turn.sweeps:
            await placement.ended()
        while True:
            try:
                resolution = await self._resolver.resolve(unsettled.intent)
            except Unresolvable as why:
                await self._responder.mark_unresolved(unsettled.intent, why.kind, str(why))
                unsettled.turn.end()
                return None
            except Exception as error:  # noqa: BLE001  As above; it stays unknown until the exchange can be asked.
                self._report(unsettled.intent, error)
                await asyncio.sleep(pauses.failed())
            else:
                await self._finish(unsettled, resolution)
                return resolution.answer

    async def _finish(self, unsettled: _Unsettled, resolution: Resolution) -> None:
        intent, turn = unsettled
        self._queue.answered(turn, resolution.answer.order)
        await self._responder.finish(intent, resolution.answer, intent.trace, resolution.seen)
        turn.end()

    def _report(self, intent: Intent, error: Exception) -> None:
        log.error("asking about a request failed", request_id=intent.request_id, exc_info=error)
        self._health.error(error)

    def _turn_of(self, intent: Intent) -> Turn:
        if intent.request is None:
            return Turn()
        return self._queue.enter(intent.request, intent.client_order_id or "")
