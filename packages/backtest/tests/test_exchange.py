"""What happens to orders on a modelled exchange: worked out by hand from the recorded book and trades."""

from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from millrace_backtest.exchange.fees import read_fees
from millrace_core.instrument import Instrument
from millrace_core.market_terms import MarketTerms
from millrace_core.position import Fill, Position, after
from millrace_strategy import (
    BookEvent,
    OrderEvent,
    ResponseEvent,
    StartEvent,
    Strategy,
    StrategyConfiguration,
    TradesEvent,
)

from .conftest import BOOK, EXCHANGE, SYMBOL, Tape, run

D = Decimal
LIMIT = {"side": "buy", "type": "limit", "amount": 2, "price": 100}


class Scripted(Strategy):
    """Places orders when the book is there; at each trade of 0.5 it takes the next further step."""

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        orders: list[dict[str, Any]]
        steps: list[dict[str, Any]] = []

    seen: list[Any]

    def on_order_book(self, event: BookEvent) -> None:
        """Place the orders, once."""
        if not hasattr(self, "seen"):
            self.seen, self.left = [], list(self.configuration.steps)
            for terms in self.configuration.orders:
                self.trader.create_order(exchange=event.exchange, symbol=event.symbol, **terms)

    def on_trades(self, event: TradesEvent) -> None:
        """Take the next step on the oldest open order."""
        if event.trades[0].amount == 0.5 and self.left:
            order, step = next(iter(self.orders.open)), self.left.pop(0)
            if step:
                self.trader.edit_order(order, **step)
            else:
                self.trader.cancel_order(order)

    def on_response(self, event: ResponseEvent) -> None:
        """Keep the answer."""
        self.seen.append((event.response.status, event.response.error and event.response.error.kind))

    def on_order(self, event: OrderEvent) -> None:
        """Keep what became of the order."""
        self.seen.append((event.order.status, event.order.filled))


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    """A market with 5 on each of three levels a side, from 100 to buy and 101 to sell."""
    tape = Tape(tmp_path / "market.jsonl.gz")
    tape.begin([(100.0, 5.0), (99.0, 5.0), (98.0, 5.0)], [(101.0, 5.0), (102.0, 5.0), (103.0, 5.0)])
    tape.wait(10)
    tape.change(bids=[(98.0, 6.0)])
    tape.wait(100)
    return tape


async def fills(tape: Tape, *orders: dict[str, Any], steps: Any = (), **settings: Any) -> list[tuple[D, D, bool]]:
    """Return price, amount and maker of each fill of orders over a tape."""
    tape.wait(1_000)
    tape.change(bids=[(98.0, 7.0)])
    configuration = {"orders": list(orders), "steps": list(steps)}
    backtest = await run(Scripted, tape.end(), configuration=configuration, **{"latency": "10", **settings})
    assert backtest.runs[0].host.errors == []
    tape.strategy = backtest.runs[0].runtime.strategy  # type: ignore[attr-defined]
    tape.backtest = backtest  # type: ignore[attr-defined]
    return [(fill.price, fill.amount, fill.is_maker) for fill in backtest.ledger.fills]


async def test_an_order_waits_behind_what_stood_there(tape: Tape) -> None:
    """Trades at its price take from those before it first; then it is filled in parts."""
    for amount in (4, 2, 10):
        tape.trade(100.0, float(amount), "sell")
    assert await fills(tape, LIMIT) == [(D(100), D(1), True), (D(100), D(1), True)]


async def test_what_is_cancelled_counts_as_the_last_of_the_queue(tape: Tape) -> None:
    """A level that shrinks moves an order forward only when less is left than stood before it."""
    tape.change(bids=[(100.0, 9.0)])
    tape.change(bids=[(100.0, 3.0)])
    tape.wait(2_000)
    tape.trade(100.0, 3.0, "sell")
    tape.trade(100.0, 1.0, "sell")
    assert await fills(tape, LIMIT) == [(D(100), D(1), True)]


