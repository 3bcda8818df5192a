"""The library of strategies, each against an exchange that is played by the test.

An order's report always comes before its own trade, as it may live: nothing may be traded twice in between.
"""

import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from millrace_core.errors import ConfigInvalid
from millrace_core.market import Fee, Trade
from millrace_core.market_terms import MarketTerms, refusals
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.orders import Order, OrderFee, OrderRecord
from millrace_core.position import digits
from millrace_core.requests import CancelOrder, CreateOrder
from millrace_magicbox.plugins import load_strategy, plugin_names
from millrace_strategy import StrategyOrder, SubscribedStream
from millrace_strategy.testing import StrategyHarness

EXAMPLES = Path(__file__).parents[3] / "examples" / "strategies"
ROOT = EXAMPLES.parents[1]
EXCHANGE, SYMBOL = "binance", "KCS/USDT"
MARKET = {"exchangeId": EXCHANGE, "symbol": SYMBOL, "tickSize": 0.01}
Terms = tuple[str, str, str, str]


def plain(number: Decimal | None) -> str:
    """Return a number without zeros behind its last digit."""
    return digits(number or Decimal(0))


class Exchange:
    """A strategy of the library that trades on the exchange of a test."""

    def __init__(
        self,
        name: str,
        settings: dict[str, Any],
        *markets: tuple[str, str],
        after: "Exchange | None" = None,
        terms: Mapping[tuple[str, str], MarketTerms] = MappingProxyType({}),
    ) -> None:
        self.run: int = 1 if after is None else after.run + 1
        streams = [
            SubscribedStream(ExchangeId(exchange), Symbol(symbol), Action(action))
            for exchange, symbol in markets or [(EXCHANGE, SYMBOL)]
            for action in ("watchTrades", "watchMyTrades")
        ]
        self.harness = StrategyHarness(
            load_strategy(name, EXAMPLES),
            configuration=settings,
            books=markets or [(EXCHANGE, SYMBOL)],
            streams=streams,
            markets=terms,
            saved=None if after is None else after.harness.saved,
            run=self.run,
        )

    def book(
        self, bid: float, ask: float, *, amount: float = 5.0, market: tuple[str, str] = (EXCHANGE, SYMBOL)
    ) -> None:
        """Set a book of one level a side."""
        self.harness.feed_book(*market, bids=[(bid, amount)], asks=[(ask, amount)])

    def unanswered(self) -> list[CreateOrder]:
        """Return the requests for orders that are not answered."""
        pending = {each.request_id for each in self.harness.strategy.trader.pending}
        return [r for r in self.harness.requests if isinstance(r, CreateOrder) and r.request_id in pending]

    def wanted(self) -> list[Terms]:
        """Return exchange, side, price and amount of each of them."""
        return [
            (str(each.exchange_id), each.payload.side, *map(plain, (each.payload.price, each.payload.amount_base)))
            for each in self.unanswered()
        ]

    def accept(self) -> list[StrategyOrder]:
        """Accept them all."""
        return [self.harness.accept(each) for each in self.unanswered()]

    def fill(self, share: str = "1") -> None:
        """Accept them all, and fill a share of each; what is left of an order that does not rest is cancelled."""
        requests = self.unanswered()
        for request, order in zip(requests, self.accept(), strict=True):
            order = self.harness.fill(order, Decimal(share) * (order.amount or Decimal(0)))
            if request.payload.time_in_force == "IOC" and not order.is_final:
                self.harness.cancel(order)

    def report(self, order: StrategyOrder, **changes: Any) -> None:
        """Have the exchange report an order with changes."""
        known = {name: getattr(order, name) for name in Order.__struct_fields__}
        self.harness.feed_order(order.exchange, Order(**{**known, **changes}))

    def held(self, market: tuple[str, str] = (EXCHANGE, SYMBOL)) -> Decimal:
        """Return its position."""
        found: Decimal = self.harness.strategy.positions[market].quantity
        return found

    def cancelled(self) -> list[str | None]:
        """Return the ids of the orders that it wanted to cancel."""
        return [each.payload.order_id for each in self.harness.requests if isinstance(each, CancelOrder)]


