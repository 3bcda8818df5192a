"""A replay makes every decision that a strategy made live, at the same time of its clock and with the same terms."""

import asyncio
import gzip
import json
import os
import shutil
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.platform import STRATEGIES, Platform, running, until
from tests.support.recordings import TENANT, recording
from typer.testing import CliRunner

from millrace_backtest.recording.files import Recording
from millrace_backtest.replay.replay import Replayed, ReplayedStrategy, replay
from millrace_cli.main import app
from millrace_core.requests import CreateOrder
from millrace_magicbox.plugins import load_strategy

DECISIONS = int(os.environ.get("MILLRACE_TEST_DECISIONS", "15"))
"""Of each strategy, before and after each change of its run."""
KEPT = os.environ.get("MILLRACE_TEST_RECORDING")
"""Where to keep the recording."""
MARKET = {"exchangeId": "binance", "symbol": "KCS/USDT"}
PING_PONG = {**MARKET, "amount": 1, "maximumThresholdMs": 500}
MAKER = {**MARKET, "amount": 1, "tickSize": 0.001, "amountStep": 0.001, "maxInventory": 5, "minInventory": -5}
BOOK = f"stream.{TENANT}.binance.watchOrderBook.KCS/USDT"
JOURNAL = f"stream.{TENANT}.magicbox.strategyInputs.PingPong"
NAMES = ("PingPong", "MarketMaker", "Checksum")


def plugins(amount: float) -> list[dict[str, Any]]:
    """Return three strategies: by books and timers, by parts of strategies, and by all there is."""
    return [
        {"pluginName": "PingPong", "configuration": PING_PONG | {"amount": amount}},
        {"pluginName": "MarketMaker", "configuration": MAKER | {"amount": amount}},
        {"pluginName": "Checksum", "configuration": {"least": amount}},
    ]


def with_strategies(kind: str, config: dict[str, Any]) -> None:
    """Change magicbox's example configuration so that it runs them."""
    if kind == "magicbox":
        config["workplans"][0]["plugins"] = plugins(1)
        config["workplans"][0]["subscriptions"].append({**MARKET, "dataPoint": "watchMyTrades"})


async def decided(platform: Platform) -> dict[str, int]:
    """Return how many requests each strategy has made."""
    entries = await platform.redis.xrange(f"{TENANT}.traderActions")
    sources = [json.loads(fields["data"])["payload"].get("orderSource") for _, fields in entries]
    return {name: sources.count(name) for name in NAMES}


async def decide_more(platform: Platform) -> None:
    """Wait until each strategy has decided so many times more."""
    before = await decided(platform)

    async def have_decided() -> bool:
        now = await decided(platform)
        return all(now[name] >= before[name] + DECISIONS for name in NAMES)

    await until(have_decided, "all strategies decide", timeout=90 + DECISIONS, platform=platform)


async def swap(platform: Platform) -> None:
    """Have other settings of each strategy take over, between two events."""
    config = platform.configs["magicbox"]
    config["workplans"][0]["plugins"] = plugins(2)
    await platform.configure("magicbox", config)

    async def have_taken_over() -> bool:
        beat = await platform.heartbeat("magicbox")
        return beat is not None and sum(unit["counters"].get("replacements", 0) for unit in beat["units"]) == len(NAMES)

    await until(have_taken_over, "the new settings take over", platform=platform)


async def kill_strategies(platform: Platform) -> None:
    """Kill the process of each strategy, which magicbox then starts again."""
    beat = await platform.heartbeat("magicbox")
    assert beat is not None
    for worker in beat["workers"]:
        os.kill(worker["pid"], signal.SIGKILL)


async def repeated(file: Path, folder: Path, name: str, configuration: dict[str, Any] | None = None) -> Replayed:
    """Repeat what a strategy did."""
    plan = ReplayedStrategy(TENANT, name, lambda plugin: load_strategy(plugin, folder), configuration)
    return await replay(plan, [Recording(file)])


