"""Configurations change while everything runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.support.platform import Platform, running, until

from millrace_bus import Bus, Update
from millrace_core.names import StreamName

NEW = "stream.PUBLIC.binance.watchTrades.SOL/USDT"
BUSY = {"eventsPerSecond": 500, "limits": {"enforce": False}}

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A gatherer, which each test leaves with a good configuration."""
    async with running(tmp_path_factory.mktemp("platform"), ("gatherer",), simulator=BUSY) as platform:
        yield platform


async def running_streams(platform: Platform) -> list[str]:
    """Wait until every stream of the example is live; return their names."""

    async def all_live() -> list[str] | None:
        heartbeat = await platform.heartbeat("gatherer")
        units = heartbeat["units"] if heartbeat else []
        return [unit["name"] for unit in units] if units and all(unit["state"] == "live" for unit in units) else None

    names: list[str] = await until(all_live, "every stream is live", platform=platform)
    return names


async def test_an_added_symbol_streams_and_disturbs_no_other(platform: Platform) -> None:
    """A plain SET adds a symbol; no other stream has a gap, a new epoch or a reconnect."""
    async with Bus.connect(platform.server.url) as bus:
        names = [StreamName.parse(f"stream.{unit}") for unit in await running_streams(platform)]
        updates: list[Update] = []
        followers = [bus.follow(name, updates.append) for name in names]
        for follower in followers:
            await follower.ready()
        epochs = {follower.name: follower.last.epoch for follower in followers if follower.last}
        arrived = asyncio.Event()
        bus.follow(StreamName.parse(NEW), lambda update: arrived.set() if update.kind == "delta" else None)

        config = platform.configs["gatherer"]
        config["workplans"][0]["assetPairs"].append("SOL/USDT")
        await platform.configure("gatherer", config)
        async with asyncio.timeout(60):
            await arrived.wait()

        seen = len(updates)
        await until(lambda: more_than(updates, seen + 100), "the others go on", platform=platform)
        for follower in followers:
            assert follower.trusted
            assert follower.counters.gaps == follower.counters.resyncs == 0
            assert follower.last is not None
            assert follower.last.epoch == epochs[follower.name]


async def more_than(updates: list[Update], number: int) -> bool:
    """Tell whether more updates than that have come."""
    return len(updates) > number


async def test_an_invalid_config_changes_nothing_and_reports_all_its_errors(platform: Platform) -> None:
    """The last good one stays in force; the heartbeat names each mistake with its path; a mended one is taken."""
    before = await running_streams(platform)
    good = platform.configs["gatherer"]
    broken = json.loads(json.dumps(good))
    broken["agent"]["status"] = "paused"
    points = broken["workplans"][0]["dataPoints"]
    points.append("watchPaint")
    broken["workplans"][0]["assetPairs"] = []
    broken["colour"] = "blue"
    await platform.configure("gatherer", broken)

    async def errors() -> set[str]:
        heartbeat: dict[str, Any] = await platform.heartbeat("gatherer") or {}
        return {error["path"] for error in heartbeat.get("configErrors", [])}

    found = await until(errors, "the errors are in the heartbeat", platform=platform)
    assert {"$.agent.status", f"$.workplans[0].dataPoints[{len(points) - 1}].action", "$.colour"} <= found
    assert await running_streams(platform) == before
    await platform.configure("gatherer", good)

    async def mended() -> bool:
        return not await errors()

    await until(mended, "the mended configuration is taken", platform=platform)
