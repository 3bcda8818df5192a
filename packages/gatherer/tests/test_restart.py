"""What happened while no gatherer ran is in the journals all the same, once, in its place."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from millrace_bus import Bus
from millrace_core.clock import MINUTE_MS, now_ms
from millrace_core.ids import BEGINNING
from millrace_core.market import CandlesSnapshot, Trade, TradesSnapshot
from millrace_core.messages import Message, decode
from millrace_core.names import AgentId, Tenant
from millrace_core.orders import OrderRecord
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_core.states import state_of
from millrace_exchange import Exchange
from millrace_gatherer.streams import candles
from millrace_simulator.server import Server

SYMBOL, OWN = "ETH/BTC", "KCS/USDT"


async def journal(bus: Bus, name: Any) -> list[Message]:
    """Every message of a journal, over all epochs."""
    async with bus.journals() as journals:
        found = await journals.read({str(name): BEGINNING}, most=100_000)
    return [decode(entry.body or b"") for entry in found.get(str(name), [])]


async def deltas(bus: Bus, name: Any) -> list[Any]:
    """The data of every delta of a journal, over all epochs."""
    state = state_of(name.action)
    return [state.apply(message.data) for message in await journal(bus, name) if message.type == "delta"]


async def venue_trades(simulator: Server, first: int, last: int) -> list[tuple[int, float, float]]:
    """The exchange's own record of its trades."""
    query = {"symbol": SYMBOL.replace("/", ""), "fromId": str(first)}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{simulator.url}/simulator/trades", params=query) as answer,
    ):
        trades = await answer.json()
    return [(t["id"], float(t["price"]), float(t["qty"])) for t in trades if t["id"] <= last]


async def test_trades_made_while_nobody_watched_stand_in_the_journal(
    configure: Any, read: Any, bus: Bus, simulator: Server, process: Any
) -> None:
    """Killed again and again with the market going on: over all epochs each trade is there once, in order."""
    await configure([SYMBOL], ["watchTrades"])
    reader = read("watchTrades", SYMBOL)
    tape = simulator.venue.instruments[SYMBOL.replace("/", "")].tape
    for _ in range(2):
        seen = len(reader.deltas())
        await process.start()
        await reader.until(lambda r, n=seen: len(r.deltas()) > n + 10 and r.follower.status == "live")
        await process.kill()
        made = tape.since(0)[-1].trade_id
        async with asyncio.timeout(60):
            while tape.since(0)[-1].trade_id < made + 20:
                await asyncio.sleep(0.02)
    trades = [trade for delta in await deltas(bus, reader.follower.name) for trade in delta.trades]
    assert len({message.message_id.epoch for message in await journal(bus, reader.follower.name)}) == 2
    published = [(int(trade.id), trade.price, trade.amount) for trade in trades]
    assert published == await venue_trades(simulator, published[0][0], published[-1][0])


async def _bought(bus: Bus, account: Exchange) -> tuple[str, str]:
    """Buy, and write to Redis what an executor would: the accepted order. Return its id and its trade's."""
    payload = CreatePayload(symbol=OWN, side="buy", type="market", amount_base=Decimal(2))
    (order,) = (await account.execution.create_order(payload, "while-away")).orders
    await bus.orders.merge(Tenant("T"), OrderRecord(order, "binance", now_ms(), "James", "0" * 32))
    (trade,) = [t for t in await account.account.fetch_my_trades(OWN) if t.order == order.id][-1:]
    return order.id, trade.id or ""


async def test_what_became_of_the_account_meanwhile_is_published(
    configure: Any, read: Any, bus: Bus, account: Exchange, process: Any
) -> None:
    """An open order that ended, one that came and went, its trade and what is left: all of it as deltas."""
    await configure([OWN], ["watchOrders", "watchMyTrades", "watchBalance"])
    orders, trades, balance = read("watchOrders", OWN), read("watchMyTrades", OWN), read("watchBalance")
    await process.start()
    readers = (orders, trades, balance)
    for reader in readers:
        await reader.until(lambda r: r.follower.status == "live")
    payload = CreatePayload(symbol=OWN, side="buy", type="limit", amount_base=Decimal(1), price=Decimal(5))
    resting = (await account.execution.create_order(payload, "resting")).orders[0].id
    await orders.until(lambda r: resting in r.state.open)
    await process.kill()
    await account.execution.cancel_order(CancelPayload(symbol=OWN, order_id=resting))
    bought, trade_id = await _bought(bus, account)
    await process.start()
    await orders.until(lambda r: r.state.open == {} and r.follower.status == "live")
    await trades.until(lambda r: r.state.trades and r.follower.status == "live")
    await balance.until(lambda r: (held := r.state.balances.get("KCS")) and held.total > 100_000)
    reported = [order for delta in await deltas(bus, orders.follower.name) for order in delta.orders]
    assert {order.id: order.status for order in reported} == {resting: "canceled", bought: "closed"}
    assert [t.id for delta in await deltas(bus, trades.follower.name) for t in delta.trades].count(trade_id) == 1
    assert "KCS" in (await deltas(bus, balance.follower.name))[-1]


