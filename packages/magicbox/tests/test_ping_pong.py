import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.book import OrderBook
from millrace_core.errors import ConfigInvalid
from millrace_core.names import ExchangeId, Symbol
from millrace_core.orders import Order, OrderFee, OrderRecord
from millrace_core.requests import CancelOrder, CreateOrder
from millrace_magicbox.plugins import load_strategy
from millrace_strategy import LocalBook
from millrace_strategy.testing import StrategyHarness

EXAMPLES = Path(__file__).parents[3] / "examples" / "strategies"
EXCHANGE, SYMBOL = "binance", "KCS/USDT"
PingPong = load_strategy("PingPong", EXAMPLES)
middle = vars(sys.modules[PingPong.__module__])["middle"]


def started(orders: tuple[OrderRecord, ...] = (), **configuration: Any) -> StrategyHarness:
    settings = {"amount": 2, "maximumThresholdMs": 1_000, "backoffMs": 100, **configuration}
    harness = StrategyHarness(PingPong, configuration=settings, books=[(EXCHANGE, SYMBOL)])
    harness.start(orders)
    feed(harness)
    return harness


def feed(harness: StrategyHarness, bid: float = 9.98, ask: float = 10.03) -> None:
    harness.feed_book(EXCHANGE, SYMBOL, bids=[(bid, 5.0), (9.9, 1.0)], asks=[(ask, 5.0)])


def created(harness: StrategyHarness) -> list[tuple[str, Decimal | None, Decimal | None]]:
    """Return side, price and amount of each order that it wanted."""
    payloads = [request.payload for request in harness.requests if isinstance(request, CreateOrder)]
    assert all(payload.post_only and payload.type == "limit" for payload in payloads)
    return [(payload.side, payload.price, payload.amount_base) for payload in payloads]


def cancelled(harness: StrategyHarness) -> list[str | None]:
    return [request.payload.order_id for request in harness.requests if isinstance(request, CancelOrder)]


def test_a_buy_then_a_sell_then_a_buy_in_the_middle_of_the_spread() -> None:
    """Each waits for the one before to fill; a buy is rounded down to the tick, a sell up."""
    harness = started()
    for _ in range(2):
        order = harness.accept(harness.requests[-1])
        feed(harness)
        harness.fill(order, 2)
    buy, sell = ("buy", Decimal("10.00"), Decimal(2)), ("sell", Decimal("10.01"), Decimal(2))
    assert created(harness) == [buy, sell, buy]
    assert cancelled(harness) == []


def test_only_one_request_is_out_at_a_time() -> None:
    """Neither a request without answer nor a resting order is joined by another."""
    harness = started()
    feed(harness, 9.99)
    harness.accept(harness.requests[0])
    feed(harness)
    assert len(harness.requests) == 1


def test_what_does_not_fill_in_time_is_cancelled_and_placed_again() -> None:
    """After `maximumThresholdMs` the order is cancelled, and only its end leads to the next."""
    harness = started()
    order = harness.accept(harness.requests[0])
    harness.advance(999)
    assert cancelled(harness) == []
    harness.advance(1)
    assert cancelled(harness) == [order.id]
    feed(harness, 9.99, 10.05)
    assert len(created(harness)) == 1
    harness.cancel(order)
    assert created(harness)[1] == ("buy", Decimal("10.02"), Decimal(2))


def test_a_cancellation_that_came_to_nothing_is_repeated() -> None:
    """An order that is still open is cancelled again; one that has filled is not."""
    harness = started()
    order = harness.accept(harness.requests[0])
    harness.advance(2_000)
    assert cancelled(harness) == [order.id] * 2
    harness.fill(order, 2)
    harness.advance(5_000)
    assert cancelled(harness) == [order.id] * 2


def test_a_part_that_was_bought_is_sold() -> None:
    """A buy that was cancelled after a partial fill leads to a sell of just that."""
    harness = started()
    order = harness.accept(harness.requests[0])
    harness.fill(order, "0.5")
    harness.advance(1_000)
    harness.cancel(order)
    assert created(harness)[1] == ("sell", Decimal("10.01"), Decimal("0.5"))


def test_what_a_fee_has_left_is_sold() -> None:
    """A sell of all that was bought would be refused for ever; its refusal is none of a rest, and leads to no buy."""
    harness = started()
    order = harness.accept(harness.requests[0])
    known = {name: getattr(order, name) for name in Order.__struct_fields__}
    fees = [OrderFee("KCS", Decimal("0.002"))]
    harness.feed_order(EXCHANGE, Order(**{**known, "filled": Decimal(2), "status": "closed", "fees": fees}))
    sell = ("sell", Decimal("10.01"), Decimal("1.998"))
    assert created(harness)[1] == sell
    harness.reject(harness.requests[-1], "InvalidOrder", "would take")
    harness.advance(100)
    assert created(harness)[2] == sell


def test_a_fill_that_is_reported_after_the_cancellation_counts() -> None:
    """The stock is what orders have filled, also when an order's last fill is learnt after its end."""
    harness = started()
    order = harness.accept(harness.requests[0])
    harness.cancel(order)
    harness.fill(order, "0.5")
    harness.reject(harness.requests[-1])
    harness.advance(100)
    assert created(harness)[-1] == ("sell", Decimal("10.01"), Decimal("0.5"))


