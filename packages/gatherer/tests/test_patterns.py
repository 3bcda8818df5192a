"""Patterns of symbols: what they match, and what becomes of the streams when markets come and go."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from millrace_bus import Bus
from millrace_core.heartbeat import Heartbeat
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange import Exchange
from millrace_exchange.ccxt import market_listing
from millrace_gatherer.patterns import matching, near_patterns
from millrace_simulator.server import Server

LISTED = frozenset(
    {"BTC/USDT", "ETH/USDT", "ETH/BTC", "BTC/USDT:USDT", "BTC/USDT:USDT-261225", "BTC/USD:BTC", "K.C-S/USDT"}
)
TICKER = "watchTicker"


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("*/USDT", ["BTC/USDT", "ETH/USDT", "K.C-S/USDT"]),
        ("ETH/*", ["ETH/BTC", "ETH/USDT"]),
        ("*", ["BTC/USDT", "ETH/BTC", "ETH/USDT", "K.C-S/USDT"]),
        ("*/USDT:USDT", ["BTC/USDT:USDT"]),
        ("BTC/USDT:*", ["BTC/USDT:USDT", "BTC/USDT:USDT-261225"]),
        ("*:*", ["BTC/USD:BTC", "BTC/USDT:USDT", "BTC/USDT:USDT-261225"]),
        ("K.C*", ["K.C-S/USDT"]),
        ("B.C/*", []),
        ("*/usdt", []),
    ],
)
def test_a_pattern_matches_whole_symbols(pattern: str, matched: list[str]) -> None:
    """Without a colon only those of spot markets; nothing but `*` means more than itself."""
    assert matching(pattern, LISTED) == matched


@pytest.mark.parametrize(
    ("pattern", "near"),
    [("*/usdt", "*/USDT"), ("*/USTD", "*/USDT"), ("BTC/*:", "BTC/*"), ("*/USDT:USD", "*/USDT:USDT")],
)
def test_a_pattern_that_matches_nothing_is_near_one_that_does(pattern: str, near: str) -> None:
    """A mistyped currency, or its case."""
    assert near in near_patterns(pattern, LISTED)


@pytest.fixture
async def listed(line: Any, simulator: Server, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the ids of the markets that the exchange lists from now on; they are loaded again all the time."""
    monkeypatch.setattr(market_listing, "RELOAD_S", 0.2)
    monkeypatch.setattr(market_listing, "LOOK_AGAIN_S", 0.2)
    async with aiohttp.ClientSession(simulator.url) as session, session.get("/api/v3/exchangeInfo") as answer:
        info = await answer.json()
    ids = {"BTCUSDT", "ETHBTC"}

    def answered(path: str) -> web.Response | None:
        if not path.endswith("exchangeInfo"):
            return None
        return web.json_response({**info, "symbols": [each for each in info["symbols"] if each["symbol"] in ids]})

    line.refuse = answered
    return ids


async def heartbeat(bus: Bus, holds: Callable[[Heartbeat], Any]) -> Heartbeat:
    """Wait for a heartbeat of which something is true."""
    async with asyncio.timeout(60):
        while True:
            for each in await bus.heartbeats():
                if holds(each):
                    return each
            await asyncio.sleep(0.02)


def live(one: Heartbeat) -> set[str]:
    """Return the symbols of the live streams."""
    return {unit.name.rpartition(".")[2] for unit in one.units if unit.state == "live"}


@pytest.mark.usefixtures("gatherer")
async def test_the_streams_of_a_pattern_follow_the_markets(
    configure: Any, read: Any, line: Any, bus: Bus, listed: set[str]
) -> None:
    """A new market begins to stream, one that is gone ends and says so, and the others miss nothing."""
    await configure(["*/USDT"], [TICKER])
    kept, added = read(TICKER, "BTC/USDT"), read(TICKER, "KCS/USDT")
    await kept.until(lambda r: r.follower.status == "live")
    assert live(await heartbeat(bus, lambda one: one.units)) <= {"BTC/USDT"}
    listed.add("KCSUSDT")
    await added.until(lambda r: r.follower.status == "live")
    listed.remove("KCSUSDT")
    await added.until(lambda r: ("stale", "binance lists KCS/USDT no more") in r.statuses())
    await added.until(lambda r: r.follower.status == "closed")
    await heartbeat(bus, lambda one: [unit.name for unit in one.units] == ["T.binance.watchTicker.BTC/USDT"])
    assert {status for status, _ in kept.statuses()} <= {"live"}
    assert sorted(set(line.subscriptions)) == ["btcusdt@ticker", "kcsusdt@ticker"]
    assert line.subscriptions.count("btcusdt@ticker") == 1


