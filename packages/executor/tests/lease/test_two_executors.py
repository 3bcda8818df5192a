"""Two executors with one configuration, in one process: one acts, the other stands by."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from millrace_core.clock import now_ms
from millrace_core.ids import new_request_id
from millrace_core.messages import RequestError, Response, encode
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import parse_request
from millrace_executor.agent import ExecutorAgent
from millrace_executor.answering.intents import Intent
from millrace_service import Settings, run_agent

TENANT = Tenant("StrankaXY")
BINANCE = ExchangeId("binance")
SECOND = AgentId("SECOND")
ORDER = {
    "action": "createOrder",
    "exchangeId": "binance",
    "payload": {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": 8.5},
}
Start = Callable[[], Awaitable[None]]


@pytest.fixture
async def second(platform: Any) -> AsyncIterator[Start]:
    """Return a function that starts another executor, with an agent id of its own."""
    stop = asyncio.Event()
    running: list[asyncio.Task[None]] = []

    async def start() -> None:
        await platform.bus.put_config(SECOND, platform.config().replace('"EXECUTOR"', f'"{SECOND}"'))
        settings = Settings(agent_id=SECOND, redis_url=platform.redis.url)
        running.append(asyncio.create_task(run_agent(ExecutorAgent(platform.database_url), settings, stop=stop)))

    yield start
    stop.set()
    if running:
        await asyncio.wait(running)


async def state_of(platform: Any, agent: str, state: str) -> None:
    """Wait until an agent's account is in a state."""
    wanted = ("StrankaXY.binance", state)
    await platform.heartbeat_where(
        lambda beat: beat.id == agent and any((unit.name, unit.state) == wanted for unit in beat.units)
    )


async def test_a_request_typed_by_hand_makes_one_order(platform: Any, second: Start) -> None:
    """One of two hears it, and `PUBLISH` says so; the other shows that it stands by."""
    await platform.start()
    await second()
    await state_of(platform, SECOND, "standby")
    answers = await platform.answers()
    assert await platform.publish(ORDER) == 1
    assert await platform.publish(ORDER) == 1
    assert await answers.statuses(2) == ["done"] * 2
    assert len(platform.orders()) == 2


async def test_the_other_takes_over_at_once_when_one_ends(platform: Any, second: Start) -> None:
    """A lease that was left is taken within a fraction of its time, and requests go on."""
    await platform.start()
    await second()
    await state_of(platform, SECOND, "standby")
    answers = await platform.answers()
    await platform.stop()
    left_ms = now_ms()
    await state_of(platform, SECOND, "live")
    assert now_ms() - left_ms < 2_000
    assert await platform.publish(ORDER) == 1
    assert (await answers.number(1)).response.status == "done"


async def test_what_was_claimed_while_it_stood_by_is_settled(platform: Any, second: Start) -> None:
    """The ledger is read when the lease is taken: an intent that the other wrote meanwhile is answered."""
    first = await platform.tenure()
    await second()
    await state_of(platform, SECOND, "standby")
    name = StreamName(TENANT, BINANCE, Action("createOrder"), Symbol("KCS/USDT"))
    long_ago = now_ms() - 60_000
    request = parse_request(encode(ORDER))
    our_id, keep_until = new_request_id(), now_ms() + 60_000
    intent = Intent(our_id, "unknown", str(name), long_ago, keep_until, request, our_id, sent_by=long_ago)
    await platform.bus.intents.claim(first.fence, BINANCE, intent.request_id, encode(intent))
    answers = await platform.answers()
    await platform.bus.leases.release(first.fence)
    answer = (await answers.number(1)).response
    assert (answer.request_id, answer.status) == (intent.request_id, "failed")


async def test_two_of_one_name_do_not_act_together(platform: Any) -> None:
    """A replacement under the same agent id waits for the lease as any other."""
    await platform.start()
    stop = asyncio.Event()
    settings = Settings(agent_id=AgentId("EXECUTOR"), redis_url=platform.redis.url)
    replacement = asyncio.create_task(run_agent(ExecutorAgent(platform.database_url), settings, stop=stop))
    await state_of(platform, "EXECUTOR", "standby")
    answers = await platform.answers()
    assert await platform.publish(ORDER) == 1
    assert (await answers.number(1)).response.status == "done"
    await platform.stop()
    await state_of(platform, "EXECUTOR", "live")
    assert await platform.publish(ORDER) == 1
    assert (await answers.number(2)).response.status == "done"
    stop.set()
    await replacement


async def test_a_verdict_that_was_not_published_is_published_once(platform: Any) -> None:
    """Also of a request for no account, whose ledger no account reads; a copy of it gets no answer of its own."""
    first = await platform.tenure()
    kraken, request_id = ExchangeId("kraken"), new_request_id()
    name = StreamName(TENANT, kraken, Action("createOrder"), Symbol("KCS/USDT"))
    verdict = Response(request_id, "rejected", error=RequestError("BadRequest", "no account"))
    intent = Intent(request_id, "pending", str(name), now_ms(), now_ms() + 60_000, verdict=verdict)
    await platform.bus.intents.claim(first.fence, kraken, request_id, encode(intent))
    await platform.bus.leases.release(first.fence)
    await platform.start()
    answers = await platform.answers(exchange=kraken)
    of_no_account = await platform.answers(symbol=None, exchange=ExchangeId("unknown"))
    request = ORDER | {"exchangeId": "kraken", "validFor": 60_000}
    for _ in range(2):
        await platform.publish(request | {"requestId": request_id})
    assert (await answers.number(1)).response.request_id == request_id
    last = new_request_id()
    await platform.publish(request | {"requestId": last})
    assert (await of_no_account.number(1)).response.request_id == last
    assert len(answers.all) == 1
