"""The contract of a budget, run against the one of a process and against the one in Redis."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from millrace_bus import EmbeddedServer
from millrace_bus.budget import SharedBudget
from millrace_bus.connection.address import Address
from millrace_core.budget import Budget, Charge, LocalBudget

WINDOW_MS = 400
_numbers = itertools.count()


@pytest.fixture
def key() -> str:
    """A limit that no other test uses."""
    return f"budget.{{test{next(_numbers)}}}.default.WEIGHT"


@pytest.fixture(params=["local", "shared"])
async def budget(request: pytest.FixtureRequest, shared: EmbeddedServer) -> AsyncIterator[Budget]:
    """A budget of either form."""
    if request.param == "local":
        yield LocalBudget()
        return
    opened = SharedBudget(Address.parse(shared.url), "test.budget")
    yield opened
    await opened.close()


def charge(key: str, weight: int = 1, cap: int = 10) -> Charge:
    """Return what a request takes of the tested limit."""
    return Charge(key, WINDOW_MS, weight, cap, cap // 2)


async def granted(budget: Budget, tenant: str, each: Charge, *, urgent: bool = False) -> int:
    """Ask until the first refusal; return how often it was granted."""
    for count in itertools.count():
        if not (await budget.take([each], tenant, urgent=urgent)).is_granted:
            return count
    raise AssertionError("unreachable")


async def test_no_more_is_granted_than_the_cap(budget: Budget, key: str) -> None:
    """What does not fit waits, no longer than a window and one slot of it, and then fits."""
    assert await granted(budget, "A", charge(key)) == 10
    verdict = await budget.take([charge(key)], "A")
    assert 0 < verdict.wait_ms <= WINDOW_MS * 1.1
    assert not verdict.is_stopped
    await asyncio.sleep(verdict.wait_ms / 1000)
    assert (await budget.take([charge(key)], "A")).is_granted


async def test_what_a_low_cap_leaves_is_there_for_a_higher_one(budget: Budget, key: str) -> None:
    """History that has used all it may does not keep a cancel waiting."""
    assert await granted(budget, "A", charge(key, cap=5)) == 5
    assert (await budget.take([charge(key, weight=5, cap=10)], "A")).is_granted


async def test_a_greedy_tenant_leaves_the_others_their_share(budget: Budget, key: str) -> None:
    """Of two tenants the one who asks first gets no more than half once the other is there, who gets the rest."""
    assert (await budget.take([charge(key)], "B")).is_granted
    assert await granted(budget, "A", charge(key)) == 5
    assert await granted(budget, "B", charge(key)) == 4


async def test_history_of_a_tenant_does_not_count_against_its_orders(budget: Budget, key: str) -> None:
    """A tenant that read all it may still trades, and as much as the others."""
    assert (await budget.take([charge(key)], "B")).is_granted
    assert await granted(budget, "A", charge(key)) == 5
    assert await granted(budget, "A", charge(key), urgent=True) == 4


async def test_a_request_counts_in_all_of_its_limits_or_in_none(budget: Budget, key: str) -> None:
    """A refusal by one limit takes nothing of another."""
    narrow = Charge(f"{key}2", WINDOW_MS, 1, 1, 1)
    assert (await budget.take([narrow], "A")).is_granted
    assert not (await budget.take([charge(key), narrow], "A")).is_granted
    assert await granted(budget, "A", charge(key)) == 10


async def test_a_request_heavier_than_its_cap_goes_alone(budget: Budget, key: str) -> None:
    """It must not wait forever."""
    assert (await budget.take([charge(key, weight=20)], "A")).is_granted
    assert not (await budget.take([charge(key)], "A")).is_granted


async def test_a_pause_stops_everything_until_it_is_over(budget: Budget, key: str) -> None:
    """Even what takes nothing; a shorter pause does not end a longer one."""
    budget.stop(key, 200)
    budget.stop(key, 50)
    verdict = await budget.take([charge(key, weight=0)], "A", urgent=True)
    assert verdict.is_stopped
    assert 100 < verdict.wait_ms <= 200
    async with asyncio.timeout(5):
        while (verdict := await budget.take([charge(key)], "A")).is_stopped:
            await asyncio.sleep(verdict.wait_ms / 1000)
    assert verdict.is_granted


async def test_what_the_exchange_counted_beside_us_is_taken_off(budget: Budget, key: str) -> None:
    """Somebody else uses the address too; less than we know of changes nothing."""
    assert (await budget.take([charge(key, weight=2)], "A")).is_granted
    budget.observe(key, WINDOW_MS, 7)
    budget.observe(key, WINDOW_MS, 3)
    assert await granted(budget, "A", charge(key)) == 3
    assert budget.used[key] == 10
