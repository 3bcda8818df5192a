"""A real exchange to talk to: the simulator, whose market stands still until a test moves it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from millrace_core.config.common import Credentials
from millrace_exchange import Exchange, open_exchange
from millrace_simulator.config import SimulatorConfig
from millrace_simulator.server import Server, serve


@pytest.fixture
async def simulator() -> AsyncIterator[Server]:
    """An exchange that speaks Binance's protocol; `market.step` moves it."""
    config = SimulatorConfig(events_per_second=4_000, depth_interval_ms=10, record=True)
    async with await serve(config, drive_market=False) as server:
        yield server


@pytest.fixture
def credentials(simulator: Server) -> Credentials:
    """How to reach the simulator's account."""
    return Credentials(api_key="demo-key", secret="demo-secret", urls={"base": simulator.url})


@pytest.fixture
async def exchange(credentials: Credentials) -> AsyncIterator[Exchange]:
    """The simulator's account, its markets loaded."""
    opened = await open_exchange("binance", credentials)
    await opened.prepare()
    yield opened
    await opened.close()


@pytest.fixture
def step(simulator: Server) -> Any:
    """Moves the market by some milliseconds."""

    def step(ms: int = 20) -> None:
        simulator.market.step(simulator.market.now_us + ms * 1000)

    return step
