"""Tickers: one, several or all; full or mini; over a day or a window."""

from typing import Any

import pytest

from millrace_simulator.binance.exchange import PublicOperation
from millrace_simulator.binance.operations.tickers import TICKER_24HR, TICKER_PRICE, TICKER_WINDOW
from millrace_simulator.binance.parameters import Parameters

pytestmark = pytest.mark.asyncio(loop_scope="session")

FULL = {
    "symbol",
    "priceChange",
    "priceChangePercent",
    "weightedAvgPrice",
    "openPrice",
    "highPrice",
    "lowPrice",
    "lastPrice",
    "volume",
    "quoteVolume",
    "openTime",
    "closeTime",
    "firstId",
    "lastId",
    "count",
}
MINI = FULL - {"priceChange", "priceChangePercent", "weightedAvgPrice"}
BOOK = {"symbol", "bidPrice", "bidQty", "askPrice", "askQty"}
DAY = FULL | BOOK | {"prevClosePrice", "lastQty"}
PAIR = '["KCSUSDT","BTCUSDT"]'


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/api/v3/ticker/24hr", DAY),
        ("/api/v3/ticker/price", {"symbol", "price"}),
        ("/api/v3/ticker/bookTicker", BOOK),
    ],
)
async def test_one_several_or_all(client: Any, path: str, fields: set[str]) -> None:
    """`symbol` returns an object, `symbols` a list in its order, neither returns all; both are rejected."""
    one = (await client.get(path, symbol="KCSUSDT")).body
    assert set(one) == fields
    assert [each["symbol"] for each in (await client.get(path, symbols=PAIR)).body] == ["KCSUSDT", "BTCUSDT"]
    assert len((await client.get(path)).body) >= 8
    assert (await client.get(path, symbol="KCSUSDT", symbols=PAIR)).refusal == (400, -1128)
    assert (await client.get(path, symbols='["NOSUCH"]')).refusal == (400, -1121)
    assert (await client.get(path, symbols="[KCS")).refusal == (400, -1100)


async def test_a_mini_ticker_is_the_smaller_one(client: Any) -> None:
    """`type=MINI` leaves the change out."""
    assert set((await client.get("/api/v3/ticker/24hr", symbol="KCSUSDT", type="MINI")).body) == MINI
    assert (await client.get("/api/v3/ticker/24hr", symbol="KCSUSDT", type="TINY")).refusal == (400, -1130)


@pytest.mark.parametrize("path", ["/api/v3/ticker", "/api/v3/ticker/tradingDay"])
async def test_windows_are_asked_for_by_symbol(client: Any, path: str) -> None:
    """A window needs a symbol or several."""
    assert set((await client.get(path, symbol="KCSUSDT")).body) == FULL
    assert [set(each) for each in (await client.get(path, symbols=PAIR, type="MINI")).body] == [MINI, MINI]
    assert (await client.get(path)).refusal == (400, -1102)


async def test_a_window_begins_on_a_whole_minute(client: Any) -> None:
    """The window is at least as long as asked for, and less than a minute longer."""
    ticker = (await client.get("/api/v3/ticker", symbol="KCSUSDT", windowSize="2h")).body
    assert ticker["openTime"] % 60_000 == 0
    assert 7_200_000 <= ticker["closeTime"] - ticker["openTime"] < 7_260_000
    for size in ("0m", "60m", "24h", "8d", "1d2h"):
        assert (await client.get("/api/v3/ticker", symbol="KCSUSDT", windowSize=size)).refusal == (400, -1130)


async def test_a_trade_shows_in_every_ticker(client: Any) -> None:
    """The last price is the same everywhere, and a trade is counted."""
    placed = (await client.order(side="BUY", type="MARKET", quantity="1")).body
    day = (await client.get("/api/v3/ticker/24hr", symbol="KCSUSDT")).body
    window = (await client.get("/api/v3/ticker", symbol="KCSUSDT", windowSize="1h")).body
    price = (await client.get("/api/v3/ticker/price", symbol="KCSUSDT")).body["price"]
    assert {day["lastPrice"], window["lastPrice"], price} == {placed["fills"][-1]["price"]}
    assert day["lastId"] == window["lastId"] == placed["fills"][-1]["tradeId"]


@pytest.mark.parametrize(
    ("operation", "params", "weight"),
    [
        (TICKER_24HR, {"symbol": "KCSUSDT"}, 2),
        (TICKER_24HR, {"symbols": PAIR}, 2),
        (TICKER_24HR, {}, 80),
        (TICKER_PRICE, {"symbol": "KCSUSDT"}, 2),
        (TICKER_PRICE, {}, 4),
        (TICKER_WINDOW, {"symbols": PAIR}, 8),
    ],
)
async def test_weights_are_binances(operation: PublicOperation, params: dict[str, str], weight: int) -> None:
    """What Binance documents for one, several and all."""
    assert not isinstance(operation.weight, int)
    assert operation.weight(Parameters(params)) == weight