GRID = {**MARKET, "lower": 9, "upper": 11, "cells": 2, "amount": 1}


def test_a_grid_buys_low_and_sells_one_line_higher() -> None:
    """Only what would rest is placed; a cell that has bought sells, and then buys again."""
    exchange = Exchange("Grid", GRID)
    exchange.harness.start()
    exchange.book(9.8, 10.2)
    assert exchange.wanted() == [("binance", "buy", "9", "1"), ("binance", "buy", "10", "1")]
    lower, upper = exchange.accept()
    exchange.harness.fill(upper, 1)
    assert exchange.wanted() == [("binance", "sell", "11", "1")]
    exchange.fill()
    assert exchange.wanted() == [("binance", "buy", "10", "1")]
    assert exchange.harness.strategy.positions[EXCHANGE, SYMBOL].realised == 1
    assert lower.id not in exchange.cancelled()


@pytest.mark.parametrize("filled_meanwhile", ["0", "0.25", "1"])
def test_a_grid_goes_on_after_a_restart(filled_meanwhile: str) -> None:
    """Its orders stay, what was filled meanwhile counts once, and nothing is placed twice."""
    first = Exchange("Grid", GRID)
    first.harness.start()
    first.book(9.8, 10.2)
    first.harness.fill(first.accept()[1], 1)
    first.accept()
    first.harness.stop()
    orders = list(first.harness.strategy.orders)
    assert (len(orders), first.cancelled()) == (3, [])
    filled = Decimal(filled_meanwhile)
    records = []
    for order in orders:
        fields = {name: getattr(order, name) for name in Order.__struct_fields__}
        if order.price == 9:
            fields.update(filled=filled, remaining=1 - filled, status="closed" if filled == 1 else "open")
        source = {"order_source": "Grid", "request_id": order.request_id}
        records.append(OrderRecord(order=Order(**fields), exchange=EXCHANGE, updated=1, **source))
    second = Exchange("Grid", GRID, after=first)
    second.harness.start(records)
    second.book(9.8, 10.2)
    lower_turned = [("binance", "sell", "10", "1")]
    assert second.wanted() == (lower_turned if filled == 1 else [])
    assert second.cancelled() == []
    assert second.held() == 1 + filled
    if filled == 1:
        return
    for order in second.harness.strategy.orders.open:
        second.harness.fill(order, order.remaining or 0)
    assert sorted(second.wanted()) == [("binance", "buy", "10", "1"), ("binance", "sell", "10", "1")]


def test_a_grid_of_other_settings_begins_anew() -> None:
    """What the old one left open is cancelled."""
    first = Exchange("Grid", GRID)
    first.harness.start()
    first.book(9.8, 10.2)
    orders = first.accept()
    records = [
        OrderRecord(
            order=Order(**{name: getattr(order, name) for name in Order.__struct_fields__}),
            exchange=EXCHANGE,
            updated=1,
            order_source="Grid",
            request_id=order.request_id,
        )
        for order in orders
    ]
    second = Exchange("Grid", {**GRID, "upper": 12}, after=first)
    second.harness.start(records)
    assert sorted(map(str, second.cancelled())) == sorted(order.id for order in orders)


MAKER = {
    **MARKET,
    "amount": 1,
    "amountStep": 0.1,
    "maxInventory": 2,
    "riskAversion": 1,
    "orderIntensity": 50,
    "horizonSeconds": 100,
}


