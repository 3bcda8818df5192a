import asyncio
from decimal import Decimal

from millrace_core.orders import Order
from millrace_core.requests import (
    CancelAllOrders,
    CancelAllPayload,
    CancelOrder,
    CancelPayload,
    CreateOrder,
    CreatePayload,
    EditOrder,
    EditPayload,
)
from millrace_executor.intake.order_queue import OrderQueue, Turn


def create(symbol: str = "KCS/USDT") -> CreateOrder:
    return CreateOrder(
        exchange_id="binance",
        payload=CreatePayload(symbol=symbol, side="buy", type="market", amount_base=Decimal(1)),
    )


def cancel(order_id: str | None = None, client_order_id: str | None = None, *, symbol: str = "KCS/USDT") -> CancelOrder:
    payload = CancelPayload(symbol=symbol, order_id=order_id, client_order_id=client_order_id)
    return CancelOrder(exchange_id="binance", payload=payload)


def edit(order_id: str) -> EditOrder:
    payload = EditPayload(symbol="KCS/USDT", order_id=order_id, price=Decimal(1))
    return EditOrder(exchange_id="binance", payload=payload)


def cancel_all(symbol: str | None = None) -> CancelAllOrders:
    return CancelAllOrders(exchange_id="binance", payload=CancelAllPayload(symbol=symbol))


async def begins(turn: Turn) -> bool:
    """Tell whether a turn begins without anything else happening first."""
    waiting = asyncio.ensure_future(turn.begins())
    for _ in range(5):
        await asyncio.sleep(0)
    begun = waiting.done()
    waiting.cancel()
    return begun


async def test_orders_do_not_wait_for_each_other() -> None:
    """A slow order blocks no other of the same account and symbol."""
    queue = OrderQueue()
    assert await begins(queue.enter(create(), "a"))
    assert await begins(queue.enter(create(), "b"))
    assert await begins(queue.enter(cancel(order_id="7"), "c"))


async def test_what_concerns_one_order_waits_its_turn() -> None:
    """A cancel by our id waits for the order's creation, a second one for the first."""
    queue = OrderQueue()
    creation = queue.enter(create(), "a")
    first, second = (queue.enter(cancel(client_order_id="a"), each) for each in "bc")
    assert not await begins(first)
    creation.end()
    assert await begins(first)
    assert not await begins(second)
    first.end()
    assert await begins(second)


async def test_an_order_is_one_under_either_of_its_ids() -> None:
    """Once the answer to a creation shows both ids of an order, a request by either waits for one by the other."""
    queue = OrderQueue()
    creation = queue.enter(create(), "a")
    queue.answered(creation, Order(id="7"))
    creation.end()
    change = queue.enter(edit("7"), "b")
    by_our_id = queue.enter(cancel(client_order_id="a"), "c")
    assert not await begins(by_our_id)
    change.end()
    assert await begins(by_our_id)


async def test_giving_up_a_wait_lets_no_request_overtake() -> None:
    """When the second of three expires while the first goes on, the third still waits for the first."""
    queue = OrderQueue()
    creation = queue.enter(create(), "a")
    second = queue.enter(cancel(client_order_id="a"), "b")
    third = queue.enter(cancel(client_order_id="a"), "c")
    second.end()
    assert not await begins(third)
    creation.end()
    assert await begins(third)


async def test_to_cancel_all_waits_for_nothing_and_later_orders_wait_for_it() -> None:
    """It goes at once, whatever is under way; an order asked for after it is not swept away by it."""
    queue = OrderQueue()
    before = queue.enter(create(), "a")
    sweep = queue.enter(cancel_all("KCS/USDT"), "b")
    assert await begins(sweep)
    after, elsewhere = queue.enter(create(), "c"), queue.enter(create("ETH/BTC"), "d")
    assert not await begins(after)
    assert await begins(elsewhere)
    sweep.end()
    assert await begins(after)
    assert not before.is_over


async def test_a_cancel_all_knows_what_was_being_placed_when_it_came() -> None:
    """By symbol or all, without what has ended; what enters later is none of its business."""
    queue = OrderQueue()
    here, there, over = (queue.enter(create(each), each) for each in ("KCS/USDT", "ETH/BTC", "ETH/USDT"))
    over.end()
    sweeps = queue.enter(cancel_all("KCS/USDT"), "b"), queue.enter(cancel_all(), "c")
    queue.enter(create(), "d")
    assert [set(sweep.sweeps) for sweep in sweeps] == [{here}, {here, there}]


async def test_orders_of_one_number_in_two_symbols_are_two_orders() -> None:
    """Neither waits for the other, and the number finds our id of the order of its own symbol."""
    queue = OrderQueue()
    for symbol, ours in (("KCS/USDT", "a"), ("ETH/USDT", "b")):
        creation = queue.enter(create(symbol), ours)
        queue.answered(creation, Order(id="7", symbol=symbol))
        creation.end()
    by_our_id = queue.enter(cancel(client_order_id="a"), "c")
    assert await begins(by_our_id)
    assert not await begins(queue.enter(cancel(order_id="7"), "d"))
    assert await begins(queue.enter(cancel(order_id="7", symbol="ETH/USDT"), "e"))
