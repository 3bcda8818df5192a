"""Redis loses everything: what the executor notices, refuses and restores."""

import asyncio
from typing import Any

import msgspec
import pytest
import redis.asyncio

from millrace_bus import Intents
from millrace_core.clock import now_ms
from millrace_core.ids import new_request_id
from millrace_core.names import ExchangeId, Tenant, lease_key
from millrace_executor.lease.tenure import Tenure

TENANT = Tenant("StrankaXY")
ALL = ExchangeId("all")
BINANCE = ExchangeId("binance")
RESUME = {"action": "resume"}


def create(**changes: Any) -> dict[str, Any]:
    payload = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": 8.5}
    return {"action": "createOrder", "exchangeId": "binance", "payload": payload, "validFor": 3_600_000} | changes


@pytest.fixture
async def client(platform: Any) -> Any:
    """A client without millrace."""
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        yield client


async def halted(platform: Any) -> None:
    """Wait until everything is halted for want of data, in Redis too."""
    async with asyncio.timeout(20):
        while not any("lost its data" in str(note.reason) for note in (await platform.bus.halts.get(TENANT)).values()):
            await asyncio.sleep(0.02)


async def one_done_and_forgotten(platform: Any, client: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Have a request done, then empty Redis; return the answers to orders and to resumes, and the request."""
    await platform.start()
    answers, resumed = await platform.answers(), await platform.answers("resume", None, ALL)
    done = create(requestId=new_request_id(), requestedAt=now_ms())
    await platform.publish(done)
    assert await answers.statuses(1) == ["done"]
    await client.flushall()
    return answers, resumed, done


async def test_an_executor_beside_an_emptied_redis_halts_and_restores_the_ledger(platform: Any, client: Any) -> None:
    """New orders are refused until somebody resumes; a copy of a request that was done is never done again."""
    answers, resumed, done = await one_done_and_forgotten(platform, client)
    await halted(platform)
    await platform.publish(create())
    refused = (await answers.number(2)).response
    assert (refused.status, refused.error.kind) == ("rejected", "Halted")
    assert "lost its data" in refused.error.message
    await platform.publish(RESUME)
    assert await resumed.statuses(1) == ["done"]
    await platform.publish(done)
    await platform.publish(create(payload=create()["payload"] | {"orderSource": "the last"}))
    assert (await answers.number(3)).response.order_source == "the last"
    assert len(platform.orders()) == 2
    assert done["requestId"] in await platform.bus.intents.all(TENANT, BINANCE)


async def test_an_account_that_opens_anew_beside_an_emptied_redis_knows_its_requests(
    platform: Any, client: Any
) -> None:
    """Its configuration is put again with a change, before the loss was noticed: what it had done is not done again."""
    answers, resumed, done = await one_done_and_forgotten(platform, client)
    changed = platform.config().replace('"secret"', '"options":{"changed":1},"secret"')
    await platform.bus.put_config("EXECUTOR", changed)
    await halted(platform)
    await platform.publish(RESUME)
    assert await resumed.statuses(1) == ["done"]
    await platform.publish(done)
    await platform.publish(create(payload=create()["payload"] | {"orderSource": "the last"}))
    assert (await answers.number(2)).response.order_source == "the last"
    assert len(platform.orders()) == 2


async def test_a_loss_is_known_until_every_ledger_is_written_again(
    platform: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What writes them by itself may be late, and the process may be killed meanwhile."""

    async def never(tenure: Tenure) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Tenure, "reborn", never)
    _, _, done = await one_done_and_forgotten(platform, client)
    await halted(platform)
    assert done["requestId"] in await platform.bus.intents.all(TENANT, BINANCE)


