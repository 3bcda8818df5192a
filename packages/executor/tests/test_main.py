"""The process: `python -m millrace_executor`, killed with -9 while orders are under way."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from decimal import Decimal
from typing import Any

import pytest

from millrace_core.clock import now_ms
from millrace_core.names import Tenant
from millrace_core.requests import CreateOrder, CreatePayload

TENANT = Tenant("StrankaXY")
ORDER = CreateOrder(
    exchange_id="binance",
    valid_for=60_000,
    payload=CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal("8.5")),
)


@pytest.fixture
async def start(platform: Any) -> Any:
    """Return a function that starts the process and returns once its account trades."""
    started: list[Process] = []

    async def start() -> Process:
        command = (sys.executable, "-m", "millrace_executor", f"--die-with-parent={os.getpid()}")
        where = ("--agent-id", "EXECUTOR", "--redis-url", platform.redis.url, "--database-url", platform.database_url)
        process = await asyncio.create_subprocess_exec(*command, *where)
        started.append(process)
        await platform.unit_is("StrankaXY.binance", "live")
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_trades_soon_and_ends_on_a_signal(platform: Any, start: Any) -> None:
    """From the start of the process to an account that trades it takes seconds; a signal ends it in order."""
    begun = time.monotonic()
    process = await start()
    assert time.monotonic() - begun < 15
    answers = await platform.answers()
    await platform.bus.requests.send(TENANT, ORDER)
    assert (await answers.number(1)).response.status == "done"
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_killed_at_any_moment_it_makes_one_order_a_request(platform: Any, start: Any) -> None:
    """Killed while twenty requests are under way and started again: each has one order and one final answer at most."""
    process = await start()
    answers = await platform.answers()
    ids = {platform.bus.requests.publish(TENANT, ORDER) for _ in range(20)}
    await answers.number(5)
    process.kill()
    await process.wait()
    await platform.bus.end_heartbeat("EXECUTOR", now_ms())
    await start()
    async with asyncio.timeout(60):
        while {each.response.request_id for each in answers.all if each.response.status != "unknown"} != ids:
            await answers.number(len(answers.all) + 1)
    final = [each.response.request_id for each in answers.all if each.response.status != "unknown"]
    assert sorted(final) == sorted(ids)
    placed = [order.client_order_id for order in platform.orders()]
    assert len(placed) == len(set(placed))
    done = {each.response.request_id for each in answers.all if each.response.status == "done"}
    assert set(placed) == done
