"""Ten strategies in one magicbox, each in a process of its own: four of them are bad, and harm no other."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from millrace_bus import Bus, EmbeddedServer, StreamWriter
from millrace_core.clock import now_ms, now_ns
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.ids import MessageId
from millrace_core.market import Trade, TradesDelta, TradesSnapshot
from millrace_core.names import AgentId, StreamName, Tenant, trader_actions
from millrace_core.requests import CreateOrder, parse_request
from millrace_core.trace import Trace

AGENT, TENANT = AgentId("MAGICBOX"), Tenant("StrankaXY")
TRADES = StreamName.parse(f"stream.{TENANT}.binance.watchTrades.KCS/USDT")
GOOD = [f"good{number}" for number in range(6)]
BAD = ["raising", "looping", "leaking", "napping"]
PAUSE_S = 0.01

STRATEGIES = '''
import time
from millrace_strategy import Strategy


class Good(Strategy):
    """Buys at the price of every fifth trade."""

    def on_trades(self, event):
        for trade in event.trades:
            if int(trade.id) % 5 == 0:
                self.trader.create_order(
                    exchange="binance", symbol="KCS/USDT", side="buy", type="limit", amount=1, price=trade.price,
                    valid_for_ms=600_000,
                )


class Raising(Strategy):
    def on_trades(self, event):
        raise ValueError("a defect")


class Looping(Strategy):
    def on_trades(self, event):
        while True:
            pass


class Leaking(Strategy):
    kept = []

    def on_trades(self, event):
        self.kept.append(b"x" * (4 << 20))


class Napping(Strategy):
    def on_trades(self, event):
        time.sleep(0.2)
'''


class Market:
    """A stream of trades, and a magicbox process with strategies on it."""

    def __init__(self, bus: Bus, server: EmbeddedServer, folder: Path) -> None:
        self._bus, self._server, self._folder = bus, server, folder
        self._trades: StreamWriter = bus.writer(TRADES, lambda as_of: TradesSnapshot([], str(as_of)))
        self._count = 0
        self._process: asyncio.subprocess.Process | None = None

    async def open(self) -> None:
        """Open the stream, and start magicbox."""
        await self._trades.open()
        (self._folder / "strategies.py").write_text(STRATEGIES)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "millrace_magicbox", "--agent-id", AGENT, "--redis-url", self._server.url),
            *("--plugin-dir", str(self._folder), "--log-level", "error", "--die-with-parent", str(os.getpid())),
        )

    async def close(self) -> None:
        """End both."""
        if self._process is not None:
            self._process.terminate()
            assert await self._process.wait() == 0
        await self._trades.close()

    async def configure(self, names: list[str], **limits: Any) -> None:
        """Run these strategies."""
        plugins = [
            {"pluginName": name.rstrip("0123456789").capitalize(), "name": name, "limits": limits} for name in names
        ]
        subscription = {"exchangeId": "binance", "symbol": "KCS/USDT", "dataPoint": "watchTrades"}
        workplan = {"tenant": TENANT, "plugins": plugins, "subscriptions": [subscription]}
        await self._bus.put_config(AGENT, json.dumps({"agent": {"id": AGENT}, "workplans": [workplan]}))

    def trade(self) -> MessageId:
        """Publish the next trade; its price is its number."""
        self._count += 1
        trade = Trade(str(self._count), now_ms(), "KCS/USDT", "buy", float(self._count), 1.0)
        return self._trades.delta(TradesDelta([trade]), timestamp=now_ms(), trace=Trace(received=now_ns()))

    async def shows(self, condition: Any) -> Heartbeat:
        """Wait until the heartbeat meets a condition, trading on meanwhile."""
        async with asyncio.timeout(60):
            while True:
                for beat in await self._bus.heartbeats():
                    if condition({unit.name.partition(".")[2]: unit for unit in beat.units}):
                        return beat
                await asyncio.sleep(0.02)  # Redis announces no contents, so that there is nothing to wait for

    async def decided(self) -> dict[str, list[Decimal]]:
        """Return the prices of all requests by strategy, in their order."""
        found: dict[str, list[Decimal]] = {}
        async with Redis.from_url(self._server.url) as redis:
            for _, fields in await redis.xrange(trader_actions(TENANT)):
                request = parse_request(next(iter(fields.values())))
                assert isinstance(request, CreateOrder)
                assert request.payload.price is not None
                found.setdefault(request.payload.order_source or "", []).append(request.payload.price)
        return found


@pytest.fixture
async def market(bus: Bus, server: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Market]:
    """A market with a magicbox."""
    market = Market(bus, server, tmp_path)
    await market.open()
    yield market
    await market.close()


async def test_bad_strategies_harm_no_other(market: Market) -> None:
    """The good ones decide on every trade as if they were alone; the bad ones are stopped, each with its cause."""

    def all_live(units: dict[str, UnitHealth]) -> bool:
        return len(units) == 10 and all(unit.state == "live" for unit in units.values())

    def all_named(units: dict[str, UnitHealth]) -> bool:
        return all(units[name].state == "stopped" for name in ("raising", "looping", "leaking"))

    await market.configure(GOOD + BAD, stallSeconds=2, memoryMb=200)
    await market.shows(all_live)
    feeding = asyncio.create_task(feed(market))
    beat = await market.shows(all_named)
    feeding.cancel()
    await asyncio.wait([feeding])
    units = {unit.name.partition(".")[2]: unit for unit in beat.units}
    assert "stood still" in (units["looping"].detail or "")
    assert "strategies.py" in (units["looping"].detail or "")
    assert "MB of memory" in (units["leaking"].detail or "")
    assert "ValueError('a defect')" in (units["raising"].detail or "")
    assert any(error.where == f"{TENANT}.napping" and "on_trades" in error.message for error in beat.last_errors)
    assert [units[name].state for name in GOOD] == ["live"] * len(GOOD)
    expected = [Decimal(number) for number in range(5, market._count + 1, 5)]
    async with asyncio.timeout(60):
        while sum(map(len, (decided := await market.decided()).values())) < len(GOOD) * len(expected):
            await asyncio.sleep(0.05)  # Redis announces no lengths
    assert [decided[name] for name in GOOD] == [expected] * len(GOOD)


async def feed(market: Market) -> None:
    """Trade on until cancelled."""
    while True:
        market.trade()
        await asyncio.sleep(PAUSE_S)
