"""What an executor may still do once another one may act, on a real Redis and a simulated exchange."""

import asyncio
from decimal import Decimal
from typing import Any, cast

import pytest

from millrace_core.config import Credentials
from millrace_core.ids import new_request_id
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import CreatePayload
from millrace_core.trace import Trace
from millrace_exchange import open_exchange
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.execution.leased_execution import LeasedExecution
from millrace_executor.lease import tenure as tenure_module
from millrace_executor.lease.tenure import LeaseLost, Tenure

TENANT = Tenant("StrankaXY")
BINANCE = ExchangeId("binance")
NAME = StreamName(TENANT, BINANCE, Action("createOrder"), Symbol("KCS/USDT"))
PAYLOAD = CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal("8.5"))


async def taken_over(platform: Any, frozen: Tenure, monkeypatch: pytest.MonkeyPatch) -> Tenure:
    """Let another executor take the lease, as while the first is frozen: the first learns nothing of it."""
    await platform.bus.leases.release(frozen.fence)
    # The freeze outlasted the lease.
    monkeypatch.setattr(tenure_module, "SURE_S", 0.0)
    successor: Tenure = await platform.tenure("successor")
    return successor


async def test_who_waited_past_the_lease_sends_nothing(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was claimed before a freeze, or before a limit was waited out, does not reach the exchange."""
    credentials = Credentials(api_key="demo-key", secret="demo-secret", urls={"base": platform.simulator.url})
    exchange = await open_exchange("binance", credentials)
    await exchange.prepare()
    frozen = await platform.tenure()
    client = LeasedExecution(exchange.execution, frozen)
    request_id = new_request_id()
    assert await frozen.write(lambda fence: platform.bus.intents.claim(fence, BINANCE, request_id, b"intent")) is None
    await taken_over(platform, frozen, monkeypatch)
    with pytest.raises(LeaseLost):
        await client.create_order(PAYLOAD, request_id)
    assert platform.orders() == []
    await exchange.close()


async def test_who_freezes_before_the_request_is_signed_sends_nothing(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is looked at again when the request is signed: after that its age keeps it from being accepted late."""
    frozen = await platform.tenure()

    class Freezing:
        async def create_order(self, payload: CreatePayload, client_order_id: str) -> Any:
            await taken_over(platform, frozen, monkeypatch)
            return await exchange.execution.create_order(payload, client_order_id)

    credentials = Credentials(api_key="demo-key", secret="demo-secret", urls={"base": platform.simulator.url})
    exchange = await open_exchange("binance", credentials)
    await exchange.prepare()
    with pytest.raises(LeaseLost):
        await LeasedExecution(cast(Any, Freezing()), frozen).create_order(PAYLOAD, new_request_id())
    assert platform.orders() == []
    await exchange.close()


async def test_who_lost_the_lease_settles_nothing(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger stays as the successor has it."""
    frozen = await platform.tenure()
    await taken_over(platform, frozen, monkeypatch)
    with pytest.raises(LeaseLost):
        await frozen.write(lambda fence: platform.bus.intents.settle(fence, BINANCE, (new_request_id(), b"done")))
    assert await platform.bus.intents.all(TENANT, BINANCE) == {}
    assert frozen.is_lost


async def test_who_lost_the_lease_answers_nothing(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the journal nor on the channel, although its stream was open."""
    frozen, streams = await platform.tenure(), AnswerStreams(platform.bus)
    await streams.open(NAME, frozen)
    next_answer = await answers_on_channel(platform)
    successor, later = await taken_over(platform, frozen, monkeypatch), AnswerStreams(platform.bus)
    await later.open(NAME, successor)
    with pytest.raises(LeaseLost):
        await streams.publish(NAME, Response("a", "done"), Trace(), frozen)
    await later.publish(NAME, Response("b", "done"), Trace(), successor)
    assert b'"b"' in await next_answer()
    assert await later.answered(NAME) == {"b": "done"}
    await streams.close()
    await later.close()


async def test_who_opens_a_stream_after_the_loss_answers_nothing(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open a stream fences the successor; so the lease is confirmed between that and the first answer."""
    frozen, streams = await platform.tenure(), AnswerStreams(platform.bus)
    await taken_over(platform, frozen, monkeypatch)
    with pytest.raises(LeaseLost):
        await streams.publish(NAME, Response("a", "done"), Trace(), frozen)
    assert await streams.answered(NAME) == {}
    await streams.close()


async def answers_on_channel(platform: Any) -> Any:
    """Subscribe as a program without millrace; return a function that waits for the next answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.redis.port)
    writer.write(b"SUBSCRIBE %b\r\n" % str(NAME).encode())
    await reader.readuntil(b":1\r\n")

    async def next_answer() -> bytes:
        async with asyncio.timeout(20):
            while b'"response"' not in (line := await reader.readline()):
                pass
        writer.close()
        return line

    return next_answer
