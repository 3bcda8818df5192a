"""What several processes do with one budget, and what each does while Redis is away."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator

import pytest

from millrace_bus import EmbeddedServer
from millrace_bus.budget import SharedBudget
from millrace_bus.budget.shared import URGENT_LIMIT_S
from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import connect
from millrace_core.budget import Charge
from millrace_core.names import BUDGET_STOPS, budget_peers_key, budget_users_key

_numbers = itertools.count()


@pytest.fixture
def key() -> str:
    """A limit that no other test uses."""
    return f"budget.{{shared{next(_numbers)}}}.default.WEIGHT"


@pytest.fixture
async def budgets(server: EmbeddedServer) -> AsyncIterator[list[SharedBudget]]:
    """The budgets of two processes, connected."""
    opened = [SharedBudget(Address.parse(server.url), "test.budget") for _ in range(2)]
    for number, budget in enumerate(opened):
        assert (await budget.take([Charge(f"budget.{{greeting{number}}}.x.y", 1_000, 0, 1, 1)], "A")).is_granted
    yield opened
    for budget in opened:
        await budget.close()


def charge(key: str, weight: int = 1, cap: int = 10) -> Charge:
    """Return what a request takes of the tested limit."""
    return Charge(key, 60_000, weight, cap, cap // 2)


async def test_processes_share_what_there_is(budgets: list[SharedBudget], key: str) -> None:
    """Asked at the same time, they get no more together than one would."""
    asked = [budget.take([charge(key)], "A", urgent=True) for budget in budgets for _ in range(10)]
    assert sum(verdict.is_granted for verdict in await asyncio.gather(*asked)) == 10


async def test_a_burst_gets_no_more_than_there_is(budgets: list[SharedBudget], key: str) -> None:
    """What was granted without waiting counts at once, though Redis has not answered to it yet."""
    budget = budgets[0]
    granted = [(await budget.take([charge(key, cap=100)], "A", urgent=True)).is_granted for _ in range(1_000)]
    assert sum(granted) == 100


async def test_a_pause_of_one_process_stops_the_other(
    server: EmbeddedServer, budgets: list[SharedBudget], key: str
) -> None:
    """Even where the other would send an urgent request without asking."""
    one, other = budgets
    assert (await other.take([charge(key)], "A", urgent=True)).is_granted
    connection = other._reconnecting.connection  # What is no time does not end it.
    person = await connect(Address.parse(server.url), "person")
    for ms in ("9" * 5_000, "9" * 400):
        await person.call("PUBLISH", BUDGET_STOPS, f"{ms} {key}")
    person.abort()
    one.stop(key, 5_000)
    async with asyncio.timeout(5):
        while not other.stopped_ms([key]):
            await asyncio.sleep(0)
    assert (await other.take([charge(key)], "A", urgent=True)).is_stopped
    assert other._reconnecting.connection is connection


async def test_an_urgent_request_waits_for_no_answer_while_plenty_is_left(
    budgets: list[SharedBudget], key: str
) -> None:
    """It is counted all the same: the other process gets what is left."""
    one, other = budgets
    assert (await one.take([charge(key)], "A")).is_granted
    asked = one.take([charge(key)], "A", urgent=True)
    with pytest.raises(StopIteration):
        asked.send(None)  # It ends without having waited once.
    assert (await one.take([charge(key, weight=0)], "A")).is_granted  # On the same connection, so after it.
    assert [(await other.take([charge(key)], "A")).is_granted for _ in range(9)] == [True] * 8 + [False]


async def test_what_is_over_is_forgotten(server: EmbeddedServer, budgets: list[SharedBudget], key: str) -> None:
    """However many used a limit, and for however long, Redis keeps no more than two windows of each."""
    quick = Charge(key, 50, 1, 1_000, 1_000)
    for tenant in range(50):
        assert (await budgets[0].take([quick], f"T{tenant}")).is_granted
    connection = await connect(Address.parse(server.url), "test")
    for _ in range(60):
        assert (await budgets[0].take([quick], "A")).is_granted
        await asyncio.sleep(0.005)
    assert await connection.call("HLEN", key) <= 2 * (2 * 10 + 1)
    assert await connection.call("ZRANGE", f"{key}.users", 0, -1) == [b"n|A"]
    assert await connection.call("PTTL", key) <= 100
    connection.abort()


async def test_an_outage_stops_nobody(killable: EmbeddedServer, budgets: list[SharedBudget], key: str) -> None:
    """Each process goes on with its part, within the time that an order may wait, and reports it afterwards."""
    loop = asyncio.get_running_loop()
    for budget in budgets:
        assert (await budget.take([charge(key)], "A")).is_granted
    assert (await budgets[0].take([charge(key, weight=0)], "A")).is_granted  # Now both know of both.
    await killable.kill()
    began = loop.time()
    alone = [[await budget.take([charge(key)], "A", urgent=True) for _ in range(6)] for budget in budgets]
    assert loop.time() - began < 4 * URGENT_LIMIT_S
    assert [[verdict.is_granted for verdict in each] for each in alone] == [[True] * 4 + [False] * 2] * 2
    await killable.restart()
    async with asyncio.timeout(60):
        while (await budgets[0].take([charge(key, weight=0)], "A")) and budgets[0].used[key] < 10:
            await asyncio.sleep(0.05)
    assert not (await budgets[1].take([charge(key)], "A")).is_granted


async def test_what_was_used_without_an_answer_is_reported(
    killable: EmbeddedServer, budgets: list[SharedBudget], key: str
) -> None:
    """A server that stands still for a moment, with its connection up, learns of everything as soon as it goes on."""
    one, other = budgets
    assert (await one.take([charge(key)], "A")).is_granted
    os.kill(killable.pid, signal.SIGSTOP)
    try:
        assert (await one.take([charge(key, cap=20)], "A", urgent=False)).is_granted
        assert (await one.take([charge(key, weight=4, cap=20)], "A", urgent=True)).is_granted
    finally:
        os.kill(killable.pid, signal.SIGCONT)
    async with asyncio.timeout(60):
        while one.used[key] < 6:
            await one.take([charge(key, weight=0)], "A")
            await asyncio.sleep(0.05)
    assert not (await other.take([charge(key, weight=5)], "A")).is_granted


async def test_a_script_that_the_server_forgot_is_loaded_again(
    killable: EmbeddedServer, budgets: list[SharedBudget], key: str
) -> None:
    """Somebody emptied the server's scripts: after a moment alone the process counts there again."""
    one, other = budgets
    connection = await connect(Address.parse(killable.url), "test")
    await connection.call("SCRIPT", "FLUSH")
    connection.abort()
    assert (await one.take([charge(key)], "A")).is_granted
    async with asyncio.timeout(60):
        while one.used.get(key, 0) < 1:
            await one.take([charge(key, weight=0)], "A")
            await asyncio.sleep(0.05)
    assert (await other.take([charge(key)], "A")).is_granted
    assert other.used[key] == 2