def test_the_market_maker_leans_against_its_inventory() -> None:
    """Both prices fall when it holds more; the more the price moves, the wider it quotes; the limit ends its bids."""
    exchange = Exchange("MarketMaker", {**MAKER, "minInventory": -1})
    exchange.harness.start()
    exchange.book(9.9, 10.1)
    assert exchange.wanted() == [("binance", "buy", "9.98", "1"), ("binance", "sell", "10.02", "1")]
    exchange.accept()
    for mid in (10.0, 10.1, 10.0, 10.1):
        exchange.harness.advance(1_000)
        exchange.book(mid - 0.1, mid + 0.1)
    for order in list(exchange.harness.strategy.orders.open):
        exchange.harness.cancel(order)
    ((_, _, bid, _), (_, _, ask, _)) = exchange.wanted()
    assert Decimal(ask) - Decimal(bid) > Decimal("0.04")
    buy, sell = exchange.accept()
    exchange.harness.fill(buy, 1)
    exchange.book(10.0, 10.2)
    exchange.harness.cancel(sell)
    assert exchange.held() == 1
    lower = {side: Decimal(price) for _, side, price, _ in exchange.wanted()}
    assert lower["buy"] < Decimal(bid)
    assert lower["sell"] < Decimal(ask)
    exchange.harness.fill(exchange.accept()[0], 1)
    exchange.book(10.0, 10.2)
    assert all(side == "sell" for _, side, _, _ in exchange.wanted())
    exchange.harness.feed_status(EXCHANGE, "watchOrderBook", SYMBOL, "stale")
    assert set(exchange.cancelled()) >= {order.id for order in exchange.harness.strategy.orders.open}


def test_the_market_maker_sells_what_a_fee_has_left_of_its_purchase() -> None:
    """In whole steps: of 1 bought, less 0.001 of fee, 0.9 can be sold."""
    exchange = Exchange("MarketMaker", MAKER)
    exchange.harness.start()
    exchange.book(9.9, 10.1)
    (bid,) = exchange.accept()
    exchange.harness.fill(bid, 1, fee=Fee(currency="KCS", cost=0.001))
    exchange.book(9.9, 10.1)
    assert [(side, amount) for _, side, _, amount in exchange.wanted()] == [("buy", "1"), ("sell", "0.9")]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_grid_sells_what_a_fee_has_left_of_its_purchase(at_once: bool) -> None:
    """A sell of all that was bought would be refused for ever; the fee may be reported after the fill."""
    exchange = Exchange("Grid", GRID)
    exchange.harness.start()
    exchange.book(9.8, 10.2)
    _, upper = exchange.accept()
    if not at_once:
        exchange.harness.fill(upper, 1)
        exchange.harness.reject(exchange.unanswered()[-1], "InsufficientFunds", "not enough KCS")
    fees = [OrderFee("KCS", Decimal("0.001"))]
    exchange.report(upper, filled=Decimal(1), cost=Decimal(10), status="closed", fees=fees)
    exchange.harness.advance(1_000)
    exchange.book(9.8, 10.2)
    assert exchange.wanted() == [("binance", "sell", "11", "0.999")]
    exchange.fill()
    assert exchange.wanted() == [("binance", "buy", "10", "1")]


BOTH = [("binance", SYMBOL), ("kucoin", SYMBOL)]
ARBITRAGE = {
    "firstExchangeId": "binance", "secondExchangeId": "kucoin", "symbol": SYMBOL, "amount": 2, "amountStep": 0.1,
    "feeBps": 10, "minProfitBps": 5,
}  # fmt: skip


def test_arbitrage_trades_both_sides_and_balances_what_one_did_not_fill() -> None:
    """It waits while one outcome is open, and sells the surplus where the bid is best before it trades again."""
    exchange = Exchange("Arbitrage", ARBITRAGE, *BOTH)
    exchange.harness.start()
    exchange.book(9.9, 10.0, market=BOTH[0])
    exchange.book(10.02, 10.1, market=BOTH[1])
    assert exchange.wanted() == []
    exchange.book(10.1, 10.2, amount=1.55, market=BOTH[1])
    assert exchange.wanted() == [("binance", "buy", "10", "1.5"), ("kucoin", "sell", "10.1", "1.5")]
    buy, sell = exchange.unanswered()
    exchange.harness.fill(exchange.harness.accept(buy), "1.5")
    exchange.harness.answer(sell, "unknown")
    exchange.book(10.1, 10.3, market=BOTH[1])
    assert exchange.wanted() == [("kucoin", "sell", "10.1", "1.5")]
    exchange.harness.cancel(exchange.harness.fill(exchange.harness.accept(sell), "0.5"))
    assert exchange.wanted() == [("kucoin", "sell", "10.1", "1")]
    exchange.book(9.9, 10.1, market=BOTH[1])
    exchange.fill()
    assert exchange.held(BOTH[0]) + exchange.held(BOTH[1]) == 0
    assert exchange.wanted() == []


