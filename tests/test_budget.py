"""Processes and tenants that share an address, on an exchange that enforces its limits."""

import asyncio
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from tests.support.budget_load import Load

from millrace_bus import EmbeddedServer
from millrace_simulator.binance.errors import TooManyRequestsError
from millrace_simulator.binance.limits import RateLimits
from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.server import Server, serve
from millrace_simulator.venue.accounts import AccountSettings

TENANTS = ("StrankaXY", "StrankaAB", "StrankaCD")
ROUNDS = 40
OUTAGE_ORDERS = 30
"""Orders that are placed while Redis is away."""
ROOT = Path(__file__).parents[1]
WEIGHT = 3_000
"""Half of it is history's: 75 questions at most, of which more are asked in a second."""


class CountingLimits(RateLimits):
    """The exchange's limits, which count how often they refused."""

    refused = 0
    orders = 0

    def charge_request(self, address: str, weight: int) -> None:
        """Count one request from `address`."""
        try:
            super().charge_request(address, weight)
        except TooManyRequestsError:
            self.refused += 1
            raise

    def charge_orders(self, account: str, count: int = 1) -> None:
        """Count new orders of `account`."""
        self.orders += count
        try:
            super().charge_orders(account, count)
        except TooManyRequestsError:
            self.refused += 1
            raise


@pytest.fixture
async def simulator() -> AsyncIterator[Server]:
    """An exchange with three accounts, whose address may use half of what Binance allows."""
    funds = {"USDT": Decimal(1_000_000), "KCS": Decimal(1_000)}
    accounts = tuple(AccountSettings(api_key=tenant, secret="secret", balances=funds) for tenant in TENANTS)
    config = SimulatorConfig(accounts=accounts, limits=Limits(weight_per_minute=WEIGHT))
    async with await serve(config, drive_market=False) as server:
        yield server


async def start_load(redis: EmbeddedServer, simulator: Server) -> asyncio.subprocess.Process:
    """Start a process that trades for all tenants."""
    arguments = ("-m", "tests.support.budget_load", redis.url, simulator.url, str(ROUNDS), *TENANTS)
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE)


async def half_done(process: asyncio.subprocess.Process) -> None:
    """Wait until a process has done half of its rounds."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert (await process.stdout.readline()).strip() == b"half"


async def loads_of(process: asyncio.subprocess.Process) -> list[Load]:
    """Return what a process did, once it has ended."""
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == 0
    return [msgspec.json.decode(line, type=Load) for line in output.splitlines()]


async def test_no_limit_is_broken_and_no_cancel_waits(simulator: Server, tmp_path: Path) -> None:
    """Two processes with three tenants each ask for all the history there is, and Redis is away in between.

    The exchange refuses nothing, every order is placed and canceled at once, in the outage too, and no tenant gets all
    of the history.
    """
    limits = simulator.exchange.limits = CountingLimits(
        simulator.exchange.limits.rules, simulator.exchange.now_ms, enforced=True
    )
    async with await EmbeddedServer.start(tmp_path / "redis") as redis:
        processes = [await start_load(redis, simulator) for _ in range(2)]
        await asyncio.gather(*map(half_done, processes))
        await redis.kill()
        during_outage = limits.orders + OUTAGE_ORDERS
        async with asyncio.timeout(60):
            while limits.orders < during_outage:
                await asyncio.sleep(0.01)
        await redis.restart()
        loads = [load for each in await asyncio.gather(*map(loads_of, processes)) for load in each]
    assert limits.refused == 0
    assert [load.canceled for load in loads] == [ROUNDS] * 6
    assert max(load.slowest_cancel_ms for load in loads) < 1_000
    assert all(load.held for load in loads)
    histories = {tenant: sum(load.histories for load in loads if load.tenant == tenant) for tenant in TENANTS}
    assert min(histories.values()) * 3 > max(histories.values())
    assert all(0 <= load.left["left.REQUEST_WEIGHT"] < WEIGHT for load in loads)
