"""KuCoin's own client, unmodified, follows the market and trades here."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from msgspec.structs import replace

from millrace_simulator.config import default_config
from millrace_simulator.server import serve


async def test_kucoins_own_client_understands_everything() -> None:
    """Books, trades, candles, orders, own streams: each answer fits the models of KuCoin's specification."""
    config = default_config("kucoin")
    symbols = tuple(rules for rules in config.symbols if rules.symbol == "KCS-USDT")
    async with await serve(replace(config, symbols=symbols, depth_interval_ms=50)) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).with_name("sdk_client.py")), server.url, "demo-key",
            stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        output, errors = await asyncio.wait_for(process.communicate(), 60)
        instrument = server.venue.instrument("KCS-USDT")
    assert process.returncode == 0, errors.decode()[-3000:]
    seen = json.loads(output)
    market, reported = seen["market"], seen["streams"]
    assert market["bids"][0] == 20 < market["bids"][1]
    assert int(market["sequence"][0]) <= int(market["sequence"][1]) <= instrument.last_update_id
    assert (market["candles"] > 100, market["step"], market["tickers"]) == (True, "0.001", ["KCS-USDT"])
    assert set(market["currencies"]) == {"KCS", "USDT"}
    assert float(market["best"]) == pytest.approx(float(market["last"]), rel=0.01)
    assert market["limit"] == 2000
    assert reported["sync"] == ["open", "done", "1"]
    assert (reported["order"], reported["open"], reported["fills"]) == (["1", False], ["sdk-1"], 1)
    assert set(reported["done"]) == {reported["bought"], reported["rested"]}
    assert (reported["received"], reported["filled"], reported["canceled"], reported["trade"]) == (
        "new",
        "1",
        "done",
        "buy",
    )
    assert float(reported["balance"]) > 0
    assert reported["snapshot"] == "KCS-USDT"
    assert int(market["sequence"][0]) < reported["sequences"][0] <= reported["sequences"][1]
    assert (reported["depth"], reported["candle"], float(reported["ticker"]) > 0) == (5, 7, True)
