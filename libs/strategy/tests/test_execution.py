"""Orders that are worked for a strategy, against an exchange that fills in parts, refuses, and leaves outcomes open."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.market_terms import MarketTerms, refusals
from millrace_core.orders import Order, OrderRecord
from millrace_core.requests import CancelOrder, CreateOrder
from millrace_strategy import OrderEvent, Strategy, StrategyOrder
from millrace_strategy.execution import (
    CancelOwn,
    Iceberg,
    PeggedOrder,
    Quote,
    Twap,
    TwoSidedQuote,
    Vwap,
    WorkingOrder,
)
from millrace_strategy.testing import StrategyHarness

EXCHANGE, SYMBOL = "binance", "KCS/USDT"
MARKET = {"exchange": EXCHANGE, "symbol": SYMBOL}
SECOND_MS = 1_000
TERMS = MarketTerms(
    "KCS", "USDT", tick_size=Decimal("0.01"), amount_step=Decimal("0.1"), min_amount=Decimal("0.1"), min_cost=Decimal(5)
)
"""At the prices of these tests half a unit is the least that can be sent."""


class Venue:
    """A strategy without hooks of its own, and the exchange that answers it."""

    def __init__(self, terms: MarketTerms = TERMS) -> None:
        self.harness = StrategyHarness(Strategy, books=[(EXCHANGE, SYMBOL)], markets={(EXCHANGE, SYMBOL): terms})
        self.harness.start()
        self.book(9.98, 10.02)

    @property
    def strategy(self) -> Strategy:
        """The strategy."""
        found: Strategy = self.harness.strategy
        return found

    def book(self, bid: float, ask: float) -> None:
        """Set the book."""
        self.harness.feed_book(EXCHANGE, SYMBOL, bids=[(bid, 5.0), (bid - 1, 9.0)], asks=[(ask, 5.0), (ask + 1, 9.0)])

    @property
    def created(self) -> list[CreateOrder]:
        """Requests for orders."""
        return [request for request in self.harness.requests if isinstance(request, CreateOrder)]

    @property
    def terms(self) -> list[tuple[str, str, str]]:
        """Side, price and amount of each order that was asked for."""
        payloads = [each.payload for each in self.created]
        return [(each.side, str(each.price), str(each.amount_base)) for each in payloads]

    @property
    def unanswered(self) -> list[CreateOrder]:
        """Requests for orders whose outcome is open."""
        pending = {each.request_id for each in self.strategy.trader.pending}
        return [each for each in self.created if each.request_id in pending]

    @property
    def cancelled(self) -> list[str | None]:
        """Ids of the orders that were to be cancelled."""
        return [each.payload.order_id for each in self.harness.requests if isinstance(each, CancelOrder)]

    def accept(self) -> StrategyOrder:
        """Accept the newest order."""
        return self.harness.accept(self.unanswered[-1])

    def exposure(self) -> Decimal:
        """What all orders have filled and could still fill."""
        filled = sum((order.filled or Decimal(0) for order in self.strategy.orders), Decimal(0))
        opened = sum((order.remaining or Decimal(0) for order in self.strategy.orders.open), Decimal(0))
        return filled + opened + sum((each.payload.amount_base or Decimal(0) for each in self.unanswered), Decimal(0))


@pytest.fixture
def venue() -> Venue:
    return Venue()


def working(venue: Venue, **options: Any) -> WorkingOrder:
    return WorkingOrder(venue.strategy, **MARKET, side="buy", **options)


def test_an_order_is_moved_by_cancelling_it_first(venue: Venue) -> None:
    """The new one is placed when the old one has certainly ended, for what is left."""
    order = working(venue)
    order.set("9.9", 2)
    first = venue.accept()
    order.set("9.9", 2)
    order.set("9.8", 2)
    assert (venue.terms, venue.cancelled) == ([("buy", "9.9", "2")], [first.id])
    venue.harness.fill(first, "0.5")
    venue.harness.cancel(first)
    assert venue.terms[1:] == [("buy", "9.8", "1.5")]
    venue.harness.fill(venue.accept(), "1.5")
    assert (order.filled, order.is_idle) == (2, True)


def test_each_order_is_cancelled_at_once(venue: Venue) -> None:
    """However soon after the one before it."""
    order = working(venue)
    for price in ("9.9", "9.8", "9.7"):
        order.set(price, 2)
        for each in venue.strategy.orders.open:
            venue.harness.cancel(each)
        venue.accept()
    assert venue.cancelled == ["order-1", "order-2"]


@pytest.mark.parametrize("set_back_s", [0, 3_600])
def test_a_cancellation_that_came_to_nothing_is_repeated(
    venue: Venue, monkeypatch: pytest.MonkeyPatch, set_back_s: int
) -> None:
    """It is sent again while the order is still open, and not before 2 s."""
    order = working(venue)
    order.set("9.9", 2)
    first = venue.accept()
    order.clear()
    order.clear()
    for clock in (venue.strategy.clock, venue.strategy._timers):
        monkeypatch.setattr(clock, "_now_ns", lambda: venue.harness.host.now_ns() - set_back_s * 1_000_000_000)
    venue.harness.advance(1_999)
    assert venue.cancelled == [first.id]
    venue.harness.advance(1)
    assert venue.cancelled == [first.id] * 2


def test_a_rest_that_is_refused_again_and_again_is_left() -> None:
    """Where the exchange states no least size: after three refusals, until there is more to trade."""
    venue = Venue(MarketTerms("KCS", "USDT"))
    order = working(venue)
    order.set("9.9", 2)
    venue.harness.cancel(venue.harness.fill(venue.accept(), "1.7"))
    for pause_ms in (250, 250, 500, 1_000):
        venue.harness.advance(pause_ms)
        for request in venue.unanswered:
            venue.harness.reject(request, "BadRequest", "Filter failure: NOTIONAL")
    venue.harness.advance(100_000)
    order.set("9.8", "0.3")
    assert [amount for _, _, amount in venue.terms] == ["2", "0.3", "0.3", "0.3"]
    assert order.is_idle
    order.set("9.8", 1)
    assert venue.terms[4:] == [("buy", "9.8", "1.0")]


def test_a_refused_order_is_placed_again_after_growing_pauses(venue: Venue) -> None:
    """250, 500, 1,000 ms … after a refusal; an order that was accepted begins anew."""
    order = working(venue)
    order.set("9.9", 2)
    for number, pause_ms in enumerate((250, 500, 1_000), start=1):
        venue.harness.reject(venue.created[-1])
        venue.harness.advance(pause_ms - 1)
        assert len(venue.created) == number
        venue.harness.advance(1)
    venue.accept()
    assert (len(venue.created), order.refusals) == (4, 0)


def test_an_order_that_takes_is_tried_once(venue: Venue) -> None:
    """Its price is one of the moment; after a refusal there is a pause before it is idle."""
    order = working(venue, time_in_force="IOC")
    order.set("10.02", 2)
    venue.harness.cancel(venue.harness.fill(venue.accept(), "0.5"))
    assert order.is_idle
    order.set("10.02", 2)
    venue.harness.reject(venue.created[-1])
    assert not order.is_idle
    venue.harness.advance(250)
    assert (order.is_idle, len(venue.created)) == (True, 2)


def test_an_order_that_the_exchange_ends_is_placed_again(venue: Venue) -> None:
    """For what is left, and after a pause: it must not turn into a loop."""
    order = working(venue)
    order.set("9.9", 2)
    venue.harness.cancel(venue.harness.fill(venue.accept(), "0.5"))
    assert len(venue.created) == 1
    venue.harness.advance(250)
    assert venue.terms[1:] == [("buy", "9.9", "1.5")]
    assert not order.is_idle


def test_an_order_that_turns_up_after_its_request_was_refused_is_cancelled(venue: Venue) -> None:
    """It counts, and no second one rests for long."""
    order = working(venue)
    order.set("9.9", 2)
    venue.harness.answer(venue.created[0], "expired")
    late = Order(id="900", symbol=SYMBOL, side="buy", amount=Decimal(2), filled=Decimal("0.5"), status="open")
    venue.harness.runtime.order_found(
        OrderRecord(
            order=late, exchange=EXCHANGE, updated=1, order_source="Strategy", request_id=venue.created[0].request_id
        )
    )
    venue.harness.host.run()
    assert venue.cancelled == ["900"]
    venue.harness.advance(250)
    assert (order.filled, venue.terms[1:]) == (Decimal("0.5"), [("buy", "9.9", "1.5")])


def test_an_order_of_an_earlier_run_is_adopted(venue: Venue) -> None:
    """It is worked like any other; what it had filled before does not count."""
    venue.strategy.trader.create_order(**MARKET, side="buy", type="limit", amount=3, price="9.9")  # type: ignore[arg-type]
    earlier = venue.harness.fill(venue.accept(), 1)
    order = working(venue)
    order.adopt(earlier)
    assert (order.terms, order.remaining) == ((Decimal("9.9"), 2), 2)
    venue.harness.fill(earlier, 1)
    assert (order.filled, order.remaining) == (1, 1)
    order.set("9.8", 1)
    venue.harness.cancel(earlier)
    assert venue.terms[1:] == [("buy", "9.8", "1")]
    with pytest.raises(ValueError, match="adopted"):
        order.adopt(earlier)


@pytest.mark.parametrize("knows_order", [True, False])
def test_a_working_order_goes_on_after_a_restart(venue: Venue, knows_order: bool) -> None:
    """What was filled meanwhile counts once, and no second order is placed; one that is unknown is cancelled later."""
    order = working(venue)
    order.set("9.9", 3)
    placed = venue.harness.fill(venue.accept(), 1)
    saved = order.saved()
    assert saved is not None
    now = Order(
        id=placed.id,
        symbol=SYMBOL,
        side="buy",
        price=Decimal("9.9"),
        amount=Decimal(3),
        filled=Decimal(2),
        status="open",
    )
    record = OrderRecord(order=now, exchange=EXCHANGE, updated=1, order_source="Strategy", request_id=placed.request_id)
    again = StrategyHarness(Strategy, books=[(EXCHANGE, SYMBOL)])
    again.start([record] if knows_order else [])
    resumed = WorkingOrder(again.strategy, **MARKET, side="buy")  # type: ignore[arg-type]
    resumed.resume(saved)
    if knows_order:
        assert (resumed.filled, resumed.terms, again.requests) == (1, (Decimal("9.9"), 1), [])
        again.fill(placed.key, 1)
        assert (resumed.filled, resumed.is_idle) == (2, True)
    else:
        again.runtime.order_found(record)
        again.host.run()
        assert [type(each) for each in again.requests] == [CancelOrder]


def test_quotes_replace_only_what_moved(venue: Venue) -> None:
    """Less than the smallest move leaves an order where it is; a side that was filled is quoted anew."""
    quotes = TwoSidedQuote(venue.strategy, **MARKET, min_move="0.02")
    quotes.quote(Quote("9.90", 1), Quote("10.10", 1))
    bid, ask = (venue.harness.accept(each) for each in list(venue.unanswered))
    quotes.quote(Quote("9.91", 1), Quote("10.12", 1))
    assert venue.cancelled == [ask.id]
    venue.harness.cancel(ask)
    venue.harness.fill(bid, 1)
    assert venue.terms[2:] == [("sell", "10.12", "1")]
    quotes.quote(Quote("9.91", 1), None)
    assert venue.terms[3:] == [("buy", "9.91", "1")]
    assert [each.payload.post_only for each in venue.created] == [True] * 4


def test_a_pegged_order_follows_the_book_and_not_itself(venue: Venue) -> None:
    """One tick better than the best other bid; withdrawn while the book is not trusted."""
    pegged = PeggedOrder(venue.strategy, **MARKET, side="buy", amount=2, offset="0.01", limit=11)
    order = venue.accept()
    venue.harness.feed_book(EXCHANGE, SYMBOL, bids=[(9.99, 2.0), (9.98, 5.0)], asks=[(10.02, 5.0)])
    assert (venue.terms, venue.cancelled) == ([("buy", "9.99", "2")], [])
    venue.harness.feed_status(EXCHANGE, "watchOrderBook", SYMBOL, "stale")
    assert venue.cancelled == [order.id]
    venue.harness.cancel(order)
    venue.book(11.5, 11.6)
    venue.harness.feed_status(EXCHANGE, "watchOrderBook", SYMBOL, "live")
    assert venue.terms[1:] == [("buy", "11", "2")]
    pegged.cancel()
    assert not pegged.is_done


def test_twap_takes_equal_parts_and_makes_up_for_what_was_not_filled(venue: Venue) -> None:
    """Every part is an IOC order within the slippage; a part that filled in half is made up for by the next."""
    twap = Twap(venue.strategy, **MARKET, side="buy", amount=3, duration_ms=3_000, parts=3)
    venue.harness.cancel(venue.harness.fill(venue.accept(), "0.4"))
    venue.harness.advance(SECOND_MS)
    venue.harness.fill(venue.accept(), "1.6")
    venue.harness.advance(SECOND_MS)
    venue.harness.fill(venue.accept(), 1)
    assert venue.terms == [("buy", "10.03", "1"), ("buy", "10.03", "1.6"), ("buy", "10.03", "1.0")]
    assert {each.payload.time_in_force for each in venue.created} == {"IOC"}
    assert (twap.is_done, twap.remaining) == (True, 0)


def test_vwap_follows_its_profile_and_ends_with_what_is_left(venue: Venue) -> None:
    """Parts in proportion to the volume; no order at a price beyond the limit's; at the end it is done all the same."""
    vwap = Vwap(
        venue.strategy, **MARKET, side="sell", amount=10, duration_ms=3_000, profile=[1, 3, 1],
        limit="9.98",
    )  # fmt: skip
    for amount in (2, 6):
        venue.harness.fill(venue.accept(), amount)
        venue.harness.advance(SECOND_MS)
    venue.harness.cancel(venue.accept())
    venue.harness.advance(5 * SECOND_MS)
    assert venue.terms == [("sell", "9.98", "2"), ("sell", "9.98", "6"), ("sell", "9.98", "2")]
    assert (vwap.is_done, vwap.remaining) == (True, 2)
    with pytest.raises(ValueError, match="profile"):
        Vwap(venue.strategy, **MARKET, side="sell", amount=10, duration_ms=1, profile=[0])