async def test_a_trade_that_the_book_showed_before_is_not_counted_twice(tape: Tape) -> None:
    """The book shrinks by 4, and the trade of those 4 comes after: 1 is left before the order."""
    tape.change(bids=[(100.0, 1.0)])
    tape.wait(5)
    tape.trade(100.0, 4.0, "sell")
    tape.trade(100.0, 1.0, "sell")
    tape.trade(100.0, 1.5, "sell")
    assert await fills(tape, LIMIT) == [(D(100), D("1.5"), True)]


async def test_a_trade_through_the_price_and_a_book_through_it_fill(tape: Tape) -> None:
    """What traded behind the price took everything at it; a book that has moved through the price too."""
    tape.trade(99.0, 0.4, "sell")
    tape.change(bids=[(100.0, 0.0)], asks=[(100.0, 3.0)])
    assert await fills(tape, LIMIT) == [(D(100), D("0.4"), True), (D(100), D("1.6"), True)]


async def test_trades_of_the_other_side_and_elsewhere_fill_nothing(tape: Tape) -> None:
    """Buyers take asks, and a trade above the price is no business of an order to buy."""
    tape.trade(100.0, 50.0, "buy")
    tape.trade(100.5, 50.0, "sell")
    assert await fills(tape, LIMIT) == []


async def test_a_market_order_walks_the_book(tape: Tape) -> None:
    """Level by level; what it took is gone until the level is reported again."""
    market = {"side": "buy", "type": "market", "amount": 6}
    assert await fills(tape, market, market) == [
        (D(101), D(5), False), (D(102), D(1), False), (D(102), D(4), False), (D(103), D(2), False),
    ]  # fmt: skip


async def test_a_market_order_for_money_gets_whole_lots(tape: Tape) -> None:
    """Of 506 USDT five cost 505; the rest buys less than the tenth that amounts show."""
    tape.change(asks=[(103.0, 5.5)])
    assert await fills(tape, {"side": "buy", "type": "market", "cost": 506}) == [(D(101), D(5), False)]


@pytest.mark.parametrize(
    ("terms", "expected", "seen"),
    [
        ({"time_in_force": "IOC", "price": 101, "amount": 6}, [D(5)], [("done", None), ("expired", D(5))]),
        ({"time_in_force": "FOK", "price": 101, "amount": 6}, [], [("done", None), ("expired", D(0))]),
        ({"time_in_force": "FOK", "price": 101, "amount": 5}, [D(5)], [("done", None), ("closed", D(5))]),
        ({"post_only": True, "price": 101}, [], [("rejected", "OrderImmediatelyFillable")]),
        ({"post_only": True, "price": 100}, [], [("done", None), ("open", D(0))]),
        ({"price": 102, "amount": 7}, [D(5), D(2)], [("done", None), ("closed", D(7))]),
        ({"trigger_price": 99}, [], [("done", None), ("open", D(0))]),
    ],
)
async def test_kinds_of_orders(tape: Tape, terms: dict[str, Any], expected: list[D], seen: list[Any]) -> None:
    """Each order's terms decide what it takes, and how it ends."""
    found = await fills(tape, LIMIT | terms)
    assert [amount for _, amount, _ in found] == expected
    assert tape.strategy.seen == seen  # type: ignore[attr-defined]


async def test_a_cancelled_order_fills_no_more(tape: Tape) -> None:
    """A cancel takes as long as any request: a trade that is quicker fills the order."""
    tape.trade(101.0, 0.5, "buy")
    tape.wait(5)
    tape.trade(100.0, 6.0, "sell")
    tape.wait(50)
    tape.trade(100.0, 60.0, "sell")
    assert await fills(tape, LIMIT, steps=[{}]) == [(D(100), D(1), True)]
    assert tape.strategy.seen[-1] == ("canceled", D(1))  # type: ignore[attr-defined]


