"""Changed code and settings of a running strategy take over without a missed event, or are rolled back."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from millrace_bus import Bus, StreamWriter
from millrace_core.ids import MessageId
from millrace_core.market import Trade, TradesDelta, TradesSnapshot
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant
from millrace_strategy import dispatcher

TENANT, EXCHANGE, SYMBOL = Tenant("StrankaXY"), ExchangeId("binance"), Symbol("KCS/USDT")
SUBSCRIPTIONS = [{"exchangeId": EXCHANGE, "symbol": SYMBOL, "dataPoint": "watchTrades"}]
SWAPS = int(os.environ.get("MILLRACE_SWAPS", "2"))
"""How often code is swapped under load; each takes a process that checks it first."""
VERSION = '''
from pathlib import Path
from millrace_strategy import Strategy, StrategyConfiguration


class Witness(Strategy):
    """Writes down which version saw which trade."""

    class Configuration(StrategyConfiguration):
        """Settings of the test."""

        label: str = "a"
        fails: bool = False

    def on_start(self, event):
        if self.configuration.fails:
            raise ValueError("mine")

    def on_trades(self, event):
        with Path(__file__).with_name("seen").open("a") as file:
            for trade in event.trades:
                file.write(f"VERSION{self.configuration.label} {trade.id}\\n")
'''


def write_version(folder: Path, version: int) -> None:
    """Save the strategy's file anew."""
    (folder / "witness.py").write_text(VERSION.replace("VERSION", str(version)))


def seen(folder: Path) -> list[tuple[str, int]]:
    """Return version and trade of each line that was written."""
    path = folder / "seen"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(version, int(number)) for version, _, number in (line.partition(" ") for line in lines)]


async def until_seen_by(folder: Path, version: str) -> None:
    """Wait until a version has seen a trade."""
    async with asyncio.timeout(60):
        while not seen(folder) or seen(folder)[-1][0] != version:
            await asyncio.sleep(0.02)


@asynccontextmanager
async def load(bus: Bus) -> AsyncIterator[asyncio.Event]:
    """Publish a trade in every few turns of the loop until the yielded event is set."""
    trades: list[Trade] = []

    def snapshot(as_of: MessageId) -> TradesSnapshot:
        return TradesSnapshot(trades[-1_000:], str(as_of))

    writer: StreamWriter = bus.writer(StreamName(TENANT, EXCHANGE, Action("watchTrades"), SYMBOL), snapshot)
    await writer.open()
    over = asyncio.Event()

    async def publish() -> None:
        for number in itertools.count():
            if over.is_set():
                return
            trades.append(Trade(str(number), number, SYMBOL, "buy", 1.0, 1.0))
            writer.delta(TradesDelta(trades[-1:]))
            await asyncio.sleep(0.002)

    publishing = asyncio.create_task(publish())
    yield over
    over.set()
    await publishing
    await writer.close()


async def test_no_event_is_missed_or_seen_twice_while_code_is_swapped_under_load(magicbox: Any, bus: Bus) -> None:
    """Each trade is seen by exactly one version, in order, from the first to the last."""
    write_version(magicbox.folder, 0)
    async with load(bus):
        await magicbox.start({"pluginName": "Witness"}, subscriptions=SUBSCRIPTIONS)
        await until_seen_by(magicbox.folder, "0a")
        for version in range(1, SWAPS + 1):
            write_version(magicbox.folder, version)
            assert await bus.request_restart(AgentId("MAGICBOX"), f"{TENANT}.Witness")
            await until_seen_by(magicbox.folder, f"{version}a")
    numbers = [number for _, number in seen(magicbox.folder)]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    versions = [int(version.removesuffix("a")) for version, _ in seen(magicbox.folder)]
    assert versions == sorted(versions)
    assert set(versions) == set(range(SWAPS + 1))
    await counted(magicbox, "replacements", SWAPS)


