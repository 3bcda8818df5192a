"""Parts of the Market page: which markets there are, depth, trades, and marks on candles."""

import xml.etree.ElementTree as ElementTree

import pytest

from millrace_console.display.depth import depth_svg
from millrace_console.display.ladder import Scale
from millrace_console.display.trade_rows import last_price, trades_html
from millrace_console.markets import Market, markets_of
from millrace_console.pages.market import chosen_markets, group_of, interval_of
from millrace_console.pages.market.candles import chart_options
from millrace_console.pages.market.fills import Fill, marks_of
from millrace_core.book import OrderBook
from millrace_core.market import Trade

STREAMS = [
    "StrankaXY.traderActions",
    "stream.PUBLIC.binance.watchTrades.ETH/BTC",
    "stream.StrankaXY.binance.watchBalance",
    "stream.StrankaXY.binance.watchOrderBook.KCS/USDT",
    "stream.StrankaXY.binance.createOrder.BTC/USDT",
    "stream.snapshot.PUBLIC.binance.watchOrderBook.BTC/USDT",
]


def test_markets_are_what_is_streamed_own_ones_first() -> None:
    """Requests, balances, answers and snapshots name no market."""
    assert [str(each) for each in markets_of(STREAMS)] == ["StrankaXY.binance.KCS/USDT", "PUBLIC.binance.ETH/BTC"]


def test_the_address_chooses_up_to_four_markets() -> None:
    """Mistakes and doubles are left out; without any, the first market that there is."""
    markets = markets_of(STREAMS)
    assert chosen_markets(("PUBLIC.binance.A/B.C", "nonsense", "PUBLIC.binance.A/B.C"), markets) == [
        Market.parse("PUBLIC.binance.A/B.C")
    ]
    assert chosen_markets(("nonsense", "a b.c.d"), markets) == markets[:1]
    assert len(chosen_markets(tuple(f"PUBLIC.x.A/{number}" for number in range(9)), [])) == 4
    assert (group_of("50"), group_of("7"), group_of("")) == (50, 1, 1)
    assert (interval_of("5m"), interval_of("5y")) == ("5m", "1m")


def test_the_depth_chart_is_symmetric_around_the_middle() -> None:
    """Both sides reach equally far, so that their slopes can be compared; it is one picture with a text."""
    book = OrderBook()
    book.replace([(99.0, 1.0), (90.0, 5.0)], [(101.0, 2.0), (102.0, 2.0)], None)
    text = depth_svg(book, Scale(1, 1))
    root = ElementTree.fromstring(f"<p>{text}</p>")  # noqa: S314  # made here
    assert root.find("svg").get("aria-label") == "Depth from 98.0 to 102.0: bids 1.0, asks 4.0"  # type: ignore[union-attr]
    assert len(root.findall("svg/path")) == 2
    assert depth_svg(OrderBook(), Scale(1, 1)) == ""


@pytest.mark.parametrize(("amount", "said"), [(0.83, "0.830"), (12.345, "12.3"), (24_498.25, "24,498")])
def test_sums_of_the_depth_chart_can_be_read(amount: float, said: str) -> None:
    """Whole numbers say nothing of a market of which a tenth is much."""
    book = OrderBook()
    book.replace([(99.0, amount)], [(101.0, amount)], None)
    assert f"bids {said} · asks {said}" in depth_svg(book, Scale(1, 5))


def test_trades_are_newest_first_with_the_side_in_a_sign() -> None:
    """Which side took is never said by colour alone."""
    trades = [Trade("1", 1_000, "A/B", "buy", 10.5, 1.0), Trade("2", 2_000, "A/B", "sell", 10.4, 2.25)]
    text = trades_html(trades, Scale(2, 2), 5)
    assert text.index("10.40") < text.index("10.50")
    assert "▼" in last_price(trades, Scale(2, 2))
    assert "No trade" in trades_html([], Scale(2, 2), 5)


def test_fills_of_one_candle_and_side_are_one_mark() -> None:
    """At the average price by amount; fills outside the candles have none."""
    fills = [Fill(60_000, "buy", 10.0, 1.0), Fill(90_000, "buy", 13.0, 2.0), Fill(91_000, "sell", 11.0, 1.0)]
    fills += [Fill(59_999, "buy", 1.0, 1.0), Fill(180_000, "buy", 1.0, 1.0)]
    buy, sell = marks_of(fills, [60_000, 120_000], 60_000)
    assert (buy.candle, buy.price, buy.amount, buy.words) == (0, 12.0, 3.0, "bought 3 @ 12 (2 fills)")
    assert (sell.candle, sell.words) == (0, "sold 1 @ 11")


def test_a_chart_has_candles_marks_and_lines() -> None:
    """ECharts wants open, close, low, high; own open orders are lines at their price."""
    options = chart_options(
        [(60_000, 1.0, 4.0, 0.5, 2.0, 9.0)], "1m", [Fill(61_000, "sell", 2.0, 1.0)], [("buy", 1.5, 3.0)]
    )
    prices, bought, sold = options["series"]
    assert prices["data"] == ((1.0, 2.0, 0.5, 4.0),)
    assert [(each["yAxis"], each["name"]) for each in prices["markLine"]["data"]] == [(1.5, "buy 3 @ 1.5")]
    (faded,) = chart_options([], "1m", [], [("buy", 1.5, 3.0)], is_old=True)["series"][0]["markLine"]["data"]
    assert faded["name"] == "buy 3 @ 1.5, not up to date" and faded["lineStyle"]["opacity"] < 1
    assert (bought["data"], sold["data"][0]["value"]) == ((), [0, 2.0])