async def test_an_executor_that_starts_beside_an_emptied_redis_halts(platform: Any, client: Any) -> None:
    """It knows from the database that there was a ledger, and carries out nothing that the former may have done."""
    await platform.start()
    answers, resumed = await platform.answers(), await platform.answers("resume", None, ALL)
    old = create(requestId=new_request_id(), requestedAt=now_ms())
    undated = create(requestId=new_request_id())
    await platform.publish(old)
    assert await answers.statuses(1) == ["done"]
    await platform.stop()
    config = await platform.bus.get_config("EXECUTOR")
    await client.flushall()
    await platform.bus.put_config("EXECUTOR", config)
    await platform.start()
    await halted(platform)
    await platform.publish(RESUME)
    assert await resumed.statuses(1) == ["done"]
    for copy in (old, undated):
        await platform.publish(copy)
    assert {each.error.kind for each in [(await answers.number(n)).response for n in (2, 3)]} == {"LedgerLost"}
    await platform.stop()
    await platform.start()
    await platform.publish(create(requestId=new_request_id(), requestedAt=now_ms()))
    assert (await answers.number(4)).response.status == "done"
    assert len(platform.orders()) == 2


async def test_a_redis_that_is_emptied_before_the_ledger_was_read_halts(
    platform: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease was taken in the former data, and the ledger read from the new: what it held is not known."""
    await platform.start()
    answers, resumed = await platform.answers(), await platform.answers("resume", None, ALL)
    done = create(requestId=new_request_id(), requestedAt=now_ms())
    await platform.publish(done)
    assert await answers.statuses(1) == ["done"]
    await platform.stop()
    read, config = Intents.all, await platform.bus.get_config("EXECUTOR")

    async def read_emptied(intents: Intents, tenant: Tenant, exchange: ExchangeId) -> Any:
        if exchange == BINANCE:
            monkeypatch.setattr(Intents, "all", read)
            await client.flushall()
            await platform.bus.put_config("EXECUTOR", config)
        return await read(intents, tenant, exchange)

    monkeypatch.setattr(Intents, "all", read_emptied)
    await platform.start()
    await halted(platform)
    await platform.publish(RESUME)
    assert await resumed.statuses(1) == ["done"]
    await platform.publish(done)
    assert (await answers.number(2)).response.error.kind == "LedgerLost"
    assert len(platform.orders()) == 1


@pytest.mark.parametrize("runs", [True, False])
async def test_a_loss_is_noticed_whatever_the_servers_clock_says(platform: Any, client: Any, runs: bool) -> None:
    """The ledger before was begun by a clock an hour ahead of the one of the server that is there now."""
    later = now_ms() + 3_600_000
    await platform.bus.leases.take(TENANT, "earlier")
    await client.hset(lease_key(TENANT), mapping={"born": later, "until": 0})
    await platform.start()
    answers, resumed = await platform.answers(), await platform.answers("resume", None, ALL)
    done = create(requestId=new_request_id(), requestedAt=now_ms())
    await platform.publish(done)
    assert await answers.statuses(1) == ["done"]
    if not runs:
        await platform.stop()
    config = await platform.bus.get_config("EXECUTOR")
    await client.flushall()
    await platform.bus.put_config("EXECUTOR", config)
    if not runs:
        await platform.start()
    await halted(platform)
    await platform.publish(RESUME)
    assert await resumed.statuses(1) == ["done"]
    await platform.publish(done)
    await platform.publish(create(requestId=new_request_id(), requestedAt=now_ms() + 1_000))
    rest = [(await answers.number(number)).response for number in ((2,) if runs else (2, 3))]
    # A running one wrote its ledger again; one that started since knows only that there was one.
    assert sorted(each.status for each in rest) == (["done"] if runs else ["done", "rejected"])
    assert len(platform.orders()) == 2
    assert int(await client.hget(lease_key(TENANT), "born")) == later + 1


async def test_a_first_start_halts_nothing(platform: Any) -> None:
    """Where there never was a ledger none is missing; requests that waited for the first executor are carried out."""
    answers = await platform.answers()
    await platform.command(b"XADD", b"StrankaXY.traderActions", b"*", b"data", encoded(requestedAt=now_ms()))
    await platform.start()
    assert await answers.statuses(1) == ["done"]
    await platform.stop()
    await platform.start()
    await platform.publish(create())
    assert (await answers.number(2)).response.status == "done"


async def test_a_lease_that_was_deleted_counts_as_a_loss(platform: Any, client: Any) -> None:
    """Nothing else tells which data it belonged to."""
    await platform.start()
    await client.delete(lease_key(TENANT))
    await halted(platform)


def encoded(**changes: Any) -> bytes:
    """Return a request as a program writes it."""
    return msgspec.json.encode(create(requestId=new_request_id()) | changes)