async def test_settings_and_code_that_fail_leave_the_version_before_running(magicbox: Any, bus: Bus) -> None:
    """New settings take over; some that fail at the start are rolled back; code with a mistake never starts."""
    write_version(magicbox.folder, 0)
    plugin = {"pluginName": "Witness"}
    async with load(bus):
        await magicbox.start(plugin, subscriptions=SUBSCRIPTIONS)
        await until_seen_by(magicbox.folder, "0a")
        await magicbox.configure({**plugin, "configuration": {"label": "b"}}, subscriptions=SUBSCRIPTIONS)
        await until_seen_by(magicbox.folder, "0b")
        failing = {"label": "c", "fails": True}
        await magicbox.configure({**plugin, "configuration": failing}, subscriptions=SUBSCRIPTIONS)
        await counted(magicbox, "rollbacks", 1)
        errors = (await magicbox.unit_in_state("Witness", "live")).counters["errors"]
        (magicbox.folder / "witness.py").write_text("class Witness(Strategy): pass")
        assert await bus.request_restart(AgentId("MAGICBOX"), f"{TENANT}.Witness")
        await counted(magicbox, "errors", errors + 1)
        exits = "    def __init__(self, context):\n        raise SystemExit(3)\n"
        (magicbox.folder / "witness.py").write_text(VERSION.replace("VERSION", "1") + exits)
        assert await bus.request_restart(AgentId("MAGICBOX"), f"{TENANT}.Witness")
        await counted(magicbox, "errors", errors + 2)
        beat = await magicbox.heartbeat()
        messages = " ".join(error.message for error in beat.last_errors if error.where == f"{TENANT}.Witness")
        assert "the one before it runs again" in messages
        assert "Strategy" in messages
        before = len(seen(magicbox.folder))
        async with asyncio.timeout(60):
            while len(seen(magicbox.folder)) < before + 10:
                await asyncio.sleep(0.02)
    found = seen(magicbox.folder)
    assert {version for version, _ in found} == {"0a", "0b"}
    numbers = [number for _, number in found]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


async def test_a_hook_that_never_returns_is_cut_off_for_the_new_version(magicbox: Any, bus: Bus) -> None:
    """What waited for it goes to the new version, and the unit's errors say so."""
    waits = 'async def on_trades(self, event):\n        await __import__("asyncio").Event().wait()\n'
    (magicbox.folder / "witness.py").write_text(VERSION.partition("def on_trades")[0] + waits)
    async with load(bus):
        await magicbox.start({"pluginName": "Witness"}, subscriptions=SUBSCRIPTIONS)
        await counted(magicbox, "waiting", 1)
        write_version(magicbox.folder, 1)
        assert await bus.request_restart(AgentId("MAGICBOX"), f"{TENANT}.Witness")
        await until_seen_by(magicbox.folder, "1a")
        await counted(magicbox, "errors", 1)
    numbers = [number for _, number in seen(magicbox.folder)]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    beat = await magicbox.heartbeat()
    assert any("did not return within" in error.message for error in beat.last_errors)


async def test_a_change_of_versions_that_fails_half_way_fails_the_unit(
    magicbox: Any, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then no version takes events, and nothing may say that the strategy is live."""
    monkeypatch.setattr(dispatcher, "TURN_NS", dispatcher.TURN_NS)
    write_version(magicbox.folder, 0)
    async with load(bus):
        await magicbox.start({"pluginName": "Witness"}, subscriptions=SUBSCRIPTIONS)
        await until_seen_by(magicbox.folder, "0a")
        path = magicbox.folder / "witness.py"
        path.write_text(f"from millrace_strategy import dispatcher\ndispatcher.TURN_NS = None\n{path.read_text()}")
        assert await bus.request_restart(AgentId("MAGICBOX"), f"{TENANT}.Witness")
        found = await magicbox.unit_in_state("Witness", "failed")
    assert "TypeError" in (found.detail or "")


async def counted(magicbox: Any, counter: str, value: int) -> None:
    """Wait until a counter of the strategy has a value."""
    async with asyncio.timeout(60):
        while (await magicbox.unit_in_state("Witness", "live")).counters.get(counter, 0) < value:
            await asyncio.sleep(0.02)