def test_all_own_orders_are_cancelled_and_no_others(venue: Venue) -> None:
    """Those of the market that is named; an order whose request was on its way too; again what is still open."""
    trader = venue.strategy.trader
    for symbol in (SYMBOL, "ETH/USDT", SYMBOL):
        trader.create_order(exchange=EXCHANGE, symbol=symbol, side="buy", type="limit", amount=1, price=9)
    ours, _, late = venue.created
    first = venue.harness.accept(ours)
    venue.harness.accept(venue.created[1])
    cancelling = CancelOwn(venue.strategy, **MARKET)
    second = venue.harness.accept(late)
    assert venue.cancelled == [first.id, second.id]
    venue.harness.cancel(first)
    venue.harness.advance(2_000)
    assert venue.cancelled == [first.id, second.id, second.id]
    assert not cancelling.is_done
    venue.harness.cancel(second)
    assert cancelling.is_done
    assert venue.strategy.parts(OrderEvent) == ()


WORKED: dict[str, Callable[[Strategy], Any]] = {
    "iceberg": lambda strategy: Iceberg(strategy, **MARKET, side="buy", price="9.9", amount=10, visible=3),
    "twap": lambda strategy: Twap(
        strategy, **MARKET, side="buy", amount=10, duration_ms=4_000, parts=4
    ),
    "vwap": lambda strategy: Vwap(
        strategy, **MARKET, side="buy", amount=10, duration_ms=4_000, profile=[1, 2, 4, 0],
    ),
    "pegged": lambda strategy: PeggedOrder(strategy, **MARKET, side="buy", amount=10),
}  # fmt: skip
_steps = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 40)), max_size=40)