async def test_a_smaller_order_keeps_its_place_and_another_price_does_not(tape: Tape) -> None:
    """Reduced to 1 it is filled after the 5 before it; at another price it stands behind the 5 there."""
    tape.trade(101.0, 0.5, "buy")
    tape.wait(50)
    tape.trade(100.0, 5.5, "sell")
    tape.trade(101.0, 0.5, "buy")
    tape.wait(50)
    tape.trade(99.0, 5.0, "sell")
    tape.trade(99.0, 9.0, "sell")
    found = await fills(tape, LIMIT, steps=[{"amount": 1}, {"price": 99}])
    assert found == [(D(100), D("0.5"), True), (D(99), D("0.5"), True)]


async def test_an_order_meets_the_book_that_is_there_when_it_arrives(tape: Tape) -> None:
    """With a long way to the exchange the price has moved meanwhile."""
    tape.change(asks=[(101.0, 0.0)])
    taker = {"side": "buy", "type": "market", "amount": 1}
    assert await fills(tape, taker, latency="150") == [(D(102), D(1), False)]


async def test_a_stop_order_works_once_its_price_traded(tape: Tape) -> None:
    """A sell below the market sleeps until a trade reaches its trigger."""
    tape.trade(99.5, 1.0, "sell")
    tape.trade(99.0, 1.0, "sell")
    stop = {"side": "sell", "type": "market", "amount": 6, "trigger_price": 99}
    assert await fills(tape, stop) == [(D(100), D(5), False), (D(99), D(1), False)]


async def test_what_an_account_does_not_hold_it_cannot_spend(tape: Tape) -> None:
    """Open orders keep back what they may cost; fills and fees are booked to the last digit."""
    orders = [LIMIT, LIMIT | {"price": 99}, {"side": "sell", "type": "limit", "amount": 1, "price": 99}]
    tape.trade(100.0, 7.0, "sell")
    held = {"USDT": D(300), "ETH": D(1)}
    found = await fills(tape, *orders, balances=held, fees=read_fees(["0.001/0.002"]))
    assert found == [(D(100), D(1), False), (D(100), D(2), True)]
    assert ("rejected", "InsufficientFunds") in tape.strategy.seen  # type: ignore[attr-defined]
    account = tape.backtest.exchanges.account("Ann", EXCHANGE)  # type: ignore[attr-defined]
    # Sold 1 for 100, less 0.2; bought 2 for 200, less 0.002 ETH.
    assert account.totals == {"USDT": D("199.8"), "ETH": D("1.998")}


