"""Halts hold whatever loses them: Redis, the executor, or both at once."""

import asyncio
from typing import Any

import pytest
import redis.asyncio

from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.names import ExchangeId, Tenant, halt_key
from millrace_store import Store

TENANT = Tenant("StrankaXY")
ALL = ExchangeId("all")
HALT = {"action": "halt", "payload": {"reason": "stop", "by": "Ann"}}
STOPPED = HaltState().halted(HaltScope(), HaltNote(1, "stop"))


def create(price: float) -> dict[str, Any]:
    payload = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": price}
    return {"action": "createOrder", "exchangeId": "binance", "payload": payload}


@pytest.fixture
async def client(platform: Any) -> Any:
    """Return a client of Redis as a person uses it."""
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        yield client


async def in_redis(platform: Any, *scopes: str) -> None:
    """Wait until Redis shows exactly these halts."""
    async with asyncio.timeout(20):
        while sorted(map(str, await platform.bus.halts.get(TENANT))) != sorted(scopes):
            await asyncio.sleep(0.02)


async def refused(client: Any, command: str, times: int = 1) -> None:
    """Wait until Redis has refused a command so many times more for want of memory."""

    async def count() -> int:
        return int((await client.info("commandstats")).get(f"cmdstat_{command}", {}).get("rejected_calls", 0))

    before = await count() if times > 1 else 0
    async with asyncio.timeout(10):
        while await count() < before + times:
            await asyncio.sleep(0.01)


async def test_a_halt_that_redis_cannot_write_is_in_force_and_written_later(platform: Any, client: Any) -> None:
    """Redis is out of memory when it is typed: nothing else carries it, so it must not be lost."""
    await platform.start()
    answers, halts = await platform.answers(), await platform.answers("halt", None, ALL)
    await client.config_set("maxmemory", 1)
    assert await platform.publish(HALT) == 1
    await refused(client, "xadd")
    await refused(client, "hset", times=4)  # The lease, too, is renewed by one.
    await client.config_set("maxmemory", 0)
    answer = (await halts.number(1)).response
    assert answer.status == "done"
    assert answer.error.kind == "NotWritten"
    await platform.publish(create(5))
    assert (await answers.number(1)).response.error.kind == "Halted"
    await in_redis(platform, "*/*")


async def test_a_halt_outlives_a_redis_that_lost_everything(platform: Any, client: Any) -> None:
    """It stays in force and is written again, which the heartbeat reports; a request to resume lifts it for good."""
    await platform.start()
    answers, halts = await platform.answers(), await platform.answers("halt", None, ALL)
    await platform.publish(HALT)
    await halts.number(1)
    await client.flushall()
    await in_redis(platform, "*/*")
    await platform.heartbeat_where(lambda beat: any("Redis lost" in error.message for error in beat.last_errors))
    await platform.publish(create(5))
    assert (await answers.number(1)).response.error.kind == "Halted"
    await platform.publish({"action": "resume", "payload": {}})
    await in_redis(platform)
    await platform.publish(create(6))
    assert (await answers.number(2)).response.status == "done"


async def test_a_new_halt_hides_no_loss(platform: Any, client: Any) -> None:
    """Redis lost all, and another program halted something else before the executor looked: both hold."""
    await platform.start()
    halts = await platform.answers("halt", None, ALL)
    await platform.publish(HALT)
    await halts.number(1)
    async with client.pipeline(transaction=True) as both:
        both.flushall()
        both.hset(halt_key(TENANT), "kucoin/*", "typed")
        await both.execute()
    await in_redis(platform, "*/*", "kucoin/*")


async def test_a_deleted_field_lifts_nothing(platform: Any, client: Any) -> None:
    """Redis may have lost its newest second: what is missing is not known to be resumed."""
    await platform.start()
    halts, answers = await platform.answers("halt", None, ALL), await platform.answers()
    await platform.publish(HALT)
    await halts.number(1)
    await client.hdel(halt_key(TENANT), "*/*")
    await in_redis(platform, "*/*")
    await platform.publish(create(5))
    assert (await answers.number(1)).response.error.kind == "Halted"


async def test_a_halt_outlives_redis_and_the_executor(platform: Any, client: Any) -> None:
    """Both start again from nothing: the database knows it, so that it is in force and in Redis again."""
    await platform.start()
    halts = await platform.answers("halt", None, ALL)
    await platform.publish(HALT)
    assert (await halts.number(1)).response.error is None
    await platform.stop()
    await client.flushall()
    await platform.bus.put_config("EXECUTOR", platform.config())
    await platform.start()
    await in_redis(platform, "*/*")
    assert (await platform.bus.halts.get(TENANT))[HaltScope()].by == "Ann"
    answers = await platform.answers()
    await platform.publish(create(5))
    assert (await answers.number(1)).response.error.kind == "Halted"


async def test_a_halt_is_stored_that_another_program_wrote(platform: Any) -> None:
    """As the API does it, and so does its end."""
    await platform.start()
    async with Store.open(platform.database_url) as store, asyncio.timeout(20):
        await platform.bus.halts.write(TENANT, STOPPED)
        while not (await store.halts.get(TENANT)).halts:
            await asyncio.sleep(0.02)
        await platform.bus.halts.write(TENANT, STOPPED.resume(HaltScope(), 2))
        while (await store.halts.get(TENANT)).halts:
            await asyncio.sleep(0.02)


async def test_without_the_database_new_orders_are_refused_and_others_canceled(platform: Any) -> None:
    """Until it is known what is halted the refusal says why; once the database answers, trading goes on."""
    await platform.start()
    answers, cancels = await platform.answers(), await platform.answers("cancelOrder")
    await platform.publish(create(5))
    order_id = (await answers.number(1)).response.order.id
    await platform.stop()
    there = platform.database.rename(platform.database.with_suffix(".away"))
    platform.database.mkdir()
    await platform.start(requests_state="stale")
    await platform.publish(create(6))
    refusal = (await answers.number(2)).response
    assert (refusal.status, refusal.error.kind) == ("rejected", "Halted")
    assert "the database does not answer" in refusal.error.message
    cancel = {"symbol": "KCS/USDT", "orderID": order_id}
    await platform.publish({"action": "cancelOrder", "exchangeId": "binance", "payload": cancel})
    assert (await cancels.number(1)).response.status == "done"
    platform.database.rmdir()
    there.rename(platform.database)
    await platform.unit_is("StrankaXY.requests", "live")
    await platform.publish(create(7))
    assert (await answers.number(3)).response.status == "done"


async def test_halts_typed_in_redis_are_in_force_until_they_are_resumed(platform: Any, client: Any) -> None:
    """A person who knows only redis-cli stops trading with it, though the same scope was resumed before."""
    await platform.start()
    answers = await platform.answers()
    resumes = await platform.answers("resume", None, ALL)
    for number in (1, 2):
        await client.hset(halt_key(TENANT), "*/*", "by hand")
        async with asyncio.timeout(20):
            while b"since" not in await client.hget(halt_key(TENANT), "*/*"):
                await asyncio.sleep(0.02)
        await platform.publish(create(5))
        assert (await answers.number(2 * number - 1)).response.error.kind == "Halted"
        await platform.publish({"action": "resume"})
        assert (await resumes.number(number)).response.status == "done"
        await platform.publish(create(6))
        assert (await answers.number(2 * number)).response.status == "done"