@pytest.mark.usefixtures("gatherer")
async def test_what_was_before_the_first_gatherer_is_published_as_deltas(
    configure: Any, read: Any, bus: Bus, account: Exchange
) -> None:
    """The very first snapshot of own trades and of candles is empty: what the exchange knows follows, each once."""
    _, trade_id = await _bought(bus, account)
    await configure([OWN], ["watchMyTrades", {"action": "watchOHLCV", "timeframe": "1m", "limit": 50}])
    trades, minutes = read("watchMyTrades", OWN), read("watchOHLCV", OWN)
    for reader in (trades, minutes):
        await reader.until(lambda r: r.follower.trusted and r.follower.status == "live")
    assert [t.id for delta in await deltas(bus, trades.follower.name) for t in delta.trades] == [trade_id]
    opened = [candle[0] for delta in await deltas(bus, minutes.follower.name) for candle in delta.candles]
    assert len(set(opened)) >= 50


@pytest.mark.usefixtures("gatherer")
async def test_candles_of_a_long_outage_are_asked_for(
    read: Any, bus: Bus, simulator: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those between the last that was published and the newest that are asked for, page by page."""
    monkeypatch.setattr(candles, "ASKED_AT_ONCE", 30)
    reader = read("watchOHLCV", SYMBOL)
    last_ms = now_ms() // MINUTE_MS * MINUTE_MS - 90 * MINUTE_MS
    known = {"1m": [(last_ms, 1.0, 1.0, 1.0, 1.0, 1.0)]}
    before = bus.writer(reader.follower.name, lambda as_of: CandlesSnapshot(known, str(as_of)))
    await before.open()
    await before.close()
    point = {"action": "watchOHLCV", "timeframe": "1m", "limit": 10}
    plan = {"tenant": "T", "exchangeId": "binance", "assetPairs": [SYMBOL], "dataPoints": [point]}
    exchanges = {"T": {"binance": {"urls": {"base": simulator.url}}}}
    config = {"agent": {"id": "GATHERER"}, "exchanges": exchanges, "workplans": [plan]}
    await bus.put_config(AgentId("GATHERER"), json.dumps(config))
    await reader.until(lambda r: len(r.deltas()) > 1 and r.follower.status == "live")
    opened = sorted({candle[0] for delta in await deltas(bus, reader.follower.name) for candle in delta.candles})
    assert opened[0] == last_ms + MINUTE_MS
    assert opened == list(range(opened[0], opened[-1] + 1, MINUTE_MS))
    assert len(opened) >= 90


@pytest.mark.usefixtures("gatherer")
async def test_what_the_exchange_no_longer_returns_is_counted_as_lost(read: Any, bus: Bus, simulator: Server) -> None:
    """Without a key the exchange returns only its newest thousand trades: the number missing before is reported."""
    tape = simulator.venue.instruments[SYMBOL.replace("/", "")].tape
    while len(tape.since(0)) < 1_300:
        simulator.market.step(simulator.market.now_us + 400_000)
    reader = read("watchTrades", SYMBOL)
    last = tape.since(0)[-1].trade_id - 1_200
    known = [Trade(id=str(last), timestamp=1, symbol=SYMBOL, side="buy", price=1.0, amount=1.0)]
    before = bus.writer(reader.follower.name, lambda as_of: TradesSnapshot(known, str(as_of)))
    await before.open()
    await before.close()
    plan = {"tenant": "T", "exchangeId": "binance", "assetPairs": [SYMBOL], "dataPoints": ["watchTrades"]}
    exchanges = {"T": {"binance": {"urls": {"base": simulator.url}}}}
    config = {"agent": {"id": "GATHERER"}, "exchanges": exchanges, "workplans": [plan]}
    await bus.put_config(AgentId("GATHERER"), json.dumps(config))
    await reader.until(lambda r: len(r.deltas()) > 1 and r.follower.status == "live")
    first = int(reader.deltas()[0].trades[0].id)
    assert first - last - 1 >= 200
    async with asyncio.timeout(60):
        while first - last - 1 not in [u.counters.get("lost") for b in await bus.heartbeats() for u in b.units]:
            # A heartbeat is a key that tells nobody of its change.
            await asyncio.sleep(0.05)