def _disturb(venue: Venue, kind: int, size: int) -> None:
    """Let the exchange or the market do one of seven things, if there is something to do it to."""
    unanswered, opened = venue.unanswered, list(venue.strategy.orders.open)
    if kind == 0 and unanswered:
        venue.harness.accept(unanswered[0])
    elif kind == 1 and unanswered:
        venue.harness.answer(unanswered[0], ("rejected", "failed", "expired")[size % 3])  # type: ignore[arg-type]
    elif kind == 2 and unanswered:
        venue.harness.answer(unanswered[0], "unknown")
    elif kind == 3 and opened:
        left = opened[0].remaining or Decimal(0)
        venue.harness.fill(opened[0], min(left, Decimal(size) / 10))
    elif kind == 4 and opened:
        venue.harness.cancel(opened[0])
    elif kind == 5:
        venue.harness.advance(size * 100)
    elif kind == 6:
        venue.book(9.9 + size / 100, 10.0 + size / 100)


@pytest.mark.parametrize("name", sorted(WORKED))
@given(steps=_steps)
def test_nothing_makes_a_second_order_or_trades_too_much(name: str, steps: list[tuple[int, int]]) -> None:
    """Whatever is filled in part, refused or left open: one order at a time, and never more than the amount.

    Nothing is sent that the market's rules refuse. Once the exchange answers everything, an order that waits is filled
    but for what is too small to be sent.
    """
    venue = Venue()
    worked = WORKED[name](venue.strategy)
    for kind, size in steps:
        _disturb(venue, kind, size)
        assert len(venue.strategy.orders.open) + len(venue.unanswered) <= 1
        assert venue.exposure() <= 10
        assert [refusals(TERMS, each.payload) for each in venue.created if refusals(TERMS, each.payload)] == []
    for _ in range(40):
        for kind, size in ((0, 1), (3, 40), (5, 400)):
            _disturb(venue, kind, size)
    assert worked.is_done
    assert venue.exposure() == 10 - worked.remaining
    if name in ("iceberg", "pegged"):
        assert worked.remaining < Decimal("0.6")