@pytest.mark.usefixtures("gatherer", "listed")
async def test_a_pattern_that_matches_nothing_or_too_much_is_a_mistake(configure: Any, bus: Bus) -> None:
    """What runs goes on."""
    await configure(["BTC/USDT"], [TICKER])
    [unit] = (await heartbeat(bus, lambda one: live(one) == {"BTC/USDT"})).units
    assert unit.source == "native"
    await configure(["BTC/USDT", "*/USTD"], [TICKER])
    refused = await heartbeat(bus, lambda one: one.config_errors)
    [error] = refused.config_errors
    assert error.path == "$.workplans[0].assetPairs[1]"
    assert error.message == "*/USTD matches no market of binance; did you mean */USDT?"
    await configure(["*"], [TICKER], maxSymbols=1)
    refused = await heartbeat(bus, lambda one: "maxSymbols" in str(one.config_errors))
    assert refused.config_errors[0].message == (
        "* matches 2 markets of binance, which is more than maxSymbols (1) allows"
    )
    assert live(refused) == {"BTC/USDT"}


@pytest.mark.usefixtures("gatherer")
async def test_a_market_whose_name_no_stream_can_have_ends_no_other(
    configure: Any, read: Any, line: Any, bus: Bus, listed: set[str]
) -> None:
    """Exchanges list what they like; the markets beside it are streamed all the same, and are followed."""
    answered = line.refuse

    def with_odd_one(path: str) -> web.Response | None:
        answer = answered(path)
        return answer and web.json_response(text=answer.text.replace('"KCS"', '"K C[S"'))

    line.refuse = with_odd_one
    listed.add("KCSUSDT")
    await configure(["*/USDT"], [TICKER])
    await read(TICKER, "BTC/USDT").until(lambda r: r.follower.status == "live")
    listed.add("ETHUSDT")
    await read(TICKER, "ETH/USDT").until(lambda r: r.follower.status == "live")
    await heartbeat(bus, lambda one: {unit.name.rpartition(".")[2] for unit in one.units} == {"BTC/USDT", "ETH/USDT"})


@pytest.mark.usefixtures("gatherer")
async def test_orders_in_a_suspended_market_are_followed_to_their_end(
    configure: Any, read: Any, line: Any, bus: Bus, listed: set[str], account: Exchange
) -> None:
    """The pattern does not stand for the market any more, and nobody else would find out what becomes of them."""
    tenant, binance, symbol = Tenant("T"), ExchangeId("binance"), Symbol("KCS/USDT")
    listed.add("KCSUSDT")
    await configure(["*/USDT"], ["watchOrders"])
    orders = read("watchOrders", symbol)
    await orders.until(lambda r: r.follower.status == "live")
    order = CreatePayload(symbol=symbol, side="buy", type="limit", amount_base=Decimal(3), price=Decimal(5))
    (opened,) = (await account.execution.create_order(order, "resting")).orders
    await orders.until(lambda r: opened.id in r.state.open)
    answered, asked = line.refuse, list[str]()

    def suspended(path: str) -> web.Response | None:
        if (answer := answered(path)) is None:
            return None
        asked.append(path)
        info = json.loads(answer.text)
        for each in info["symbols"]:
            each["status"] = "BREAK" if each["symbol"] == "KCSUSDT" else each["status"]
        return web.json_response(info)

    line.refuse = suspended
    async with asyncio.timeout(60):
        while len(asked) < 4:
            await asyncio.sleep(0.02)  # questions that tell nobody of their end
        await account.execution.cancel_order(CancelPayload(symbol=symbol, order_id=opened.id))
        while await bus.orders.open_ids(tenant, binance, symbol):
            await asyncio.sleep(0.02)  # a set that tells nobody of its change
    await orders.until(lambda r: r.follower.status == "closed")


@pytest.mark.usefixtures("gatherer", "listed")
async def test_a_pattern_waits_for_an_exchange_that_is_out_of_reach(
    configure: Any, read: Any, bus: Bus, line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is a warning; the streams begin once its markets are known."""
    monkeypatch.setattr("millrace_gatherer.listings.PATIENCE_S", 0.1)
    line.is_down = True
    await configure(["*/USDT"], [TICKER])
    warned = await heartbeat(bus, lambda one: one.warnings)
    assert "the patterns of T.binance match nothing until its markets are known" in str(warned.warnings)
    line.is_down = False
    await read(TICKER, "BTC/USDT").until(lambda r: r.follower.status == "live")
    await heartbeat(bus, lambda one: not any("patterns" in warning for warning in one.warnings))


@pytest.mark.usefixtures("gatherer")
async def test_a_symbol_that_is_delisted_is_noticed_while_its_stream_runs(
    configure: Any, read: Any, listed: set[str]
) -> None:
    """Also one that is named: it would be silent and look live. It goes on when it is listed again."""
    await configure(["BTC/USDT"], [TICKER])
    ticker = read(TICKER, "BTC/USDT")
    await ticker.until(lambda r: r.follower.status == "live")
    listed.remove("BTCUSDT")
    await ticker.until(lambda r: ("stale", "binance lists BTC/USDT no more") in r.statuses())