async def test_a_pause_survives_an_outage(killable: EmbeddedServer, budgets: list[SharedBudget], key: str) -> None:
    """One that began while Redis was away, or that Redis has forgotten, reaches the other process once it is back."""
    one, other = budgets
    await killable.kill()
    one.stop(key, 60_000)
    assert (await one.take([charge(key)], "A")).is_stopped
    await killable.restart()
    async with asyncio.timeout(60):
        while not other.stopped_ms([key]):
            await other.take([charge(key, weight=0)], "A")
            await asyncio.sleep(0.05)


async def test_what_another_program_left_in_the_place_of_a_budget_keeps_nobody_from_sharing(
    server: EmbeddedServer, budgets: list[SharedBudget], key: str
) -> None:
    """Else each process would count for itself, and together they would break the limit without a word."""
    place = key.partition("{")[2].partition("}")[0]
    connection = await connect(Address.parse(server.url), "test")
    for foreign in (key, budget_users_key(key), budget_peers_key(place)):
        await connection.call("DEL", foreign)
        await connection.call("SET", foreign, "someone else's")
        for budget, tenant in itertools.product(budgets, "AB"):
            assert (await budget.take([charge(key, cap=100)], tenant)).is_granted
        assert await connection.call("TYPE", foreign) != b"string"
    assert max(budget.used[key] for budget in budgets) >= 8
    connection.abort()


async def test_what_is_no_pause_is_passed_over(server: EmbeddedServer, budgets: list[SharedBudget], key: str) -> None:
    """Whoever may publish there cannot cut the connection by which pauses are heard."""
    one, other = budgets
    connections = [budget._reconnecting.connection for budget in budgets]
    connection = await connect(Address.parse(server.url), "test")
    for text in ("", "soon", "-1 x", b"\xff\xfe", f"1e9 {key}"):
        await connection.call("PUBLISH", BUDGET_STOPS, text)
    one.stop(key, 60_000)
    async with asyncio.timeout(60):
        while not other.stopped_ms([key]):
            await asyncio.sleep(0)
    assert [budget._reconnecting.connection for budget in budgets] == connections
    connection.abort()
