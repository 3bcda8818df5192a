"""Requests that no account carries out: malformed ones, those for unknown accounts, halts."""

import asyncio
from typing import Any

import msgspec
import pytest
import redis.asyncio

from millrace_core.clock import now_ms
from millrace_core.halts import HaltNote, HaltScope
from millrace_core.ids import new_request_id
from millrace_core.names import ExchangeId, Tenant, order_key, trader_actions
from millrace_executor.intake.tenant_halts import TenantHalts

TENANT = Tenant("StrankaXY")
ALL = ExchangeId("all")
ORDER = {
    "action": "createOrder",
    "exchangeId": "binance",
    "payload": {
        "symbol": "KCS/USDT",
        "side": "buy",
        "type": "limit",
        "amountBase": 1,
        "price": 8.5,
        "orderSource": "PingPong",
    },
}


async def test_a_malformed_request_is_answered_with_everything_that_is_wrong(platform: Any) -> None:
    """Every problem with its path, on the stream that the request's own words name."""
    await platform.start()
    answers = await platform.answers()
    payload = {"symbol": "KCS/USDT", "side": "long", "type": "limit", "amountBase": -1, "colour": "red"}
    await platform.publish({"action": "createOrder", "exchangeId": "binance", "payload": payload})
    answer = (await answers.number(1)).response
    assert (answer.status, answer.error.kind) == ("rejected", "Malformed")
    assert "$.payload.side" in answer.error.message
    assert "$.payload.colour" in answer.error.message
    assert platform.orders() == []


@pytest.mark.parametrize("text", ["hello", "[]", '{"action":"sell everything"}'])
async def test_what_cannot_be_read_at_all_is_answered(platform: Any, text: str) -> None:
    """Whatever was typed has an answer, on a name without a symbol."""
    await platform.start()
    answers = await platform.answers("unknown", None, ExchangeId("unknown"))
    await platform.publish(text)
    assert (await answers.number(1)).response.error.kind == "Malformed"


@pytest.mark.parametrize("lacking", ["side", "nothing"])
async def test_requests_open_no_stream_and_no_ledger_for_what_they_invent(platform: Any, lacking: str) -> None:
    """Whatever exchanges and symbols requests name, malformed or not, their answers share what exists anyway."""
    await platform.start()
    same_account = await platform.answers("createOrder", None)
    no_account = await platform.answers("createOrder", None, ExchangeId("unknown"))
    halted = await platform.answers("halt", None, ExchangeId("unknown"))
    for number in range(3):
        payload = {name: value for name, value in ORDER["payload"].items() if name != lacking}
        await platform.publish(ORDER | {"payload": payload | {"symbol": f"X{number}/USDT"}})
        await platform.publish(ORDER | {"payload": payload, "exchangeId": f"x{number}"})
        await platform.publish({"action": "halt", "exchangeId": f"x{number}", "payload": {}})
    assert await same_account.statuses(3) == ["rejected"] * 3
    assert await no_account.statuses(3) == ["rejected"] * 3
    assert await halted.statuses(3) == ["done"] * 3
    said = " ".join(answer.response.error.message for answer in halted.all)
    assert all(f"no account on x{number}: it trades on binance" in said for number in range(3))
    async with platform.bus.journals() as journals:
        streams = await journals.names()
    assert {name for name in streams if ".createOrder" in name or ".halt" in name} == {
        "stream.StrankaXY.binance.createOrder",
        "stream.StrankaXY.unknown.createOrder",
        "stream.StrankaXY.unknown.halt",
    }
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        assert {key async for key in client.scan_iter("intents.*.x*")} == set()


async def test_the_same_malformed_request_is_answered_once(platform: Any) -> None:
    """A request id that was answered is not answered again, also after a restart."""
    await platform.start()
    answers = await platform.answers("createOrder", None)
    wrong = {"action": "createOrder", "exchangeId": "binance", "requestId": "ab" * 16}
    await platform.publish(wrong)
    await answers.number(1)
    await platform.stop()
    await platform.start()
    await platform.publish(wrong)
    await platform.publish(wrong | {"requestId": "cd" * 16})
    assert (await answers.number(2)).response.request_id == "cd" * 16


async def test_a_request_id_has_one_answer_whichever_of_its_requests_is_malformed(platform: Any) -> None:
    """The first that came counts, also after a restart. The other is not carried out, and the heartbeat says so."""
    await platform.start()
    answers = await platform.answers()
    spoiled = ORDER | {"payload": ORDER["payload"] | {"side": "long"}}
    good_first, spoiled_first = {"requestId": "ab" * 16}, {"requestId": "cd" * 16}
    for _ in range(2):
        for request in (ORDER | good_first, spoiled | good_first, spoiled | spoiled_first, ORDER | spoiled_first):
            await platform.publish(request)
            await answers.number(1 if request["requestId"] == "ab" * 16 else 2)
        for request_id in ("ab" * 16, "cd" * 16):
            text = f"the request id {request_id} was used before, for another request: createOrder of KCS/USDT"
            await platform.heartbeat_where(
                lambda beat, text=text: any(text in each.message for each in beat.last_errors)
            )
        await platform.stop()
        await platform.start()
    await platform.publish(ORDER)
    assert await answers.statuses(3) == ["done", "rejected", "done"]
    assert [each.response.request_id for each in answers.all[:2]] == ["ab" * 16, "cd" * 16]
    assert len(platform.orders()) == 2


