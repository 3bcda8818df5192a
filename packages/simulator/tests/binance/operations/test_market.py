"""Market data over REST: what Binance documents, and consistent with itself."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

MINUTE_MS = 60_000


async def test_the_exchange_answers_and_returns_its_time(client: Any) -> None:
    """Ping is empty; time is in ms."""
    assert (await client.get("/api/v3/ping")).body == {}
    assert (await client.get("/api/v3/time")).body["serverTime"] > 1_600_000_000_000


@pytest.mark.parametrize(("limit", "most"), [(5, 5), (20, 20), (None, 100), (9999, 5000)])
async def test_depth_is_as_deep_as_asked_for(client: Any, limit: int | None, most: int) -> None:
    """Best levels first, texts with eight decimals, not crossed; beyond 5000 it is cut."""
    params = {} if limit is None else {"limit": limit}
    book = (await client.get("/api/v3/depth", symbol="BTCUSDT", **params)).body
    bids, asks = book["bids"], book["asks"]
    assert min(most, 50) <= len(bids) <= most or len(bids) == most
    assert [Decimal(p) for p, _ in bids] == sorted((Decimal(p) for p, _ in bids), reverse=True)
    assert [Decimal(p) for p, _ in asks] == sorted(Decimal(p) for p, _ in asks)
    assert Decimal(bids[0][0]) < Decimal(asks[0][0])
    assert all(len(text.partition(".")[2]) == 8 for level in bids for text in level)


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({}, (400, -1102)),
        ({"symbol": "NOSUCH"}, (400, -1121)),
        ({"symbol": "btcusdt"}, (400, -1100)),
        ({"symbol": "BTCUSDT", "limit": 0}, (400, -1130)),
        ({"symbol": "BTCUSDT", "limit": "all"}, (400, -1100)),
    ],
)
async def test_a_bad_question_has_its_code(client: Any, params: dict[str, Any], refusal: tuple[int, int]) -> None:
    """A missing, unknown or misspelt symbol and a bad limit are different errors."""
    assert (await client.get("/api/v3/depth", **params)).refusal == refusal


async def test_trades_are_consecutive_and_found_by_id(client: Any) -> None:
    """Each fill is a public trade; ids have no gaps; history begins at the requested id."""
    for quantity in ("1", "2", "3"):
        await client.order(side="BUY", type="MARKET", quantity=quantity)
    trades = (await client.get("/api/v3/trades", symbol="KCSUSDT")).body
    ids = [trade["id"] for trade in trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert set(trades[0]) == {"id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"}
    assert trades[-1]["isBuyerMaker"] is False
    later = (await client.get("/api/v3/historicalTrades", symbol="KCSUSDT", fromId=ids[-2], limit=1)).body
    assert [trade["id"] for trade in later] == [ids[-2]]


async def test_aggregates_hold_every_trade_once(client: Any) -> None:
    """The trades of one taker at one price are one aggregate; quantities and ids add up."""
    for quantity in ("1", "2"):
        await client.order(side="BUY", type="MARKET", quantity=quantity)
    trades = (await client.get("/api/v3/trades", symbol="KCSUSDT")).body
    aggregates = (await client.get("/api/v3/aggTrades", symbol="KCSUSDT", fromId=0)).body
    assert set(aggregates[0]) == {"a", "p", "q", "f", "l", "T", "m", "M"}
    assert sum(Decimal(each["q"]) for each in aggregates) == sum(Decimal(trade["qty"]) for trade in trades)
    assert [i for each in aggregates for i in range(each["f"], each["l"] + 1)] == [trade["id"] for trade in trades]
    both = await client.get("/api/v3/aggTrades", symbol="KCSUSDT", fromId=0, startTime=1)
    assert both.refusal == (400, -1128)


@pytest.mark.parametrize("path", ["/api/v3/klines", "/api/v3/uiKlines"])
async def test_klines_have_no_gaps(client: Any, path: str) -> None:
    """A thousand minutes are there from the start, each joining the one before; the last is running."""
    now_ms = (await client.get("/api/v3/time")).body["serverTime"]
    rows = (await client.get(path, symbol="ETHBTC", interval="1m", limit=1000)).body
    assert len(rows) == 1000
    assert {len(row) for row in rows} == {12}
    assert all(later[0] == row[0] + MINUTE_MS == row[6] + 1 for row, later in pairwise(rows))
    assert rows[-1][0] <= now_ms + 100 < rows[-1][0] + MINUTE_MS + 100
    assert all(Decimal(low) <= min(Decimal(o), Decimal(c)) for _, o, _, low, c, *_ in rows)


async def test_klines_may_be_asked_for_by_time(client: Any) -> None:
    """From startTime on, up to endTime."""
    newest = (await client.get("/api/v3/klines", symbol="ETHBTC", interval="1m", limit=10)).body
    start, end = newest[2][0], newest[5][0]
    rows = (await client.get("/api/v3/klines", symbol="ETHBTC", interval="1m", startTime=start, endTime=end)).body
    assert [row[0] for row in rows] == [row[0] for row in newest[2:6]]


async def test_an_unknown_interval_is_refused(client: Any) -> None:
    """Intervals are case-sensitive; klines of another time zone are not pretended."""
    ask = {"symbol": "ETHBTC", "interval": "1H"}
    assert (await client.get("/api/v3/klines", **ask)).refusal == (400, -1120)
    assert (await client.get("/api/v3/klines", symbol="ETHBTC")).refusal == (400, -1102)


async def test_the_average_price_lies_in_the_book(client: Any) -> None:
    """Price, minutes, and when the last trade was."""
    average = (await client.get("/api/v3/avgPrice", symbol="BTCUSDT")).body
    assert set(average) == {"mins", "price", "closeTime"}
    last = Decimal((await client.get("/api/v3/ticker/price", symbol="BTCUSDT")).body["price"])
    assert abs(Decimal(average["price"]) / last - 1) < Decimal("0.05")


@pytest.mark.parametrize(("zone", "hour"), [("8", 16), ("+08:00", 16), ("-1:00", 1), ("0", 0), ("05:45", 18)])
async def test_klines_begin_with_the_days_of_a_time_zone(client: Any, zone: str, hour: int) -> None:
    """Their times are UTC's all the same; `uiKlines` are no others, and the trading day is the last of them."""
    day = {"symbol": "KCSUSDT", "interval": "1d", "timeZone": zone}
    klines = (await client.get("/api/v3/klines", limit=1000, **day)).body
    assert {kline[0] // 3_600_000 % 24 for kline in klines} == {hour}
    assert (await client.get("/api/v3/uiKlines", limit=1000, **day)).body[:-1] == klines[:-1]
    ticker = (await client.get("/api/v3/ticker/tradingDay", symbol="KCSUSDT", timeZone=zone)).body
    assert (ticker["openTime"], ticker["closeTime"]) == (klines[-1][0], klines[-1][6])


@pytest.mark.parametrize("zone", ["15", "-12:30", "+8.5", "UTC", "8:60"])
async def test_a_time_zone_that_does_not_exist_is_refused(client: Any, zone: str) -> None:
    """From -12:00 to +14:00, in hours and minutes."""
    day = {"symbol": "KCSUSDT", "interval": "1d", "timeZone": zone}
    assert (await client.get("/api/v3/klines", **day)).refusal == (400, -1130)
    assert (await client.get("/api/v3/ticker/tradingDay", symbol="KCSUSDT", timeZone=zone)).refusal == (400, -1130)


@pytest.mark.parametrize("interval", ["1s", "1m", "30m", "2h", "12h", "1d", "3d", "1w", "1M"])
async def test_an_answer_is_full_from_the_first_moment_on(client: Any, interval: str) -> None:
    """1,000 klines of every interval."""
    assert len((await client.get("/api/v3/klines", symbol="ETHUSDT", interval=interval, limit=1000)).body) == 1000


async def test_a_book_has_as_many_levels_as_are_asked_for(client: Any) -> None:
    """5,000 a side, each best first, without a price twice; asking again changes nothing."""
    deep = (await client.get("/api/v3/depth", symbol="SOLUSDT", limit=5000)).body
    for side, sign in (("bids", -1), ("asks", 1)):
        prices = [Decimal(price) * sign for price, _ in deep[side]]
        assert len(prices) == 5000
        assert prices == sorted(set(prices))
    assert (await client.get("/api/v3/depth", symbol="SOLUSDT", limit=5000)).body == deep
