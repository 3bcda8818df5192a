"""Failed executions in the journals, each told once."""

import pytest

from millrace_alerts.answers import LOOK_FOR_JOURNALS_EVERY, FailedAnswers
from millrace_alerts.memory import Memory
from millrace_bus import Bus, Journals
from millrace_core.messages import RequestError, Response
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant

STREAM = StreamName(Tenant("StrankaXY"), ExchangeId("binance"), Action("createOrder"), Symbol("KCS/USDT"))


async def _reject(bus: Bus) -> None:
    writer = bus.writer(STREAM, None)
    await writer.open()
    writer.response(Response("0" * 32, "rejected", error=RequestError("InsufficientFunds", "too little")))
    await writer.drained()


async def test_the_first_failure_of_a_new_platform_is_reported_once(bus: Bus) -> None:
    """Alerts began when there was no journal at all; where they were is remembered all the same."""
    async with bus.journals() as journals:
        memory = Memory()
        answers = FailedAnswers(journals, memory)
        assert await answers.new() == []
        await _reject(bus)
        reported = [len(await answers.new()) for _ in range(2 * LOOK_FOR_JOURNALS_EVERY)]
        assert sum(reported) == 1
        assert await FailedAnswers(journals, memory).new() == []


async def test_a_first_look_that_failed_leaves_nothing_out(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next look knows the past from what comes after it."""
    await _reject(bus)
    async with bus.journals() as journals:
        answers = FailedAnswers(journals, Memory())
        with monkeypatch.context() as broken:
            broken.setattr(Journals, "names", _refuse)
            with pytest.raises(TimeoutError):
                await answers.new()
        assert await answers.new() == []
        await _reject(bus)
        assert len(await answers.new()) == 1


async def _refuse(_: Journals) -> list[str]:
    raise TimeoutError