def test_the_cross_exchange_maker_hedges_what_is_filled() -> None:
    """Its quotes follow the other exchange; a partial fill is hedged there at once, and once."""
    settings = {
        "makerExchangeId": "binance", "hedgeExchangeId": "kucoin", "symbol": SYMBOL, "amount": 2, "marginBps": 100,
        "tickSize": 0.01, "amountStep": 0.1,
    }  # fmt: skip
    exchange = Exchange("CrossExchangeMaker", settings, *BOTH)
    exchange.harness.start()
    exchange.book(9.0, 11.0, market=BOTH[0])
    exchange.book(10.0, 10.1, market=BOTH[1])
    assert exchange.wanted() == [("binance", "buy", "9.9", "2"), ("binance", "sell", "10.21", "2")]
    bid, _ = exchange.accept()
    exchange.harness.fill(bid, "0.5")
    assert exchange.wanted() == [("kucoin", "sell", "9.98", "0.5")]
    exchange.fill()
    exchange.book(10.0, 10.1, market=BOTH[1])
    assert exchange.wanted() == []
    assert exchange.held(BOTH[0]) + exchange.held(BOTH[1]) == 0
    exchange.harness.feed_status("kucoin", "watchOrderBook", SYMBOL, "stale")
    assert len(exchange.cancelled()) == 2


def test_a_twap_execution_goes_on_after_a_restart() -> None:
    """With what is left of the amount and of the time; once done, it stays done."""
    settings = {**MARKET, "side": "buy", "amount": 4, "seconds": 4, "parts": 4, "amountStep": 0.1}
    first = Exchange("TwapExecution", settings)
    first.book(9.9, 10.0)
    first.harness.start()
    first.fill()
    first.harness.advance(1_000)
    first.fill("0.5")
    first.harness.stop()
    second = Exchange("TwapExecution", settings, after=first)
    second.book(9.9, 10.0)
    second.harness.advance(2_000)
    second.harness.start()
    assert second.wanted() == [("binance", "buy", "10.01", "1.2")]
    second.fill()
    second.harness.advance(1_000)
    second.fill()
    assert second.held() == 4
    third = Exchange("TwapExecution", settings, after=second)
    third.book(9.9, 10.0)
    third.harness.start()
    assert third.wanted() == []


TRIANGLE = [(EXCHANGE, symbol) for symbol in ("BTC/USDT", "ETH/BTC", "ETH/USDT")]


def triangle() -> Exchange:
    settings = {
        "exchangeId": EXCHANGE, "quote": "USDT", "bridge": "BTC", "base": "ETH", "cost": 1_000, "bridgeStep": 0.0001,
        "baseStep": 0.001, "feeBps": 0,
    }  # fmt: skip
    exchange = Exchange("Triangular", settings, *TRIANGLE)
    exchange.harness.start()
    exchange.book(10_000, 10_000.5, market=TRIANGLE[0])
    exchange.book(0.0999, 0.1, market=TRIANGLE[1])
    exchange.book(999.0, 1_001, market=TRIANGLE[2])
    assert exchange.wanted() == []
    exchange.book(1_010.0, 1_012, market=TRIANGLE[2])
    return exchange


def test_a_triangle_is_traded_one_market_after_the_other() -> None:
    """Each leg uses what the one before received; what a later leg did not fill is sent again."""
    exchange = triangle()
    assert exchange.wanted() == [("binance", "buy", "10000.5", "0.0999")]
    exchange.fill()
    assert exchange.wanted() == [("binance", "buy", "0.1", "0.999")]
    exchange.fill()
    assert exchange.wanted() == [("binance", "sell", "1010", "0.999")]
    exchange.fill("0.5")
    assert exchange.wanted() == [("binance", "sell", "1010", "0.499")]
    exchange.book(999.0, 1_001, market=TRIANGLE[2])
    exchange.fill()
    assert exchange.wanted() == []
    assert exchange.held(TRIANGLE[2]) == Decimal("-0.9985")