NAN = float("nan")
WRONG: dict[str, Callable[[Strategy], object]] = {
    "an iceberg of nothing": lambda s: Iceberg(s, **MARKET, side="buy", price=9.9, amount=NAN, visible=1),
    "an iceberg that shows all": lambda s: Iceberg(s, **MARKET, side="buy", price=9.9, amount=9, visible=0),
    "an iceberg of no price": lambda s: Iceberg(s, **MARKET, side="buy", price=NAN, amount=9, visible=1),
    "a negative TWAP": lambda s: Twap(s, **MARKET, side="buy", amount=-3, duration_ms=9, parts=3),
    "a TWAP without its limit": lambda s: Twap(s, **MARKET, side="buy", amount=3, duration_ms=9, parts=3, limit=NAN),
    "a TWAP at any price": lambda s: Twap(
        s, **MARKET, side="sell", amount=3, duration_ms=9, parts=3, slippage_bps=20_000
    ),
    "a TWAP of no time": lambda s: Twap(s, **MARKET, side="buy", amount=3, duration_ms=NAN, parts=3),  # type: ignore[arg-type]
    "a VWAP of no volume": lambda s: Vwap(s, **MARKET, side="buy", amount=3, duration_ms=9, profile=[NAN, 1]),
    "a peg without its limit": lambda s: PeggedOrder(s, **MARKET, side="buy", amount=3, limit=NAN),
    "a peg without its offset": lambda s: PeggedOrder(s, **MARKET, side="buy", amount=3, offset=NAN),
    "a peg to nothing": lambda s: PeggedOrder(s, **MARKET, side="buy", amount=3, peg="middle"),  # type: ignore[arg-type]
    "an invalid side": lambda s: PeggedOrder(s, **MARKET, side="BUY", amount=3),  # type: ignore[arg-type]
    "quotes that never move": lambda s: TwoSidedQuote(s, **MARKET, min_move=NAN),
    "a pause of no time": lambda s: WorkingOrder(s, **MARKET, side="buy", pause_ms=NAN),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_cannot_be_meant_is_refused_when_it_is_made(wrong: Callable[[Strategy], object]) -> None:
    """NaN does not mean that there is no limit, nor that nothing is left to do; nothing is attached to the strategy."""
    venue = Venue()
    with pytest.raises(ValueError, match=r"must|no price|finite"):
        wrong(venue.strategy)
    assert (venue.created, venue.strategy.has_parts) == ([], False)