@pytest.mark.parametrize("kind", ["InvalidOrder", "BadRequest", "ExchangeError", "OrderNotFillable"])
def test_a_part_too_small_to_sell_is_sold_with_the_next_buy(kind: str) -> None:
    """When the exchange refuses so small a sell, by whatever name, it buys again first and then sells everything."""
    harness = started()
    order = harness.accept(harness.requests[0])
    harness.fill(order, "0.5")
    harness.cancel(order)
    harness.reject(harness.requests[-1], kind, "notional too small")
    harness.advance(100)
    order = harness.accept(harness.requests[-1])
    harness.fill(order, 2)
    assert [(side, amount) for side, _, amount in created(harness)] == [
        ("buy", Decimal(2)),
        ("sell", Decimal("0.5")),
        ("buy", Decimal(2)),
        ("sell", Decimal("2.5")),
    ]


def test_a_part_is_sold_after_all_when_buys_are_refused_too() -> None:
    """Both sides are tried in turn: no refusal of one is final."""
    harness = started()
    order = harness.accept(harness.requests[0])
    harness.fill(order, "0.5")
    harness.cancel(order)
    for pause_ms in (100, 200, 400):
        harness.reject(harness.requests[-1], "Halted", "by a person")
        harness.advance(pause_ms)
    assert [side for side, _, _ in created(harness)] == ["buy", "sell", "buy", "sell", "buy"]


@pytest.mark.parametrize("status", ["rejected", "failed", "expired"])
def test_a_refusal_is_followed_by_a_growing_pause(status: Any) -> None:
    """It tries again after 100, 200, 400 ms … and not before, whatever the book does."""
    harness = started()
    for number, pause_ms in enumerate((100, 200, 400), start=1):
        harness.answer(harness.requests[-1], status)
        harness.advance(pause_ms - 1)
        feed(harness)
        assert len(created(harness)) == number
        harness.advance(1)
        assert len(created(harness)) == number + 1


def test_an_unknown_outcome_is_waited_for() -> None:
    """The order may be there: nothing is placed until the answer is certain."""
    harness = started()
    harness.answer(harness.requests[0], "unknown")
    harness.advance(60_000)
    feed(harness)
    assert len(harness.requests) == 1
    order = harness.accept(harness.requests[0])
    harness.fill(order, 2)
    assert [side for side, _, _ in created(harness)] == ["buy", "sell"]


def test_a_book_that_is_not_trusted_is_not_traded_on() -> None:
    """It waits until the book is right and live again."""
    harness = started()
    order = harness.accept(harness.requests[0])
    harness.feed_status(EXCHANGE, "watchOrderBook", SYMBOL, "stale")
    harness.fill(order, 2)
    assert len(created(harness)) == 1
    harness.feed_status(EXCHANGE, "watchOrderBook", SYMBOL, "live")
    feed(harness)
    assert len(created(harness)) == 2


def record(order_id: str, side: str, status: str, filled: str, timestamp: int) -> OrderRecord:
    order = Order(
        id=order_id,
        symbol=SYMBOL,
        side=side,
        status=status,
        amount=Decimal(2),
        filled=Decimal(filled),
        timestamp=timestamp,
    )
    return OrderRecord(
        order=order, exchange=EXCHANGE, updated=1, order_source="PingPong", request_id=f"{timestamp:032x}"
    )


def test_an_earlier_life_is_taken_over() -> None:
    """Its open orders are cancelled before anything is placed, and what it had bought is sold."""
    harness = started((record("2", "buy", "open", "0.5", 3), record("1", "sell", "closed", "2", 2)))
    assert cancelled(harness) == ["2"]
    assert created(harness) == []
    harness.cancel((EXCHANGE, SYMBOL, "2"))
    assert created(harness) == [("sell", Decimal("10.01"), Decimal("0.5"))]


def test_an_answer_to_an_earlier_life_s_request_makes_no_second_order_rest() -> None:
    """An order that turns up from before is cancelled when it has rested long enough, as any other."""
    harness = started()
    ours = harness.accept(harness.requests[0])
    harness.runtime.order_found(record("9", "buy", "open", "0", 5))
    harness.advance(1_000)
    assert set(cancelled(harness)) == {ours.id, "9"}


def test_it_leaves_nothing_on_the_exchange() -> None:
    """Stopping cancels what is open."""
    harness = started()
    order = harness.accept(harness.requests[0])
    harness.stop()
    assert cancelled(harness) == [order.id]


def test_it_says_which_book_it_needs() -> None:
    """With several books, or none, its settings must name one; all wrong settings are reported."""
    books = [(EXCHANGE, SYMBOL), (EXCHANGE, "ETH/BTC")]
    with pytest.raises(ValueError, match="binance KCS/USDT, binance ETH/BTC"):
        StrategyHarness(PingPong, configuration={"amount": 1}, books=books)
    StrategyHarness(PingPong, configuration={"amount": 1, "symbol": "ETH/BTC"}, books=books)
    with pytest.raises(ConfigInvalid) as caught:
        StrategyHarness(PingPong, configuration={"amount": 0, "backoffMs": "x"}, books=books)
    assert {problem.path for problem in caught.value.problems} == {"$.amount", "$.backoffMs"}


@given(st.integers(1, 10**6), st.integers(1, 1000), st.integers(0, 8), st.sampled_from(["buy", "sell"]))
def test_the_middle_always_rests_inside(bid_ticks: int, spread_ticks: int, decimals: int, side: Any) -> None:
    """The price is a whole number of ticks, within the spread, and never reaches the other side."""
    tick = Decimal(1).scaleb(-decimals)
    bid, ask = bid_ticks * tick, (bid_ticks + spread_ticks) * tick
    behind = OrderBook()
    behind.replace([(float(bid), 1.0)], [(float(ask), 1.0)], None)
    book = LocalBook(ExchangeId(EXCHANGE), Symbol(SYMBOL))
    book.show(behind, None)
    price = middle(book, side, tick)
    assert price % tick == 0
    assert bid <= price < ask if side == "buy" else bid < price <= ask
    assert abs(price - (bid + ask) / 2) < tick