@pytest.mark.system
@pytest.mark.timeout(600)
async def test_a_replay_makes_the_decisions_that_were_made_live(tmp_path: Path) -> None:
    """All of them, over a live swap, an ordinary restart, and one after a kill; other settings are told apart."""
    folder, file = tmp_path / "strategies", Path(KEPT or tmp_path / "run.jsonl.gz")
    shutil.copytree(STRATEGIES, folder)
    shutil.copy(Path(__file__).parent / "support" / "strategies" / "checksum.py", folder)
    busy = {"eventsPerSecond": 600, "limits": {"enforce": False}}
    kinds = ("gatherer", "executor", "magicbox")
    async with (
        running(tmp_path, kinds, simulator=busy, change=with_strategies, plugins=folder) as platform,
        recording(platform, file),
    ):
        await decide_more(platform)
        await swap(platform)
        await decide_more(platform)
        await platform.end("magicbox")
        await platform.start_service("magicbox", folder)
        await decide_more(platform)
        await kill_strategies(platform)
        await decide_more(platform)
        await platform.end("magicbox")
    for name in NAMES:
        found = await repeated(file, folder, name)
        assert found.difference is None, found
        assert found.astray is None
        assert found.same == found.recorded >= 3 * DECISIONS
        assert found.runs == 3
        assert (found.unproven > 0) == (name == "Checksum")  # What magicbox refused is not recorded.
        assert len(found.ends) == 1  # The killed one may have taken in more.
    await other_settings_are_explained(file, folder)
    await times_of_which_nothing_is_recorded_are_errors(file, folder)
    await knowledge_ends_where_the_recording_lacks_something(file, folder)


async def other_settings_are_explained(file: Path, folder: Path) -> None:
    """The first difference is shown with the input on which it was decided; other timers are noticed, too."""
    changed = await repeated(file, folder, "PingPong", PING_PONG | {"amount": 3})
    difference = changed.difference
    assert difference is not None
    assert difference.number == 1
    assert isinstance(difference.recorded, CreateOrder) and isinstance(difference.now, CreateOrder)
    assert (difference.recorded.payload.amount_base, difference.now.payload.amount_base) == (Decimal(1), Decimal(3))
    assert difference.recorded.trace.decided == difference.now.trace.decided
    cause = difference.causes[-1].what  # On a busy machine the book's event may have had to wait for a turn.
    assert "watchOrderBook" in cause or "next turn" in cause
    arguments = ["--strategy", "PingPong", "-c", json.dumps(PING_PONG | {"amount": 3}), "--plugin-dir", str(folder)]
    said = await asyncio.to_thread(CliRunner().invoke, app, ["replay", *arguments, "--data", str(file)])
    assert said.exit_code == 1
    assert "decision 1 is the first difference" in said.output
    hurried = await repeated(file, folder, "Checksum", {"everyMs": 90})
    assert hurried.difference is not None
    assert hurried.astray is not None


async def times_of_which_nothing_is_recorded_are_errors(file: Path, folder: Path) -> None:
    """Decisions that nobody compared must not look like decisions that are made again."""
    for times in (["--from", "2100-01-01"], ["--to", "2000-01-01"], ["--from", "2100-01-01", "--to", "2000-01-01"]):
        arguments = ["replay", "--strategy", "PingPong", "--plugin-dir", str(folder), "--data", str(file), *times]
        said = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        assert said.exit_code == 1, said.output
        assert "nothing could be repeated" in said.output or "not after the beginning" in said.output


async def knowledge_ends_where_the_recording_lacks_something(file: Path, folder: Path) -> None:
    """A run is repeated up to what is missing, and says so; other runs are repeated all the same.

    A change of a book is missing until the book's next snapshot, which comes after a minute: to all of these runs.
    """
    whole = await repeated(file, folder, "PingPong")
    for lost, start, runs in ((BOOK, b"", 3), (JOURNAL, b'"first":0,', 1)):
        cut = file.with_name("cut.jsonl.gz")
        without_one(file, cut, lost, start)
        found = await repeated(cut, folder, "PingPong")
        assert found.difference is None
        assert sum("not in the recordings" in each or "is not recorded" in each for each in found.ends) == runs
        assert 0 < found.recorded < whole.recorded
        assert found.outside > whole.outside
        cut.unlink()


def without_one(file: Path, cut: Path, name: str, text: bytes) -> None:
    """Copy a recording without the 20th message of a stream, or without the first that holds a text."""
    number, seen = b"", 0
    with gzip.open(file) as source, gzip.open(cut, "wb") as target:
        for line in source:
            if line.startswith(b'{"stream"') and json.loads(line)["name"] == name:
                number = b"[%d," % json.loads(line)["stream"]
            is_one_of_it = bool(number) and line.startswith(number) and text in line
            seen += is_one_of_it
            if not (is_one_of_it and seen == (1 if text else 20)):
                target.write(line)
