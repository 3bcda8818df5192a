import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from millrace_bus import Bus
from millrace_core.config.common import Credentials
from millrace_core.names import AgentId, Tenant
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange import open_exchange
from millrace_gatherer.exchanges import EAGER_S
from millrace_gatherer.streams.order_book import CROSSED
from millrace_simulator.server import Server

pytestmark = pytest.mark.usefixtures("gatherer")

BOOK, TRADES, ORDERS = "watchOrderBook", "watchTrades", "watchOrders"
SYMBOL, OTHER, OWN = "ETH/BTC", "BTC/USDT", "KCS/USDT"


def venue_book(simulator: Server, symbol: str) -> Any:
    """Returns the exchange's own book, as its REST depth prints it."""
    return simulator.venue.instruments[symbol.replace("/", "")]


def is_consecutive(trade_ids: list[int]) -> bool:
    """Tell whether no id is missing and none is there twice."""
    return trade_ids == list(range(trade_ids[0], trade_ids[0] + len(trade_ids)))


def ids(reader: Any) -> list[int]:
    """The ids of the trades that a reader saw as deltas."""
    return [int(trade.id) for delta in reader.deltas() for trade in delta.trades]


def once(kind: str, treat: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """Treat the first frame of a kind, and pass on everything else."""
    treated: list[str] = []

    def treat_first(frame: str) -> str | None:
        if treated or kind not in frame:
            return frame
        treated.append(frame)
        return treat(frame)

    return treat_first


async def right(reader: Any, simulator: Server) -> None:
    """Wait until a reader of the book has the exchange's own update id, and compare both whole."""
    instrument = venue_book(simulator, reader.follower.name.symbol)
    simulator.market.paused = True
    await reader.until(lambda r: r.state.book.nonce == instrument.last_update_id and r.follower.trusted)
    query = {"symbol": instrument.symbol, "limit": "5000"}
    async with (
        aiohttp.ClientSession(simulator.url) as session,
        session.get("/api/v3/depth", params=query) as answer,
    ):
        depth = await answer.json()
    simulator.market.paused = False
    book = reader.state.book
    assert depth["lastUpdateId"] == book.nonce
    assert [(float(price), float(amount)) for price, amount in depth["bids"]] == book.bids.levels()
    assert [(float(price), float(amount)) for price, amount in depth["asks"]] == book.asks.levels()


async def test_books_and_trades_are_the_exchanges_own(configure: Any, read: Any, simulator: Server) -> None:
    """A reader of the bus holds the exchange's book, and sees each trade once."""
    await configure([SYMBOL], [BOOK, TRADES], checksumEvery=5)
    book, trades = read(BOOK, SYMBOL), read(TRADES, SYMBOL)
    await book.until(lambda r: len(r.deltas()) > 20)
    await right(book, simulator)
    await trades.until(lambda r: len(ids(r)) > 20)
    assert is_consecutive(ids(trades))
    assert book.follower.counters.resyncs == 0
    assert all(update.trusted for update in book.updates)


async def test_a_lost_frame_makes_the_book_stale_until_it_is_right_again(
    configure: Any, read: Any, simulator: Server, line: Any
) -> None:
    """The adapter finds the gap; readers receive `stale`, the difference, and `live`."""
    await configure([SYMBOL], [BOOK])
    book = read(BOOK, SYMBOL)
    await book.until(lambda r: len(r.deltas()) > 3)
    line.treat = once("depthUpdate", lambda frame: None)
    await book.until(lambda r: any(status == "stale" for status, _ in r.statuses()))
    await book.until(lambda r: r.statuses()[-1][0] == "live")
    await right(book, simulator)
    assert "expected update" in str([reason for status, reason in book.statuses() if status == "stale"])
    assert book.follower.counters.resyncs == 0


async def test_a_crossed_book_is_not_published(configure: Any, read: Any, simulator: Server, line: Any) -> None:
    """A change that would cross the book reaches no reader: the book is stale, taken again, and correct."""
    await configure([SYMBOL], [BOOK])
    book = read(BOOK, SYMBOL)
    await book.until(lambda r: len(r.deltas()) > 3)
    line.treat = once("depthUpdate", lambda frame: json.dumps({**json.loads(frame), "b": [["99.0", "1.0"]]}))
    await book.until(lambda r: ("stale", CROSSED) in r.statuses())
    await book.until(lambda r: r.statuses()[-1][0] == "live")
    await right(book, simulator)
    assert all(price != 99.0 for delta in book.deltas() for price, _ in delta.bids)
    assert book.follower.counters.resyncs == 0


async def test_a_broken_line_loses_no_trade(configure: Any, read: Any, simulator: Server, line: Any) -> None:
    """Trades made while the line was down are asked for, and published once, in their place."""
    await configure([SYMBOL], [BOOK, TRADES])
    book, trades = read(BOOK, SYMBOL), read(TRADES, SYMBOL)
    await trades.until(lambda r: len(ids(r)) > 3)
    for _ in range(2):
        seen = len(ids(trades))
        stale = len([status for status, _ in trades.statuses() if status == "stale"])
        await line.cut()
        await trades.until(lambda r, n=stale: len([s for s, _ in r.statuses() if s == "stale"]) > n)
        await trades.until(lambda r, n=seen: len(ids(r)) > n + 20 and r.statuses()[-1][0] == "live")
    await book.until(lambda r: r.statuses()[-1][0] == "live")
    await right(book, simulator)
    assert is_consecutive(ids(trades))


async def test_a_symbol_added_disturbs_no_other(configure: Any, read: Any, line: Any) -> None:
    """The new stream begins, the old ones go on over the same socket without missing a message."""
    await configure([SYMBOL], [TRADES, BOOK])
    trades, book = read(TRADES, SYMBOL), read(BOOK, SYMBOL)
    await trades.until(lambda r: len(ids(r)) > 3)
    await book.follower.ready()
    sockets = line.sockets
    await configure([SYMBOL, OTHER], [TRADES, BOOK])
    added = read(BOOK, OTHER)
    await added.until(lambda r: len(r.deltas()) > 3)
    seen = len(ids(trades))
    await trades.until(lambda r: len(ids(r)) > seen + 5)
    assert is_consecutive(ids(trades))
    assert {status for status, _ in trades.statuses() + book.statuses()} <= {"live"}
    assert len({update.id.epoch for update in trades.updates}) == 1
    assert line.sockets == sockets


async def test_an_order_is_in_redis_when_it_is_published(
    configure: Any, read: Any, bus: Bus, simulator: Server
) -> None:
    """The hash of a published order is up to date; fills reach own trades and the balance."""
    await configure([OWN], [ORDERS, "watchMyTrades", "watchBalance"])
    orders, trades, balance = read(ORDERS, OWN), read("watchMyTrades", OWN), read("watchBalance")
    await asyncio.gather(*(reader.follower.ready() for reader in (orders, trades, balance)))
    account = await open_exchange(
        "binance", Credentials(api_key="demo-key", secret="demo-secret", urls={"base": simulator.url})
    )
    payload = CreatePayload(symbol=OWN, side="buy", type="market", amount_base=Decimal(2))
    (placed,) = (await account.execution.create_order(payload, "bought")).orders
    await account.close()
    await orders.until(lambda r: [o.status for d in r.deltas() for o in d.orders][-1:] == ["closed"])
    await trades.until(lambda r: sum(trade.amount for delta in r.deltas() for trade in delta.trades) == 2)
    await balance.until(lambda r: (held := r.state.balances.get("KCS")) and held.total > 100_000)
    record = await bus.orders.get(Tenant("T"), placed.id)
    assert record is not None
    assert (record.order.status, record.order.filled) == ("closed", 2)
    assert orders.state.open == {}


async def test_what_the_exchange_did_not_send_is_found_by_asking(
    configure: Any, read: Any, simulator: Server, line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every push lost, the poll still brings an order, and later its end."""
    monkeypatch.setattr("millrace_gatherer.streams.orders.OrdersStream.reconcile_s", 0.1)
    line.treat = lambda frame: None if "executionReport" in frame else frame
    await configure([OWN], [ORDERS])
    orders = read(ORDERS, OWN)
    await orders.follower.ready()
    exchange = await open_exchange(
        "binance", Credentials(api_key="demo-key", secret="demo-secret", urls={"base": simulator.url})
    )
    payload = CreatePayload(symbol=OWN, side="buy", type="limit", amount_base=Decimal(1), price=Decimal(5))
    (placed,) = (await exchange.execution.create_order(payload, "silent")).orders
    await orders.until(lambda r: list(r.state.open) == [placed.id])
    await exchange.execution.cancel_order(CancelPayload(symbol=OWN, order_id=placed.id))
    await exchange.close()
    await orders.until(lambda r: not r.state.open)
    assert orders.deltas()[-1].orders[0].status == "canceled"


async def test_tickers_and_candles_are_published(configure: Any, read: Any) -> None:
    """Fields and candles that changed, of what the exchange tells."""
    candles_of_two = [{"action": "watchOHLCV", "timeframe": "1m"}, {"action": "watchOHLCV", "timeframe": "5m"}]
    await configure([SYMBOL], ["watchTicker", *candles_of_two])
    ticker, candles = read("watchTicker", SYMBOL), read("watchOHLCV", SYMBOL)
    await ticker.until(lambda r: len(r.deltas()) > 1)
    await candles.until(lambda r: r.deltas())
    assert ticker.state.fields["symbol"] == SYMBOL
    assert len(candles.state.timeframes["1m"]) > 100
    assert len(candles.state.timeframes["5m"]) > 10


async def test_an_exchange_that_is_just_starting_is_tried_quickly(
    configure: Any, read: Any, bus: Bus, line: Any
) -> None:
    """Services and exchange may start at the same time: the first answers that fail cost little, and no error."""
    line.refusals = 3
    await configure([SYMBOL], [BOOK])
    book = read(BOOK, SYMBOL)
    started = asyncio.get_running_loop().time()
    await book.until(lambda r: r.follower.status == "live")
    assert line.refusals == 0
    assert asyncio.get_running_loop().time() - started < EAGER_S
    assert [error for beat in await bus.heartbeats() for error in beat.last_errors] == []


async def test_an_exchange_out_of_reach_is_reported_in_the_heartbeat(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit says what is wrong, and goes on trying."""
    monkeypatch.setattr("millrace_gatherer.exchanges.EAGER_S", 0.2)
    config = {
        "agent": {"id": "GATHERER"},
        "exchanges": {"T": {"binance": {"urls": {"base": "http://127.0.0.1:9"}}}},
        "workplans": [{"tenant": "T", "exchangeId": "binance", "assetPairs": [SYMBOL], "dataPoints": [BOOK]}],
    }
    await bus.put_config(AgentId("GATHERER"), json.dumps(config))
    async with asyncio.timeout(60):
        while not (errors := [e for beat in await bus.heartbeats() for e in beat.last_errors]):
            # A heartbeat is a key that tells nobody of its change.
            await asyncio.sleep(0.05)
    assert "binance" in errors[0].message
