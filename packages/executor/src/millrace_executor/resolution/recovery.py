"""Recovery: what was under way when the executor last ended is settled by asking the exchange, never by sending."""

import asyncio
from typing import NamedTuple

import structlog

from millrace_core.ids import RequestId
from millrace_core.messages import ResponseStatus
from millrace_executor.answering.answer_streams import Answers
from millrace_executor.answering.intent_ledger import Ledger
from millrace_executor.answering.intents import Intent, settled
from millrace_executor.execution.order_sender import Execution
from millrace_executor.intake.order_queue import Sequence, Turn
from millrace_executor.request_tasks import Running

ENDED_MEANWHILE = "the executor ended while it was carrying this out"

log = structlog.get_logger()


class _Unsettled(NamedTuple):
    request_id: RequestId
    intent: Intent
    turn: Turn


class Recovery:
    """Settles one account's intents of a former life."""

    def __init__(
        self, answers: Answers, ledger: Ledger, execution: Execution, sequence: Sequence, running: Running
    ) -> None:
        self._answers = answers
        self._ledger = ledger
        self._execution = execution
        self._sequence = sequence
        self._running = running
        self._unsettled: list[_Unsettled] = []

    async def load(self) -> None:
        """Read the ledger; the orders concerned have their turns before all that enters later."""
        for request_id, intent in (await self._ledger.load()).items():
            self._unsettled.append(_Unsettled(request_id, intent, self._turn_of(intent)))
        if self._unsettled:
            log.warning(
                "requests were under way when the executor ended; asking about them", count=len(self._unsettled)
            )

    async def settle(self) -> None:
        """Ask the exchange once about each; what that does not settle is asked about further in the background."""
        streams = {each.intent.stream for each in self._unsettled}
        answered = {stream: await self._answers.given(stream) for stream in streams}
        await asyncio.gather(
            *(self._settle_one(each, answered[each.intent.stream].get(each.request_id)) for each in self._unsettled)
        )
        self._unsettled.clear()

    async def _settle_one(self, each: _Unsettled, answered: ResponseStatus | None) -> None:
        request_id, intent, turn = each
        if answered is not None:
            # It ended between the answer and the ledger: there must be no second one.
            await self._ledger.note(request_id, settled(intent, answered))
            turn.end()
            return
        if answer := await self._execution.ask_once(request_id, intent):
            await self._execution.finish(request_id, intent, answer, turn, intent.trace)
            turn.end()
            return
        if intent.state == "pending":
            intent = await self._execution.mark_unknown(request_id, intent, "OperationFailed", ENDED_MEANWHILE)
        self._running.start(self._keep_asking(request_id, intent, turn))

    async def _keep_asking(self, request_id: RequestId, intent: Intent, turn: Turn) -> None:
        answer = await self._execution.settle_unknown(request_id, intent)
        await self._execution.finish(request_id, intent, answer, turn, intent.trace)
        turn.end()

    def _turn_of(self, intent: Intent) -> Turn:
        if intent.request is None:
            return Turn(None, ())
        return self._sequence.enter(intent.request, intent.client_order_id or "")
