"""Tells people of requests that are not carried out, since their id was used before."""

import structlog

from millrace_core.ids import RequestId
from millrace_core.names import StreamName
from millrace_executor.answering.intent_ledger import IntentLedger
from millrace_service import UnitHealthReporter

log = structlog.get_logger()


async def report_copy(
    ledger: IntentLedger,
    health: UnitHealthReporter,
    request_id: RequestId,
    answer_to: StreamName,
    *,
    is_malformed: bool = False,
) -> None:
    """Count a copy, which gets no answer; tell people if it is another request under an id that was used before."""
    health.count("duplicates")
    if await ledger.names_another(request_id, answer_to, is_malformed=is_malformed):
        text = f"the request id {request_id} was used before, for another request"
        log.warning(f"{text}; this one is not carried out", action=answer_to.action, symbol=answer_to.symbol)
        subject = f"{answer_to.action} of {answer_to.symbol or 'all symbols'}"
        health.error(f"{text}: {subject} under it is not carried out")