@pytest.mark.parametrize(
    ("fees", "expected"),
    [
        ("0.001", {"ETH": D("0.005")}),
        ("0.001/0.002", {"ETH": D("0.01")}),
        ("binance=0.001/0.002/quote", {"USDT": D("1.01")}),
        ("kucoin=0.5", {"ETH": D("0.005")}),
        ("-0.001", {"ETH": D("-0.005")}),
    ],
)
async def test_fees_of_takers(tape: Tape, fees: str, expected: dict[str, D]) -> None:
    """In what is received or in quote currency, by exchange; the profit is that of the API's arithmetic."""
    await fills(tape, {"side": "buy", "type": "market", "amount": 5}, fees=read_fees([fees]))
    (position,) = tape.backtest.ledger.positions.values()  # type: ignore[attr-defined]
    assert position.fees_by_currency == expected
    (fill,) = tape.backtest.ledger.fills  # type: ignore[attr-defined]
    counted = Fill(fill.at_ns // 1_000_000, True, D(101), D(5), None, (fill.fee,))
    assert position == after(Position(), [counted], Instrument.of(SYMBOL))


STATED = {"base": "ETH", "quote": "USDT", "tickSize": "0.5", "amountStep": "0.1", "minAmount": "0.2", "minCost": "50"}


class Reading(Scripted):
    """Keeps the reasons, and what it knows of the market."""

    def on_response(self, event: ResponseEvent) -> None:
        """Keep the answer, and the terms of the moment."""
        self.seen.append((event.response.error and event.response.error.message, self.markets[EXCHANGE, SYMBOL]))


@pytest.mark.parametrize("stated", [None, STATED], ids=["unknown", "stated"])
async def test_the_exchange_refuses_what_its_rules_of_then_refuse(
    tmp_path: Path, stated: dict[str, str] | None
) -> None:
    """In the words of the executor where it is that which refuses; a recording without rules refuses nothing."""
    tape = Tape(tmp_path / "market.jsonl.gz")
    tape.begin([(100.0, 5.0), (98.0, 5.0)], [(101.0, 5.5), (102.0, 5.0)])
    if stated is not None:
        tape.message(BOOK, "status", {"status": "live", "market": stated})
    tape.wait(10)
    tape.change(bids=[(98.0, 6.5)])
    tape.wait(1_000)
    if stated is not None:
        tape.message(BOOK, "status", {"status": "live", "market": {**stated, "minCost": "10"}})
    tape.trade(101.0, 0.5, "buy")
    tape.wait(1_000)
    tape.change(bids=[(98.0, 7.0)])
    orders = [
        {**LIMIT, "price": "99.5"},
        {**LIMIT, "price": "99.7"},
        {**LIMIT, "amount": "0.15"},
        {**LIMIT, "amount": "0.1"},
        {**LIMIT, "amount": "0.4"},
        {"side": "buy", "type": "market", "amount": "0.3"},
        {"side": "buy", "type": "market", "cost": "49"},
    ]
    settings = {"configuration": {"orders": orders, "steps": [{"amount": "0.3"}]}, "latency": "10"}
    backtest = await run(Reading, tape.end(), **settings)
    seen: list[Any] = backtest.runs[0].runtime.strategy.seen  # type: ignore[attr-defined]
    answers = [each for each in seen if isinstance(each[1], MarketTerms)]
    reasons = [each[0] for each in answers]
    if stated is None:
        assert (len(reasons), set(reasons)) == (8, {None})
        return
    assert (answers[0][1].min_cost, answers[-1][1].min_cost) == (50, 10)
    assert reasons == [
        None,
        "price 99.7 would be rounded: the tick of ETH/USDT is 0.5",
        "amountBase 0.15 would be rounded: the lot of ETH/USDT is 0.1; "
        "amount 0.15 is below the least amount of ETH/USDT, 0.2; cost 15 is below the least cost of ETH/USDT, 50 USDT",
        "amount 0.1 is below the least amount of ETH/USDT, 0.2; cost 10 is below the least cost of ETH/USDT, 50 USDT",
        "cost 40 is below the least cost of ETH/USDT, 50 USDT",
        "cost 30.3 is below the least cost of ETH/USDT, 50 USDT",
        "cost 49 is below the least cost of ETH/USDT, 50 USDT",
        None,
    ]


class Misspelt(Strategy):
    """Asks for what no executor takes, and keeps the answers."""

    def on_start(self, event: StartEvent) -> None:
        """Ask."""
        self.answers: list[tuple[str, str | None]] = []
        create = partial(self.trader.create_order, exchange=EXCHANGE, symbol=SYMBOL)
        create(side="BUY", type="limit", amount=1, price=101)  # type: ignore[arg-type]
        create(side="buy", type="stop", amount=1, price=101)  # type: ignore[arg-type]
        create(side="buy", type="limit", amount=-1, price=101)
        create(side="buy", type="market")
        self.trader.edit_order((EXCHANGE, SYMBOL, "1"))

    def on_response(self, event: ResponseEvent) -> None:
        """Keep it."""
        self.answers.append((event.response.status, event.response.error and event.response.error.kind))


async def test_what_the_executor_refuses_as_no_request_is_refused_alike(tape: Tape) -> None:
    """An invalid side counted as a sale in a backtest; live such a request is refused."""
    tape.wait(100)
    tape.change(bids=[(99.0, 1.0)])
    backtest = await run(Misspelt, tape.end())
    assert backtest.runs[0].runtime.strategy.answers == [("rejected", "Malformed")] * 5
    assert backtest.ledger.fills == []
