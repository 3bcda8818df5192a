import asyncio
from decimal import Decimal
from typing import Any

import pytest

from millrace_core.errors import MalformedRequest
from millrace_core.ids import is_request_id
from millrace_core.messages import encode
from millrace_core.orders import Order
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, EditOrder, parse_request
from millrace_core.trace import Trace
from millrace_strategy import AnswerOverdue, BookEvent, ResponseEvent, StartEvent, Strategy, StrategyStopped
from millrace_strategy.testing import StrategyHarness
from millrace_strategy.virtual_host import START_MS

EXCHANGE, SYMBOL = "binance", "KCS/USDT"


def started(strategy: type[Strategy] = Strategy) -> StrategyHarness:
    harness = StrategyHarness(strategy, books=[(EXCHANGE, SYMBOL)], name="James")
    harness.start()
    return harness


def buy(harness: StrategyHarness, **options: object):  # type: ignore[no-untyped-def]
    return harness.strategy.trader.create_order(
        exchange=EXCHANGE, symbol=SYMBOL, side="buy", type="limit", amount="1", price=10.1, **options
    )


def test_every_request_is_one_that_an_executor_accepts() -> None:
    """All four go out at once, name their source, carry an id of their own, and parse as the protocol says."""
    harness = started()
    trader = harness.strategy.trader
    buy(harness, post_only=True, params={"a": 1})
    trader.cancel_order((EXCHANGE, SYMBOL, "7"))
    trader.edit_order((EXCHANGE, SYMBOL, "7"), price=Decimal("9.9"))
    trader.cancel_all_orders(exchange=EXCHANGE, symbol=SYMBOL)
    parsed = [parse_request(encode(request)) for request in harness.requests]
    assert [type(request) for request in parsed] == [CreateOrder, CancelOrder, EditOrder, CancelAllOrders]
    assert all(is_request_id(request.request_id or "") for request in parsed)
    assert len({request.request_id for request in parsed}) == 4
    assert all(getattr(request.payload, "order_source", None) == "James" for request in parsed)
    assert all(request.requested_at == START_MS for request in parsed)


def test_a_float_means_the_digits_that_it_prints() -> None:
    """10.1 is ten and a tenth, not its binary neighbour."""
    harness = started()
    buy(harness)
    request = harness.requests[0]
    assert isinstance(request, CreateOrder)
    assert (request.payload.price, request.payload.amount_base) == (Decimal("10.1"), Decimal(1))


def test_a_request_carries_the_trace_of_the_event_that_caused_it() -> None:
    """The hops of the book's message are on the request, and the moment of the decision."""

    class Buying(Strategy):
        def on_order_book(self, event: BookEvent) -> None:
            self.trader.create_order(exchange=EXCHANGE, symbol=SYMBOL, side="buy", type="market", cost=5)

    harness = started(Buying)
    trace = Trace(exchange=1, received=2, published=3, delivered=4)
    harness.feed_book(EXCHANGE, SYMBOL, bids=[(1.0, 1.0)], asks=[(2.0, 1.0)], trace=trace)
    assert harness.requests[0].trace == trace.at(decided=START_MS * 1_000_000)


def test_what_an_answer_causes_does_not_carry_the_answered_request_s_way() -> None:
    """A request made on an answer starts a trace of its own."""

    class Again(Strategy):
        def on_response(self, event: ResponseEvent) -> None:
            self.trader.create_order(exchange=EXCHANGE, symbol=SYMBOL, side="buy", type="market", cost=5)

    harness = started(Again)
    buy(harness)
    harness.reject(harness.requests[0])
    assert harness.requests[1].trace == Trace(decided=START_MS * 1_000_000)


async def test_awaiting_returns_the_final_answer_and_the_provisional_one_is_there_too() -> None:
    """`unknown` wakes `first` alone; the order's answer settles it."""
    harness = started()
    pending = buy(harness)
    first, final = asyncio.create_task(pending.first()), asyncio.ensure_future(pending.final())
    await asyncio.sleep(0)
    harness.answer(pending.request, "unknown")
    assert (await first).status == "unknown"
    assert pending.is_unknown
    assert harness.strategy.trader.pending == [pending]
    order = Order(id="1", status="open")
    harness.answer(pending.request, "done", order=order)
    assert (await final).order == order
    assert (await pending).status == "done"
    assert harness.strategy.trader.pending == []


async def test_a_final_answer_is_never_taken_back() -> None:
    """A late `unknown` does not make a settled request pending again."""
    harness = started()
    pending = buy(harness)
    harness.reject(pending.request)
    harness.answer(pending.request, "unknown")
    assert pending.is_final
    assert (await pending).status == "rejected"


async def test_waiting_ends_with_the_strategy() -> None:
    """Waiting for an answer raises, and nothing is sent any more."""
    harness = started()
    waiting = asyncio.ensure_future(buy(harness).final())
    await asyncio.sleep(0)
    harness.stop()
    with pytest.raises(StrategyStopped):
        await waiting
    with pytest.raises(StrategyStopped):
        buy(harness)
    assert len(harness.requests) == 1


