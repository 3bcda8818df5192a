"""The executor beside foreign keys in Redis, and while Redis refuses writes."""

import asyncio
from typing import Any

import pytest
import redis.asyncio

from millrace_core.names import (
    ExchangeId,
    Symbol,
    Tenant,
    intents_key,
    open_orders_key,
    order_key,
    orders_key,
    trader_actions,
)

TENANT = Tenant("StrankaXY")
BINANCE = ExchangeId("binance")
KCS = Symbol("KCS/USDT")


def create(price: float) -> dict[str, Any]:
    payload = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": price}
    return {"action": "createOrder", "exchangeId": "binance", "payload": payload}


async def refused(client: Any, command: str) -> None:
    """Wait until Redis has refused a command for want of memory; it takes no heartbeats then."""
    async with asyncio.timeout(60):
        while not (await client.info("commandstats")).get(f"cmdstat_{command}", {}).get("rejected_calls"):
            await asyncio.sleep(0.01)


async def test_out_of_memory_requests_wait_and_no_unit_ends(platform: Any) -> None:
    """The account is stale with the reason, and answers once Redis writes again."""
    await platform.start()
    answers = await platform.answers()
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        await client.config_set("maxmemory", 1)
        await platform.publish(create(5))
        await platform.publish({"action": "createOrder"})
        await refused(client, "xadd")
        await client.config_set("maxmemory", 0)
    assert (await answers.number(1)).response.status in ("done", "expired")
    await platform.unit_is("StrankaXY.binance", "live")
    beat = await platform.heartbeat_where(lambda beat: True)
    assert not any(unit.counters.get("failures") for unit in beat.units)


@pytest.mark.parametrize("of", [orders_key, open_orders_key])
async def test_an_index_of_another_type_stops_no_account(platform: Any, of: Any) -> None:
    """The order is answered; its account goes on."""
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        await client.set(of(TENANT, BINANCE, KCS), "no index")
    await platform.start()
    answers = await platform.answers()
    await platform.publish(create(5))
    assert (await answers.number(1)).response.status == "done"


async def test_a_key_under_the_next_orders_id_stops_no_account(platform: Any) -> None:
    """Ids of some exchanges are sequential, so the next key is known: that order is answered, and those after it."""
    await platform.start()
    answers = await platform.answers()
    await platform.publish(create(5))
    first = int((await answers.number(1)).response.order.id)
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        await client.set(order_key(TENANT, str(first + 1)), "no hash")
    await platform.publish(create(6))
    await platform.publish(create(7))
    assert await answers.statuses(3) == ["done"] * 3


async def test_foreign_intents_keep_no_account_from_starting(platform: Any) -> None:
    """One that is answered nowhere, and one whose request id is not UTF-8."""
    text = '{"requestId":"a","state":"pending","answerTo":"x","begunAt":1,"keepUntil":1}'
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        await client.hset(intents_key(TENANT, BINANCE), "a", text)
        await client.hset(intents_key(TENANT, BINANCE), b"\xff", "x")
    await platform.start()


async def test_an_answer_stream_of_another_type_is_shown_and_written_later(platform: Any) -> None:
    """The order is on the exchange: its answer waits, and the heartbeat says for what."""
    await platform.start()
    name = f"stream.{TENANT}.binance.createOrder.KCS/USDT"
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        await client.set(name, "no stream")
        await platform.publish(create(5))
        await platform.unit_is("StrankaXY.binance", "stale")
        await client.delete(name)
    answers = await platform.answers()
    assert (await answers.number(1)).response.status == "done"
    await platform.unit_is("StrankaXY.binance", "live")


async def test_a_journal_of_requests_of_another_type_is_shown(platform: Any) -> None:
    """The unit has failed, with the reason, instead of being live and reading nothing."""
    await platform.start()
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        await client.delete(trader_actions(TENANT))
        await client.set(trader_actions(TENANT), "no stream")
    await platform.heartbeat_where(lambda beat: any("WRONGTYPE" in error.message for error in beat.last_errors))
