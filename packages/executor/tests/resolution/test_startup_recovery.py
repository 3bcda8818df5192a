"""What holds when an exchange's answer is lost, or the executor ends while it works."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import redis.asyncio

from millrace_core.clock import now_ms
from millrace_core.config import Credentials
from millrace_core.ids import new_request_id
from millrace_core.messages import Response, encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant, trader_actions
from millrace_core.requests import (
    CancelAllOrders,
    CancelAllPayload,
    CancelOrder,
    CancelPayload,
    CreateOrder,
    CreatePayload,
)
from millrace_core.trace import Trace
from millrace_exchange import open_exchange
from millrace_executor.answering.intent_ledger import IntentLedger
from millrace_executor.answering.intents import Intent, decode_intent

TENANT = Tenant("StrankaXY")
BINANCE = ExchangeId("binance")
NAME = StreamName(TENANT, BINANCE, Action("createOrder"), Symbol("KCS/USDT"))
PAYLOAD = CreatePayload(
    symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal("8.5"), order_source="PingPong"
)


def intent_before_the_end(begun_ms: int | None = None) -> Intent:
    """The intent of a request that an executor had in hand when it ended."""
    request_id, begun_at = new_request_id(), now_ms() if begun_ms is None else begun_ms
    request = CreateOrder(exchange_id="binance", request_id=request_id, requested_at=now_ms(), payload=PAYLOAD)
    return Intent(request_id, "pending", str(NAME), begun_at, now_ms() + 60_000, request, client_order_id=request_id)


async def claim(platform: Any, intent: Intent) -> None:
    fence = (await platform.tenure()).fence
    await platform.bus.intents.claim(fence, BINANCE, intent.request_id, encode(intent))
    await platform.bus.leases.release(fence)


async def state_of(platform: Any, request_id: str) -> str | None:
    raw = await platform.bus.intents.get(TENANT, BINANCE, request_id)
    intent = None if raw is None else decode_intent(raw)
    return None if intent is None else intent.state


async def test_a_lost_answer_is_unknown_and_then_found(platform: Any) -> None:
    """When the exchange's answer is lost the request is `unknown`, is not sent again, and is `done` once found."""
    await platform.start()
    answers = await platform.answers()
    platform.proxy.lose_answers()
    await platform.bus.requests.send(TENANT, CreateOrder(exchange_id="binance", payload=PAYLOAD))
    await platform.proxy.swallowed.wait()
    assert (await answers.number(1)).response.status == "unknown"
    assert len(platform.orders()) == 1
    platform.proxy.mend()
    settled = (await answers.number(2)).response
    assert settled.status == "done"
    assert settled.order_source == "PingPong"
    assert len(platform.orders()) == 1
    record = await platform.bus.orders.get(TENANT, settled.order.id)
    assert record.order_source == "PingPong"


async def test_an_exchange_out_of_reach_is_certainly_not_traded_on(platform: Any) -> None:
    """What never left is `failed` once its validity does not allow another try, and nothing was placed."""
    await platform.start()
    answers = await platform.answers()
    platform.proxy.refuse()
    await platform.bus.requests.send(TENANT, CreateOrder(exchange_id="binance", payload=PAYLOAD, valid_for=500))
    assert (await answers.number(1)).response.status in ("failed", "expired")
    assert platform.orders() == []


async def test_an_order_placed_before_a_crash_is_found_after_it(platform: Any) -> None:
    """A pending intent whose order is there is answered `done` on the next start, and settled in the ledger."""
    before = intent_before_the_end()
    credentials = Credentials(api_key="demo-key", secret="demo-secret", urls={"base": platform.simulator.url})
    exchange = await open_exchange("binance", credentials)
    await exchange.prepare()
    await exchange.execution.create_order(PAYLOAD, before.request_id)
    await exchange.close()
    await claim(platform, before)
    answers = await platform.answers()
    await platform.start()
    answer = (await answers.number(1)).response
    assert (answer.status, answer.request_id) == ("done", before.request_id)
    assert len(platform.orders()) == 1
    await platform.stop()
    assert await state_of(platform, before.request_id) == "settled"


