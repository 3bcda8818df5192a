"""An answer holds for the request that it was given to, and for as long as it says."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from libs.exchange.tests.answers.conftest import BY_SOCKET, Account
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_faulty_answers import EXCHANGES, outcome_of

from millrace_exchange import OutcomeUnknown, Retryable
from millrace_exchange.ccxt.recording.sending import Sending

EARLIER: Final = {
    "a broken limit": Reply(b"slow down", 429, "text/plain", "Retry-After: 1\r\n"),
    "a ban": Reply(b"banned", 418, "text/plain", "Retry-After: 1\r\n"),
    "a refusal": Reply(b'{"code":-2011,"msg":"Unknown order sent."}', 400),
    "a page": Reply(b"<html></html>", 200, "text/html"),
    "an empty object": Reply(b"{}"),
}


@pytest.mark.parametrize("exchange", [each for each in EXCHANGES if each != BY_SOCKET])
async def test_a_lost_request_is_not_what_an_earlier_answer_was(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """It may have been carried out, and asks for no pause, after a limit too that was waited out."""
    wrong, ours = [], account(exchange)
    for name, reply in EARLIER.items():
        timed = Sending()

        async def cancel(ours: Account, timed: Sending = timed) -> Any:
            return await ours._caller.call(
                "cancelOrder", ours.ccxt.cancel_order, ours.order.id, ours.symbol, timed=timed
            )

        for server.reply in (reply, Reply(hangs_up=True)):
            await ours.fresh()  # The pause is over.
            outcome = await outcome_of(ours, cancel)
        stopped_ms = ours._caller.gate.stopped_ms("cancelOrder")
        if not isinstance(outcome, OutcomeUnknown) or stopped_ms:
            wrong.append(f"{name}: {outcome!r}, {stopped_ms} ms")
    assert not wrong, "\n".join(wrong)


async def test_a_pause_that_is_over_is_not_asked_for_again(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """However long a busy machine takes from the answer to the conclusion that it was a refusal."""
    ours = account("binance")
    server.reply = EARLIER["a ban"]

    async def slowly(ours: Account) -> Any:
        async def cancel() -> Any:
            try:
                return await ours.ccxt.cancel_order(ours.order.id, ours.symbol)
            finally:
                await ours.fresh()  # The pause is over.

        return await ours._caller.call("cancelOrder", cancel)

    assert isinstance(await outcome_of(ours, slowly), Retryable)
    assert ours._caller.gate.stopped_ms("cancelOrder") == 0
