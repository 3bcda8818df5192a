"""What a strategy decides in a backtest over its recorded run is what it decided live."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.platform import Platform, running, until
from tests.support.recordings import TENANT, recording

from millrace_backtest.backtest import Backtest
from millrace_backtest.outputs import result_bytes
from millrace_backtest.recording.files import Recording
from millrace_backtest.replay.decisions import Decision, first_difference
from millrace_backtest.replay.replay import ReplayedStrategy, replay
from millrace_backtest.result import result_of
from millrace_backtest.scan import Scan, scan
from millrace_backtest.settings import BacktestSettings
from millrace_backtest.strategies import BacktestedStrategy
from millrace_backtest.subscriptions import subscriptions
from millrace_magicbox.plugins import load_strategy

PLUGINS = Path(__file__).parent / "support" / "strategies"
DECISIONS = int(os.environ.get("MILLRACE_TEST_DECISIONS", "30"))
SIGNAL = 0.77
CONFIGURATION = {"signal": SIGNAL, "decisions": DECISIONS}
BEGIN = {
    "action": "createOrder",
    "exchangeId": "binance",
    "payload": {"symbol": "KCS/USDT", "side": "buy", "type": "market", "amountBase": SIGNAL, "price": 25,
                "orderSource": "James"},
}  # fmt: skip


def with_prober(config: dict[str, Any]) -> dict[str, Any]:
    """Change magicbox's example configuration so that it runs the prober."""
    config["workplans"][0]["plugins"] = [{"pluginName": "Prober", "configuration": CONFIGURATION}]
    return config


async def all_decided(platform: Platform) -> None:
    """Let the prober begin, and wait until its last request is answered."""

    async def has_begun() -> bool:
        # The signal is a trade of a certain amount: if two levels of the book make it, there are two of other amounts.
        await platform.redis.publish(f"{TENANT}.traderActions", json.dumps(BEGIN))
        return bool(await decided())

    async def decided() -> list[bytes]:
        entries = await platform.redis.xrange(f"{TENANT}.traderActions")
        return [entry for _, entry in entries if "Prober" in entry["data"]]

    await until(has_begun, "the strategy decides", platform=platform)

    async def answered() -> bool:
        names = [f"stream.{TENANT}.binance.{action}.KCS/USDT" for action in ("createOrder", "cancelOrder", "editOrder")]
        entries = [entry for name in names for _, entry in await platform.redis.xrange(name)]
        answers = [json.loads(entry["data"])["data"] for entry in entries]
        final = [each for each in answers if each.get("orderSource") == "Prober" and each["status"] != "unknown"]
        return len(final) >= DECISIONS

    await until(answered, "all requests are answered", timeout=90, platform=platform)


async def is_live(platform: Platform, kind: str) -> bool:
    """Tell whether all units of a service are live: a strategy once it follows all of its streams."""
    beat = await platform.heartbeat(kind)
    return bool(beat and beat["units"]) and all(unit["state"] == "live" for unit in beat["units"])


def plan_of(scanned: Scan) -> BacktestedStrategy:
    """Return the prober as it was live."""
    streams = subscriptions(scanned.streams, TENANT, [f"stream.{TENANT}.*"])
    prober = load_strategy("Prober", PLUGINS)
    return BacktestedStrategy(
        strategy=prober, tenant=TENANT, name="Prober", configuration=CONFIGURATION, streams=streams
    )


async def backtested(file: Path) -> Backtest:
    """Run the prober over a recording, with the recorded latencies."""
    source = Recording(file)
    scanned = scan([source])
    backtest = Backtest([plan_of(scanned)], [source], BacktestSettings(latency="recorded"), scanned)
    await backtest.run()
    return backtest


async def elsewhere(file: Path) -> bytes:
    """Return the result of the same backtest in another process."""
    code = (sys.executable, "-c", _ELSEWHERE, str(file))
    process = await asyncio.create_subprocess_exec(*code, cwd=PLUGINS.parents[2], stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output


@pytest.mark.system
@pytest.mark.timeout(240)
async def test_a_backtest_decides_as_the_strategy_did_live(tmp_path: Path) -> None:
    """All of it: with modelled exchanges at recorded latencies, and in a replay of the recorded answers.

    The same run twice, once in another process, leads to the same bytes.
    """
    file = tmp_path / "run.jsonl.gz"
    busy = {"eventsPerSecond": 600, "limits": {"enforce": False}}
    async with running(tmp_path, ("gatherer", "executor"), simulator=busy) as platform:
        await until(lambda: is_live(platform, "gatherer"), "the gatherer is live", platform=platform)
        async with recording(platform, file):
            await platform.configure("magicbox", with_prober(platform.example("magicbox")))
            await platform.start_service("magicbox", PLUGINS)
            await until(lambda: is_live(platform, "magicbox"), "the strategy is live", platform=platform)
            await all_decided(platform)
            await platform.end("magicbox")
    scanned = scan([Recording(file)])
    assert scanned.is_whole
    assert not any(stream.gaps for stream in scanned.streams.values())
    live = scanned.decided_by(TENANT, "Prober")
    assert len(live) == DECISIONS
    assert len({Decision.of(request).action for request in live}) > 1
    prober = ReplayedStrategy(TENANT, "Prober", lambda name: load_strategy(name, PLUGINS))
    again = await replay(prober, [Recording(file)])
    assert (again.difference, again.same) == (None, DECISIONS)
    backtest = await backtested(file)
    made = [Decision.of(each.request) for each in backtest.requests]
    assert first_difference(live, backtest.requests) is None, (list(map(Decision.of, live)), made)
    assert backtest.ledger.fills
    assert backtest.runs[0].runtime.markets["binance", "KCS/USDT"].min_cost == 5, "the market's rules are recorded"
    assert await elsewhere(file) == result_bytes(result_of(backtest, [file.name]))


_ELSEWHERE = """
import asyncio, sys
from pathlib import Path
from millrace_backtest.outputs import result_bytes
from millrace_backtest.result import result_of
from tests.test_backtest import backtested
file = Path(sys.argv[1])
sys.stdout.buffer.write(result_bytes(result_of(asyncio.run(backtested(file)), [file.name])))
"""