async def test_an_account_that_is_not_configured_is_named(platform: Any) -> None:
    """A request for another exchange is rejected; the text says what the configuration lacks."""
    await platform.start()
    answers = await platform.answers(symbol=None, exchange=ExchangeId("unknown"))
    await platform.publish(ORDER | {"exchangeId": "kraken"})
    answer = (await answers.number(1)).response
    assert (answer.status, answer.error.kind) == ("rejected", "BadRequest")
    assert "exchanges.StrankaXY.kraken" in answer.error.message


async def test_a_halt_stops_new_orders_and_never_cancels(platform: Any) -> None:
    """From a halt to its resumption orders are rejected as halted; cancels go on; the halt survives a restart."""
    await platform.start()
    answers, cancels = await platform.answers(), await platform.answers("cancelOrder")
    halts, resumed = await platform.answers("halt", None, ALL), await platform.answers("resume", None, ALL)
    await platform.publish(ORDER)
    order_id = (await answers.number(1)).response.order.id
    await platform.publish({"action": "halt", "payload": {"reason": "too fast", "by": "Ann"}})
    await platform.publish(ORDER)
    assert (await halts.number(1)).response.status == "done"
    halted = (await answers.number(2)).response
    assert (halted.status, halted.error.kind) == ("rejected", "Halted")
    assert "Ann" in halted.error.message
    assert "too fast" in halted.error.message
    await platform.stop()
    await platform.start()
    cancel = {"symbol": "KCS/USDT", "orderID": order_id}
    await platform.publish({"action": "cancelOrder", "exchangeId": "binance", "payload": cancel})
    assert (await cancels.number(1)).response.status == "done"
    await platform.publish(ORDER)
    assert (await answers.number(3)).response.status == "rejected"
    await platform.publish({"action": "resume"})
    assert (await resumed.number(1)).response.status == "done"
    await platform.publish(ORDER)
    assert (await answers.number(4)).response.status == "done"


async def test_a_resume_is_carried_out_once(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written down before it lifts anything; one that an executor took that ended since lifts no later halt."""
    resume, written = TenantHalts.resume, list[bool]()

    async def resume_once_written(halts: TenantHalts, scope: HaltScope) -> bool:
        written.append(used in await platform.bus.intents.all(TENANT, ALL))
        return await resume(halts, scope)

    monkeypatch.setattr(TenantHalts, "resume", resume_once_written)
    await platform.start()
    resumed, used = await platform.answers("resume", None, ALL), new_request_id()
    await platform.bus.halts.set(TENANT, HaltScope(), HaltNote(since=now_ms()))
    await platform.publish({"action": "resume", "requestId": used})
    assert (await resumed.number(1)).response.status == "done"
    assert written == [True]
    await platform.stop()
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        key = trader_actions(TENANT)
        await client.xadd(key, {"data": msgspec.json.encode({"action": "resume", "validFor": 60_000})})
        await client.xreadgroup("executor", "one that ended", {key: ">"})
    await platform.bus.halts.set(TENANT, HaltScope(), HaltNote(since=now_ms(), reason="later"))
    await platform.start()
    repeated = (await resumed.number(2)).response
    assert (repeated.status, repeated.error.kind) == ("failed", "InternalError")
    assert [note.reason for note in (await platform.bus.halts.get(TENANT)).values()] == ["later"]


async def test_a_halt_of_one_source_leaves_the_others_trading(platform: Any) -> None:
    """Only requests of the halted source are rejected. Resuming something else is answered with what is halted."""
    await platform.start()
    answers, halts = await platform.answers(), await platform.answers("halt", None)
    resumed = await platform.answers("resume", None, ALL)
    await platform.publish({"action": "halt", "exchangeId": "binance", "payload": {"orderSource": "PingPong"}})
    await halts.number(1)
    await platform.publish(ORDER)
    assert (await answers.number(1)).response.error.kind == "Halted"
    await platform.publish(ORDER | {"payload": ORDER["payload"] | {"orderSource": "James"}})
    assert (await answers.number(2)).response.status == "done"
    await platform.publish({"action": "resume"})
    refused = (await resumed.number(1)).response
    assert refused.status == "rejected"
    assert "binance/PingPong" in refused.error.message


async def test_a_halt_that_redis_refuses_to_write_is_in_force(platform: Any) -> None:
    """No order goes through once there is memory again, and the halt is written then."""
    await platform.start()
    answers = await platform.answers()
    await platform.command(b"CONFIG", b"SET", b"maxmemory", b"1")
    await platform.publish({"action": "halt", "payload": {"reason": "stop"}})
    async with asyncio.timeout(60), redis.asyncio.Redis.from_url(platform.redis.url) as client:
        while not (await client.info("commandstats")).get("cmdstat_hset", {}).get("rejected_calls"):
            await asyncio.sleep(0.02)
    await platform.command(b"CONFIG", b"SET", b"maxmemory", b"0")
    async with asyncio.timeout(60):
        while not await platform.bus.halts.get(TENANT):
            await asyncio.sleep(0.05)
    await platform.publish(ORDER)
    assert (await answers.number(1)).response.error.kind == "Halted"
    assert platform.orders() == []


async def test_an_order_beside_a_foreign_key_is_answered(platform: Any) -> None:
    """A key of another type where the order's hash belongs costs the hash, and neither the answer nor the account."""
    await platform.start()
    answers = await platform.answers()
    await platform.publish(ORDER)
    first = int((await answers.number(1)).response.order.id)
    for order_id in range(first + 1, first + 100):
        await platform.command(b"SET", order_key(TENANT, str(order_id)).encode(), b"x")
    await platform.publish(ORDER)
    assert (await answers.number(2)).response.status == "done"
    await platform.publish(ORDER)
    assert (await answers.number(3)).response.status == "done"
