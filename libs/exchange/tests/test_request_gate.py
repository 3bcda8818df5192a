"""Who may send a request, and who has to wait."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from millrace_core.budget import LocalBudget, RequestBudget
from millrace_core.names import ExchangeId
from millrace_exchange import Retryable, profile_of
from millrace_exchange.profile import CONNECT, ExchangeProfile, RateLimit, RequestLimits
from millrace_exchange.refusals import Answer, LimitReport
from millrace_exchange.request_gate import RequestGate

BINANCE = profile_of(ExchangeId("binance"))
LIMITS = RequestLimits(
    limits=(
        RateLimit(name="WEIGHT", scope="ip", weight=10, window_ms=60_000, used_header="Used"),
        RateLimit(
            name="ORDERS",
            scope="account",
            weight=2,
            window_ms=10_000,
            counts="requests",
            actions=frozenset({"createOrder"}),
            error_code="-1015",
        ),
    ),
    ban_ms=9_000,
)
PROFILE = ExchangeProfile(exchange=ExchangeId("x"), requests=LIMITS)


def gate(budget: LocalBudget | None = None, tenant: str = "A", account: str | None = "key") -> RequestGate:
    """Return a gate, of an account or of the public."""
    return RequestGate(PROFILE, RequestBudget(budget or LocalBudget(), tenant=tenant), account=account)


async def admitted(gate: RequestGate, action: str, at_most: int = 20) -> int:
    """Send requests until one is held; return how many were not."""
    for count in range(at_most):
        try:
            await gate.enter(action)
        except Retryable:
            return count
    return at_most


async def test_less_urgent_requests_leave_something_for_the_others() -> None:
    """History fills half of the limit, questions a little more, orders most of it, cancels all."""
    mine = gate(account=None)
    actions = ("fetchTrades", "fetchOrder", "createOrder", "cancelOrder")
    assert [await admitted(mine, action) for action in actions] == [5, 2, 2, 1]


async def test_what_is_held_says_when_to_come_again() -> None:
    """An order is not held: its sender decides whether it is still wanted by then."""
    mine = gate()
    await mine.enter("createOrder")
    await mine.enter("createOrder")
    with pytest.raises(Retryable, match="limits are used up") as held:
        await mine.enter("createOrder")
    assert 9_000 < held.value.retry_after_ms <= 10_000
    assert held.value.action == "createOrder"
    await mine.enter("cancelOrder")


async def test_a_question_waits_for_its_turn() -> None:
    """For a moment it is cheaper to wait than to fail."""
    limit = RateLimit(name="WEIGHT", scope="ip", weight=10, window_ms=100)
    quick = RequestGate(ExchangeProfile(exchange=ExchangeId("x"), requests=RequestLimits(limits=(limit,))))
    began = asyncio.get_running_loop().time()
    for _ in range(8):
        await quick.enter("fetchOrder")
    assert 0.09 < asyncio.get_running_loop().time() - began < 2


async def test_a_pause_stops_every_tenant_and_action() -> None:
    """What one is told, all obey."""
    budget = LocalBudget()
    one, other = gate(budget), gate(budget, tenant="B", account=None)
    one.answered("fetchTrades", Answer.of(429, {"Retry-After": "30"}, ""))
    for action in ("cancelOrder", "createOrder", "fetchTrades", "watchTicker", CONNECT, ""):
        with pytest.raises(Retryable, match="asked for a pause") as held:
            await other.enter(action)
        assert 29_000 < held.value.retry_after_ms <= 30_000
        with pytest.raises(Retryable):
            other.check(action)


async def test_a_refusal_of_one_limit_concerns_no_other() -> None:
    """An account that placed too many orders may cancel them, and others may go on."""
    budget = LocalBudget()
    mine, other = gate(budget), gate(budget, account="other")
    mine.answered("createOrder", Answer.of(429, {}, '{"code":-1015}'))
    with pytest.raises(Retryable) as held:
        await mine.enter("createOrder")
    assert 9_000 < held.value.retry_after_ms <= 10_000
    await mine.enter("cancelOrder")
    await other.enter("createOrder")


async def test_a_refusal_that_only_its_code_shows_is_a_pause_too() -> None:
    """Some exchanges answer 200 with the code of a broken limit."""
    mine = gate()
    mine.refused("fetchTrades")
    assert 8_000 < mine.stopped_ms("cancelOrder") <= 9_000


async def test_the_count_of_the_exchange_corrects_ours() -> None:
    """Somebody else uses the address: what they used is not there for us."""
    mine = gate(account=None)
    mine.answered("fetchOrder", Answer.of(200, {"Used": "9"}, "[]"))
    assert await admitted(mine, "fetchOrder") == 0
    assert await admitted(mine, "cancelOrder") == 1


async def test_the_limits_of_the_exchange_replace_those_of_the_profile() -> None:
    """Limits change, and depend on the account."""
    mine = gate()
    mine.adopt([LimitReport("ORDERS", 10_000, 4, 0), LimitReport("ORDERS", 86_400_000, 1, 0)])
    assert await admitted(mine, "createOrder") == 4


async def test_what_is_left_is_reported() -> None:
    """Of each limit that was used, and until when nothing is sent."""
    mine, shown = gate(), dict[str, Any]()
    with mine.reporting(shown.__setitem__):
        await mine.enter("createOrder")
        assert shown == {"left.WEIGHT": 9, "left.ORDERS": 1, "leftPercent": 50, "pausedUntil": 0}
        mine.answered("fetchTrades", Answer.of(418, {}, ""))
        assert shown["pausedUntil"] > 0


async def test_a_socket_counts_as_a_connection() -> None:
    """Binance takes 300 in 5 minutes from an address."""
    limits = tuple(
        replace(limit, weight=2) if limit.name == "CONNECTIONS" else limit for limit in BINANCE.requests.limits
    )
    few = RequestGate(replace(BINANCE, requests=replace(BINANCE.requests, limits=limits)))
    assert await admitted(few, CONNECT) == 2
    await few.enter("fetchTrades")
