"""Several tenants ask for the same public feed: the exchange is asked once, and each of them gets all of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.line import line_to

from millrace_bus import Bus
from millrace_core.names import AgentId, StreamName
from millrace_simulator.config import DEMO_ACCOUNT, default_config
from millrace_simulator.server import Server, serve

from .conftest import Reader

pytestmark = pytest.mark.usefixtures("gatherer")

SYMBOL = "ETH/BTC"
BOOK, TRADES, TICKER = "watchOrderBook", "watchTrades", "watchTicker"
POINTS = [BOOK, TRADES, TICKER]


@pytest.fixture
def tenants(bus: Bus, line: Any) -> Callable[..., Any]:
    """Writes a configuration in which these tenants take the same feeds."""

    async def configure(*tenants: str) -> None:
        accounts = {
            tenant: {"binance": {"apiKey": "demo-key", "secret": "demo-secret", "urls": {"base": line.url}}}
            for tenant in tenants
        }
        plans = [
            {"tenant": tenant, "exchangeId": "binance", "assetPairs": [SYMBOL], "dataPoints": POINTS}
            for tenant in tenants
        ]
        config = {"agent": {"id": "GATHERER"}, "exchanges": accounts, "workplans": plans}
        await bus.put_config(AgentId("GATHERER"), json.dumps(config))

    return configure


def trade_ids(reader: Any) -> list[int]:
    """Return the ids of the trades that a reader saw as deltas."""
    return [int(trade.id) for delta in reader.deltas() for trade in delta.trades]


async def right(book: Any, simulator: Server) -> None:
    """Wait until a reader has the exchange's newest book, and compare both."""
    instrument = simulator.venue.instruments[SYMBOL.replace("/", "")]
    simulator.market.paused = True
    await book.until(lambda r: r.state.book.nonce == instrument.last_update_id and r.follower.trusted)
    simulator.market.paused = False
    history, scale = simulator.venue.history, instrument.scale
    assert history is not None
    depth = history.book_as_of(instrument.symbol, book.state.book.nonce)
    for levels, ours in ((depth.bids, book.state.book.bids), (depth.asks, book.state.book.asks)):
        assert [(float(scale.price(p)), float(scale.quantity(q))) for p, q in levels] == ours.levels()


async def test_a_feed_of_three_tenants_is_subscribed_once(
    tenants: Any, read: Any, line: Any, simulator: Server
) -> None:
    """Each of them has the whole book, every trade and the ticker, also one that comes later."""
    await tenants("T", "U")
    readers = {(action, tenant): read(action, SYMBOL, tenant) for action in POINTS for tenant in "TUV"}
    for (_, tenant), reader in readers.items():
        if tenant != "V":
            await reader.until(lambda r: r.deltas() and r.follower.status == "live")
    await tenants("T", "U", "V")
    for action in POINTS:
        await readers[action, "V"].until(lambda r: r.deltas() and r.follower.status == "live")
    for tenant in "TUV":
        await right(readers[BOOK, tenant], simulator)
        ids = trade_ids(readers[TRADES, tenant])
        assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(line.subscriptions) == len(POINTS)
    assert {status for reader in readers.values() for status, _ in reader.statuses()} <= {"live"}


async def test_the_others_go_on_without_the_tenant_that_came_first(
    tenants: Any, read: Any, line: Any, simulator: Server
) -> None:
    """The subscription that was made with its connection stays: they notice nothing."""
    await tenants("T")
    for action in POINTS:
        await read(action, SYMBOL, "T").until(lambda r: r.follower.status == "live")
    await tenants("T", "U")
    book, trades = read(BOOK, SYMBOL, "U"), read(TRADES, SYMBOL, "U")
    await trades.until(lambda r: len(trade_ids(r)) > 5)
    await book.until(lambda r: r.deltas())
    subscribed = len(line.subscriptions)
    await tenants("U")
    await read(BOOK, SYMBOL, "T").until(lambda r: r.follower.status == "closed")
    seen = len(trade_ids(trades))
    await trades.until(lambda r: len(trade_ids(r)) > seen + 20 and r.follower.status == "live")
    ids = trade_ids(trades)
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    await right(book, simulator)
    assert len(line.subscriptions) == subscribed
    assert {status for reader in (book, trades) for status, _ in reader.statuses()} <= {"live"}


async def test_a_tenant_whose_keys_are_refused_takes_nobodys_book_along(bus: Bus) -> None:
    """The book was made with its keys, which the exchange takes no more: the other's are as good as before."""
    second = replace(DEMO_ACCOUNT, api_key="second-key")
    config = replace(default_config("kucoin"), accounts=(DEMO_ACCOUNT, second), events_per_second=100)
    async with await serve(config) as kucoin, line_to(kucoin.url) as line:
        keys = {"T": "demo-key", "U": "second-key"}
        accounts = {
            tenant: {
                "kucoin": {
                    "apiKey": key,
                    "secret": "demo-secret",
                    "password": "demo-passphrase",
                    "urls": {"base": line.url},
                }
            }
            for tenant, key in keys.items()
        }
        plan = {"exchangeId": "kucoin", "assetPairs": [SYMBOL], "dataPoints": [BOOK]}
        books = {tenant: Reader(bus, StreamName.parse(f"stream.{tenant}.kucoin.{BOOK}.{SYMBOL}")) for tenant in "TU"}
        for tenants in ("T", "TU"):
            plans = [{"tenant": tenant, **plan} for tenant in tenants]
            gatherer = {"agent": {"id": "GATHERER"}, "exchanges": accounts, "workplans": plans}
            await bus.put_config(AgentId("GATHERER"), json.dumps(gatherer))
            await books[tenants[-1]].until(lambda r: r.follower.status == "live")
        kucoin.venue.account_by_key("demo-key").secret = "another"
        while not _was_refused(books["T"]):
            # Who makes the feed anew is chance. The other's keys are not refused.
            seen = len(books["T"].statuses())
            await line.cut()
            await books["T"].until(lambda r, seen=seen: _was_refused(r) or _is_live_again(r, seen))
        seen = len(books["U"].statuses())
        await books["U"].until(lambda r: _is_live_again(r, seen))
        for book in books.values():
            await book.follower.close()


def _was_refused(book: Reader) -> bool:
    return any("KC-API" in str(reason) for _, reason in book.statuses())


def _is_live_again(book: Reader, seen: int) -> bool:
    return bool(book.statuses()[seen:]) and book.follower.status == "live"


async def test_a_gap_in_a_shared_book_is_everybodys(tenants: Any, read: Any, line: Any, simulator: Server) -> None:
    """Each tenant's book is stale until the one feed has the whole book again, subscribed to anew at most once."""
    await tenants("T", "U")
    books = [read(BOOK, SYMBOL, tenant) for tenant in "TU"]
    for book in books:
        await book.until(lambda r: len(r.deltas()) > 3)
    lost: list[str] = []

    def lose_one(frame: str) -> str | None:
        if lost or "depthUpdate" not in frame:
            return frame
        lost.append(frame)
        return None

    line.treat = lose_one
    for book in books:
        await book.until(lambda r: any(status == "stale" for status, _ in r.statuses()))
        await book.until(lambda r: r.statuses()[-1][0] == "live")
    for book in books:
        await right(book, simulator)
    assert len([name for name in line.subscriptions if "depth" in name]) <= 2