@pytest.mark.parametrize(("wait", "limit_ms"), [({}, 30_000), ({"within_ms": 100}, 100)])
async def test_no_answer_is_waited_for_without_end(wait: dict[str, float], limit_ms: int) -> None:
    """After 30 s, or as long as asked for, waiting raises what is known; the answer still counts when it comes."""
    harness = started()
    pending = buy(harness)
    first, final = (asyncio.ensure_future(each(**wait)) for each in (pending.first, pending.final))
    await asyncio.sleep(0)
    harness.advance(limit_ms - 1)
    harness.answer(pending.request, "unknown")
    assert (await first).status == "unknown"
    assert not final.done()
    harness.advance(1)
    with pytest.raises(AnswerOverdue, match="the executor does not know its outcome yet; it may have been carried out"):
        await final
    harness.accept(pending.request)
    assert (await pending).status == "done"


async def test_an_answer_that_no_executor_gives_is_overdue() -> None:
    """The error says that nobody acknowledged the request, and is a `TimeoutError` too."""
    harness = started()
    waiting = asyncio.ensure_future(buy(harness).first())
    await asyncio.sleep(0)
    harness.advance(30_000)
    with pytest.raises(TimeoutError, match="after 30 s: no executor has acknowledged it"):
        await waiting


def test_requests_are_the_same_in_every_run_of_a_test() -> None:
    """Ids, times and traces included: a test may compare whole requests."""

    class Busy(Strategy):
        def on_start(self, event: StartEvent) -> None:
            self.every(100, lambda: self._again())

        def _again(self) -> None:
            buy(harness)

        def on_order_book(self, event: BookEvent) -> None:
            self.trader.cancel_order((EXCHANGE, SYMBOL, "7"))

    runs = []
    for _ in range(2):
        harness = started(Busy)
        harness.feed_book(EXCHANGE, SYMBOL, bids=[(1.0, 1.0)], asks=[(2.0, 1.0)])
        harness.advance(1_000)
        runs.append(list(harness.requests))
    assert runs[0] == runs[1]
    assert len({request.request_id for request in runs[0]}) == 11
    assert all(is_request_id(request.request_id or "") for request in runs[0])


async def test_a_hook_may_wait_for_its_answer() -> None:
    """While it waits the answer arrives, and its orders are up to date when it goes on."""

    class Waiting(Strategy):
        async def on_order_book(self, event: BookEvent) -> None:
            response = await self.trader.create_order(
                exchange=EXCHANGE, symbol=SYMBOL, side="buy", type="limit", amount=1, price=1
            )
            self.seen = (response.status, [order.id for order in self.orders.open])

    harness = started(Waiting)
    harness.feed_book(EXCHANGE, SYMBOL, bids=[(1.0, 1.0)], asks=[(2.0, 1.0)])
    await harness.run_hooks()
    order = harness.accept(harness.requests[0])
    await harness.run_hooks()
    assert harness.strategy.seen == ("done", [order.id])


@pytest.mark.parametrize("number", [float("nan"), float("inf"), Decimal("NaN"), "much"])
def test_a_number_that_is_not_finite_is_refused_at_once(number: Any) -> None:
    """Its JSON would be unreadable, and the strategy would wait for an answer that never comes."""
    harness = started()
    trader = harness.strategy.trader
    with pytest.raises(ValueError, match="amount"):
        trader.create_order(exchange=EXCHANGE, symbol=SYMBOL, side="buy", type="market", amount=number)
    with pytest.raises(ValueError, match="price"):
        trader.edit_order((EXCHANGE, SYMBOL, "1"), amount=1, price=number)
    assert harness.requests == []


def test_what_no_message_can_carry_is_raised_at_once_and_is_not_pending() -> None:
    """Live a request may wait for its stream: an error would come when the strategy no longer sees it."""
    harness = started()
    for wrong in ({"params": {"a": object()}}, {"valid_for_ms": float("nan")}, {"valid_for_ms": "5"}):
        with pytest.raises(TypeError):
            buy(harness, **wrong)
    assert (harness.requests, harness.strategy.trader.pending) == ([], [])


def test_the_harness_does_nothing_that_no_exchange_does() -> None:
    """What every executor refuses is not accepted, and no order is filled beyond its amount."""
    harness = started()
    harness.strategy.trader.create_order(exchange=EXCHANGE, symbol=SYMBOL, side="BUY", type="limit", amount=1, price=-1)
    with pytest.raises(MalformedRequest, match=r"\$\.payload\.side"):
        harness.accept(harness.requests[-1])
    harness.reject(harness.requests[-1])
    buy(harness)
    order = harness.accept(harness.requests[-1])
    for amount in ("1.01", "-1", float("nan")):
        with pytest.raises(ValueError, match="cannot be filled"):
            harness.fill(order, amount)