async def test_what_was_sent_is_settled_though_its_id_is_used_meanwhile(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spoiled copy that comes while the ledger is read is not answered, and what was in hand is."""
    intent = intent_before_the_end()
    await claim(platform, intent)
    read, load = asyncio.Event(), IntentLedger.load

    async def load_once_read(ledger: IntentLedger) -> list[Intent]:
        if ledger._exchange == BINANCE:
            await read.wait()
        return await load(ledger)

    claim_once = IntentLedger.claim

    async def claim_beside(ledger: IntentLedger, intent: Intent, **options: Any) -> bool:
        read.set()
        await platform.unit_is("StrankaXY.binance", "live")
        return await claim_once(ledger, intent, **options)

    monkeypatch.setattr(IntentLedger, "load", load_once_read)
    monkeypatch.setattr(IntentLedger, "claim", claim_beside)
    answers = await platform.answers()
    copy = {"action": "createOrder", "exchangeId": "binance", "requestId": intent.request_id, "payload": {}}
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        await client.xadd(trader_actions(TENANT), {"data": msgspec.json.encode(copy)})
    await platform.start()
    assert (await answers.number(1)).response.status == "unknown"


async def test_an_order_never_placed_before_a_crash_is_never_placed(platform: Any) -> None:
    """A pending intent without an order is `unknown` on the next start; then work goes on."""
    before = intent_before_the_end()
    await claim(platform, before)
    answers = await platform.answers()
    await platform.start()
    assert (await answers.number(1)).response.status == "unknown"
    assert await state_of(platform, before.request_id) == "unknown"
    await platform.bus.requests.send(TENANT, CreateOrder(exchange_id="binance", payload=PAYLOAD))
    assert (await answers.number(2)).response.status == "done"
    assert len(platform.orders()) == 1


@pytest.mark.parametrize("is_last", [True, False], ids=["claimed last", "claimed first"])
async def test_a_cancel_all_is_done_after_a_crash_only_once_orders_on_their_way_are_canceled(
    platform: Any, is_last: bool
) -> None:
    """No order is open when the next executor starts, and one lands a moment later."""
    placing = intent_before_the_end()
    request_id, begun_at = new_request_id(), placing.begun_at + (1 if is_last else -1)
    payload = CancelAllPayload(symbol=PAYLOAD.symbol)
    request = CancelAllOrders(exchange_id="binance", request_id=request_id, requested_at=now_ms(), payload=payload)
    stream = str(NAME._replace(action=Action("cancelAllOrders")))
    for intent in (placing, Intent(request_id, "pending", stream, begun_at, now_ms() + 60_000, request)):
        await claim(platform, intent)
    answers, of_order = await platform.answers("cancelAllOrders"), await platform.answers()
    await platform.start()
    assert await answers.statuses(1) == ["unknown"]
    credentials = Credentials(api_key="demo-key", secret="demo-secret", urls={"base": platform.simulator.url})
    exchange = await open_exchange("binance", credentials)
    await exchange.prepare()
    landed = (await exchange.execution.create_order(PAYLOAD, placing.request_id)).orders[0]
    assert await of_order.statuses(2) == ["unknown", "done"]
    await exchange.execution.cancel_order(CancelPayload(symbol=PAYLOAD.symbol, order_id=landed.id))
    await exchange.close()
    assert await answers.statuses(2) == ["unknown", "done"]


async def test_absence_is_proven_by_time(platform: Any) -> None:
    """An unknown intent whose order is still not there when everything must have settled is `failed`."""
    long_ago = now_ms() - 60_000
    await claim(platform, intent_before_the_end(long_ago).marked_unknown(long_ago))
    answers = await platform.answers()
    await platform.start()
    answer = (await answers.number(1)).response
    assert (answer.status, answer.error.kind) == ("failed", "OrderNotFound")
    assert platform.orders() == []


async def test_another_clock_ends_no_settlement_window(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one executor marked as unknown is no older because the next one's clock is a minute ahead."""
    with monkeypatch.context() as behind:
        right_ns = time.time_ns
        behind.setattr(time, "time_ns", lambda: right_ns() - 60_000_000_000)
        await platform.start()
        answers = await platform.answers("cancelOrder")
        platform.proxy.lose_answers()
        cancel = CancelOrder(exchange_id="binance", payload=CancelPayload(symbol=str(NAME.symbol), order_id="999"))
        request_id = await platform.bus.requests.send(TENANT, cancel)
        assert await answers.statuses(1) == ["unknown"]
        await platform.stop()
    platform.proxy.mend()
    await platform.start()
    assert await state_of(platform, request_id) == "unknown"


async def test_an_answer_given_before_a_crash_is_not_given_again(platform: Any) -> None:
    """An answer that was published but not noted in the ledger is noted there, and not published again."""
    before = intent_before_the_end()
    await claim(platform, before)
    writer = platform.bus.writer(NAME, None)
    await writer.open()
    writer.response(Response(before.request_id, "done", order_source="PingPong"), trace=Trace())
    await writer.drained()
    await writer.close()
    answers = await platform.answers()
    await platform.start()
    assert await state_of(platform, before.request_id) == "settled"
    await platform.bus.requests.send(TENANT, CreateOrder(exchange_id="binance", payload=PAYLOAD))
    second = (await answers.number(2)).response
    assert second.request_id != before.request_id
    assert second.status == "done"


async def test_an_outage_of_redis_is_waited_out(platform: Any) -> None:
    """Requests made while Redis is dead, and after its return, are carried out once each."""
    await platform.start()
    answers = await platform.answers()
    order = CreateOrder(exchange_id="binance", payload=PAYLOAD, valid_for=60_000)
    ids = {await platform.bus.requests.send(TENANT, order)}
    await answers.number(1)
    await platform.redis.kill()
    ids.add(platform.bus.requests.publish(TENANT, order))
    await platform.redis.restart()
    ids.add(await platform.bus.requests.send(TENANT, order))
    async with asyncio.timeout(60):
        while {each.response.request_id for each in answers.all} != ids:
            await answers.number(len(answers.all) + 1)
    assert [each.response.status for each in answers.all] == ["done"] * 3
    assert len(platform.orders()) == 3