def test_a_triangle_whose_first_price_is_gone_does_not_begin() -> None:
    """Nothing was traded, so nothing follows; a part of it is taken through the round."""
    exchange = triangle()
    (order,) = exchange.accept()
    exchange.harness.cancel(order)
    assert exchange.wanted() == []
    exchange.book(1_010.0, 1_012, market=TRIANGLE[2])
    exchange.fill("0.5")
    assert exchange.wanted() == [("binance", "buy", "0.1", "0.499")]


def test_the_trend_is_followed_once_for_each_candle() -> None:
    """It buys when the fast average is above the slow one, retries what was not filled, and sells when it is below."""
    settings = {**MARKET, "fast": 1, "slow": 2, "amount": 2, "amountStep": 0.1}
    exchange = Exchange("Trend", settings)
    exchange.harness.start()
    exchange.book(9.9, 10.0)
    for number, price in enumerate((10.0, 11.0, 12.0)):
        at_ms = exchange.harness.strategy.clock.now_ms()
        exchange.harness.feed_trades(EXCHANGE, SYMBOL, [Trade(str(number), at_ms, SYMBOL, "buy", price, 1.0)])
        exchange.harness.advance(60_000)
    assert exchange.wanted() == [("binance", "buy", "10.01", "2")]
    exchange.fill("0.5")
    assert exchange.wanted() == [("binance", "buy", "10.01", "1")]
    exchange.fill()
    assert (exchange.held(), exchange.wanted()) == (2, [])
    for number, price in enumerate((1.0, 1.0), start=3):
        at_ms = exchange.harness.strategy.clock.now_ms()
        exchange.harness.feed_trades(EXCHANGE, SYMBOL, [Trade(str(number), at_ms, SYMBOL, "buy", price, 1.0)])
        exchange.harness.advance(60_000)
    assert exchange.wanted() == [("binance", "sell", "9.9", "2")]


@pytest.mark.parametrize(
    ("name", "settings", "path"),
    [
        ("Grid", {**GRID, "cells": 100, "upper": 9.5}, "$.upper"),
        ("Trend", {**MARKET, "fast": 9, "slow": 3, "amount": 1, "amountStep": 1}, "$.slow"),
    ],
)
def test_settings_that_make_no_sense_together_are_refused(name: str, settings: dict[str, Any], path: str) -> None:
    """Before anything runs, with the place of the mistake."""
    with pytest.raises(ConfigInvalid) as caught:
        Exchange(name, settings)
    assert {problem.path for problem in caught.value.problems} == {path}


def terms_of(symbol: str, tick: str, step: str, least_cost: str) -> MarketTerms:
    """Return the terms of a market."""
    base, quote = symbol.split("/")
    return MarketTerms(
        base, quote, tick_size=Decimal(tick), amount_step=Decimal(step), min_amount=Decimal(step),
        min_cost=Decimal(least_cost),
    )  # fmt: skip


TERMS = {market: terms_of(SYMBOL, "0.01", "0.1", "5") for market in BOTH} | {
    TRIANGLE[0]: terms_of("BTC/USDT", "0.1", "0.0001", "5"),
    TRIANGLE[1]: terms_of("ETH/BTC", "0.0001", "0.001", "0.0005"),
    TRIANGLE[2]: terms_of("ETH/USDT", "0.1", "0.001", "5"),
}
STATED = {"exchangeId": EXCHANGE, "symbol": SYMBOL}
BEATS = 40
BEAT_MS = 60_000
Beat = Callable[[Exchange, int], None]


def quiet(exchange: Exchange, beat: int) -> None:
    """Show books that hardly move."""
    exchange.book(9.8, 10.2 + 0.01 * (beat % 2))


def rising_and_falling(exchange: Exchange, beat: int) -> None:
    """Show a trade whose price alternates every few beats."""
    at_ms = exchange.harness.strategy.clock.now_ms()
    price = 10.0 + beat % 4
    exchange.harness.feed_trades(EXCHANGE, SYMBOL, [Trade(str(beat), at_ms, SYMBOL, "buy", price, 1.0)])
    quiet(exchange, beat)


def apart(exchange: Exchange, beat: int) -> None:
    """Show two exchanges whose prices differ, now this way and now that."""
    low, high = BOTH if beat % 2 else BOTH[::-1]
    exchange.book(9.9, 10.0, market=low)
    exchange.book(10.3, 10.4, market=high)


def around(exchange: Exchange, beat: int) -> None:
    """Show a triangle that pays."""
    exchange.book(10_000, 10_000.5, market=TRIANGLE[0])
    exchange.book(0.0999, 0.1, market=TRIANGLE[1])
    exchange.book(1_010.0, 1_012 + beat % 2, market=TRIANGLE[2])


LIBRARY: dict[str, tuple[dict[str, Any], list[tuple[str, str]], Beat]] = {
    "PingPong": ({"amount": 1}, BOTH[:1], quiet),
    "Grid": ({**STATED, "lower": 9, "upper": 11, "cells": 3, "amount": 1}, BOTH[:1], quiet),
    "MarketMaker": ({**STATED, "amount": 1, "maxInventory": 2}, BOTH[:1], quiet),
    "Trend": ({**STATED, "fast": 1, "slow": 2, "amount": 1}, BOTH[:1], rising_and_falling),
    "TwapExecution": ({**STATED, "side": "buy", "amount": 8, "seconds": 2_400, "parts": BEATS}, BOTH[:1], quiet),
    "Arbitrage": (
        {"firstExchangeId": "binance", "secondExchangeId": "kucoin", "symbol": SYMBOL, "amount": 1, "feeBps": 10},
        BOTH,
        apart,
    ),
    "CrossExchangeMaker": (
        {"makerExchangeId": "binance", "hedgeExchangeId": "kucoin", "symbol": SYMBOL, "amount": 1, "marginBps": 50},
        BOTH,
        apart,
    ),
    "Triangular": (
        {"exchangeId": EXCHANGE, "quote": "USDT", "bridge": "BTC", "base": "ETH", "cost": 30, "feeBps": 0},
        TRIANGLE,
        around,
    ),
}


@pytest.mark.parametrize("name", [name for name in plugin_names(EXAMPLES) if not name.endswith("Configuration")])
def test_what_a_partial_fill_leaves_stops_no_strategy(name: str) -> None:
    """Nothing is sent that the markets' rules refuse, whatever is filled in part, and trading goes on.

    Steps and least sizes stand in no configuration. Half a unit is the least, and fills leave less again and again.
    """
    settings, markets, beat = LIBRARY[name]
    exchange = Exchange(name, settings, *markets, terms=TERMS)
    exchange.harness.start()
    shares = cycle(("0.3", "0.7", "1", "0.6"))
    filled_in: list[int] = []
    for number in range(BEATS):
        beat(exchange, number)
        for request in exchange.unanswered():
            terms, payload = TERMS[str(request.exchange_id), request.payload.symbol], request.payload
            assert refusals(terms, payload) == [], payload
            order = exchange.harness.accept(request)
            amount = max(terms.round_amount(Decimal(next(shares)) * (order.amount or 0)), terms.amount_step or 0)
            order = exchange.harness.fill(order, amount)
            filled_in.append(number)
            if not order.is_final:
                exchange.harness.cancel(order)
        exchange.harness.advance(BEAT_MS)
    assert len(exchange.harness.requests) <= 8 * BEATS
    assert len(filled_in) >= BEATS // 4, "it hardly traded, so that the test shows nothing"
    assert filled_in[-1] >= BEATS - 5


def test_every_strategy_of_the_library_is_documented_with_its_parameters() -> None:
    """One heading for each, and a row for each of its parameters."""
    page = (ROOT / "docs" / "strategy-library.md").read_text()
    sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    for name in plugin_names(EXAMPLES):
        strategy = load_strategy(name, EXAMPLES) if not name.endswith("Configuration") else None
        if strategy is None:
            continue
        fields = strategy.Configuration.model_json_schema()["properties"]
        rows = {line.split("`")[1] for line in sections[name].splitlines() if line.startswith("| `")}
        assert rows == set(fields), name
        assert sys.modules[strategy.__module__].__doc__
