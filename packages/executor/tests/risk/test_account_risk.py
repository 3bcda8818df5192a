"""Limits in a running executor, against the simulator's account and a book on Redis."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from millrace_core.book import OrderBook
from millrace_core.clock import now_ms
from millrace_core.ids import MessageId, new_request_id
from millrace_core.market import BookSnapshot
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol
from millrace_core.requests import CreateOrder, CreatePayload, EditOrder, EditPayload
from millrace_executor.answering.intent_ledger import IntentLedger
from millrace_executor.answering.intents import Intent

KCS = Symbol("KCS/USDT")
BOOK = StreamName(PUBLIC, ExchangeId("binance"), Action("watchOrderBook"), KCS)


def order(**terms: Any) -> CreateOrder:
    """A limit order that stays open."""
    payload = {
        "symbol": KCS,
        "side": "buy",
        "type": "limit",
        "amount_base": Decimal(1),
        "price": Decimal("8.5"),
    } | terms
    if payload["type"] == "market":
        del payload["price"]
    return CreateOrder(exchange_id="binance", valid_for=20_000, payload=CreatePayload(**payload))


async def start(platform: Any, **risk: Any) -> None:
    await platform.bus.put_config("EXECUTOR", platform.config(risk=risk))
    await platform.start()


async def ask(platform: Any, request: Any, number: int, action: str = "createOrder") -> Any:
    """Send a request; return the n-th answer on its stream."""
    answers = await platform.answers(action)
    await platform.bus.requests.send("StrankaXY", request)
    return (await answers.number(number)).response


def snapshot(price: float) -> Any:
    book = OrderBook()
    book.replace([(price - 0.01, 1000.0)], [(price + 0.01, 1000.0)], None)

    def take(at: MessageId) -> Any:
        return BookSnapshot(book.bids.levels(), book.asks.levels(), str(at), book.checksum())

    return take


async def test_a_market_order_is_measured_by_the_book_that_a_gatherer_publishes(platform: Any) -> None:
    """Without a book it is refused, whatever price its sender names; with one, its worth decides."""
    await start(platform, maxOrderNotional=1000)
    payload = msgspec.structs.replace(order(type="market", amount_base=Decimal(90)).payload, price=Decimal(1))
    large = CreateOrder(exchange_id="binance", payload=payload)
    refused = await ask(platform, large, 1)
    assert refused.error.kind == "RiskRefused"
    assert "let a gatherer watch it" in refused.error.message
    writer = platform.bus.writer(BOOK, snapshot(12.0))
    await writer.open()
    assert "notional is 1080.9" in (await ask(platform, large, 2)).error.message
    assert (await ask(platform, order(type="market", amount_base=Decimal(80)), 3)).status == "done"
    await writer.close("the test is over")


async def test_a_clock_that_is_set_changes_nothing_of_limits(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set back, an order is not the duplicate of one that is to come; set ahead, the book has not grown old."""
    await start(platform, duplicateWindowMs=1, maxBookAgeMs=20_000)
    writer = platform.bus.writer(BOOK, snapshot(12.0))
    await writer.open()
    assert (await ask(platform, order(), 1)).status == "done"
    wall = time.time_ns
    for number, ahead_s in enumerate((-50, 50), start=2):
        monkeypatch.setattr(time, "time_ns", lambda ahead_s=ahead_s: wall() + ahead_s * 1_000_000_000)
        answer = await ask(platform, order(), number)
        assert answer.status == "done", answer.error
    monkeypatch.undo()
    await writer.close("the test is over")


async def test_a_book_of_which_nobody_vouches_is_not_believed(platform: Any) -> None:
    """While its writer says that the stream is stale, orders that need it are refused."""
    writer = platform.bus.writer(BOOK, snapshot(8.5))
    await writer.open("stale", "the exchange does not answer")
    await start(platform, priceCollarPercent=5)
    assert "no live book" in (await ask(platform, order(), 1)).error.message
    writer.status("live")
    number = 2
    while (await ask(platform, order(), number)).status != "done":
        # Nothing tells when the executor has heard it.
        number += 1
    assert "priceCollarPercent is 5" in (await ask(platform, order(price=Decimal(8)), number + 1)).error.message
    await writer.close("the test is over")


async def test_open_orders_are_counted_and_a_canceled_one_makes_room(platform: Any) -> None:
    """Those from before the start count too; an edit adds none."""
    await start(platform)
    first = await ask(platform, order(), 1)
    await platform.stop()
    await start(platform, maxOpenOrders=2)
    assert (await ask(platform, order(), 2)).status == "done"
    refused = await ask(platform, order(), 3)
    assert refused.error.message.startswith("maxOpenOrders is 2, and 2 orders are open")
    changed = EditPayload(symbol=KCS, order_id=first.order.id, price=Decimal("8.4"), amount_base=Decimal(2))
    edited = await ask(platform, EditOrder(exchange_id="binance", payload=changed), 1, "editOrder")
    assert edited.status == "done"
    cancel = {"action": "cancelOrder", "exchangeId": "binance"}
    await platform.publish(cancel | {"payload": {"symbol": KCS, "orderID": edited.order.id}})
    canceled = await (await platform.answers("cancelOrder")).number(1)
    assert canceled.response.status == "done"
    assert (await ask(platform, order(), 4)).status == "done"
    assert (await ask(platform, order(), 5)).error.kind == "RiskRefused"


async def cancel(platform: Any, request_id: str) -> None:
    """Cancel an order by our id."""
    payload = {"symbol": KCS, "clientOrderId": request_id}
    await platform.publish({"action": "cancelOrder", "exchangeId": "binance", "payload": payload})
    answers = await platform.answers("cancelOrder")
    assert (await answers.number(1)).response.status == "done"


async def test_an_order_may_follow_the_answer_that_makes_room_for_it(platform: Any, monkeypatch: Any) -> None:
    """However long the executor still works on the request that was answered."""
    await start(platform, maxOpenOrders=1)
    first = await ask(platform, order(), 1)
    settle, goes_on = IntentLedger.update, asyncio.Event()

    async def held(self: IntentLedger, intent: Intent) -> None:
        if intent.stream.action == "cancelOrder":
            await goes_on.wait()
        await settle(self, intent)

    monkeypatch.setattr(IntentLedger, "update", held)
    await cancel(platform, first.request_id)
    assert (await ask(platform, order(), 2)).status == "done"
    goes_on.set()


async def test_a_copy_counts_nothing(platform: Any) -> None:
    """Once the order is canceled there is room for as many as before, however often its request was sent."""
    await start(platform, maxOpenOrders=2)
    request = msgspec.structs.replace(order(), request_id=new_request_id(), requested_at=now_ms())
    answers = await platform.answers()
    for _ in range(3):
        platform.bus.requests.publish("StrankaXY", request)
    assert (await answers.number(1)).response.status == "done"
    await cancel(platform, request.request_id)
    assert [(await ask(platform, order(), number)).status for number in (2, 3)] == ["done", "done"]


async def test_an_order_whose_handling_failed_counts_until_its_end(platform: Any, break_after_sending: Any) -> None:
    """It was found on the exchange; once it is canceled there is room for another."""
    break_after_sending()
    await start(platform, maxOpenOrders=1)
    first = await ask(platform, order(), 2)
    assert first.status == "done"
    await cancel(platform, first.request_id)
    assert (await ask(platform, order(), 3)).status == "done"


async def edit(platform: Any, number: int, **terms: Any) -> Any:
    """Have Ann edit an order; return the n-th answer to an edit."""
    payload = EditPayload(symbol=KCS, order_source="Ann", **terms)
    return await ask(platform, EditOrder(exchange_id="binance", valid_for=20_000, payload=payload), number, "editOrder")


async def test_an_edit_by_another_leaves_an_order_to_its_source(platform: Any) -> None:
    """It stays an open order of James, after a restart too, and his limits bind what it becomes."""
    limits = {"sources": {"James": {"maxOpenOrders": 1, "maxOrderNotional": 50}}}
    await start(platform, **limits)
    first = await ask(platform, order(order_source="James"), 1)
    edited = await edit(platform, 1, client_order_id=first.request_id, price=Decimal("8.4"))
    assert edited.order.id != first.order.id
    record = await platform.bus.orders.get("StrankaXY", edited.order.id, exchange="binance", symbol=KCS)
    assert (record.order_source, record.request_id) == ("James", edited.request_id)
    refused = await edit(platform, 2, order_id=edited.order.id, amount_base=Decimal(100))
    assert refused.error.message.startswith("sources.James.maxOrderNotional is 50")
    for number in (2, 3):
        refused = await ask(platform, order(order_source="James"), number)
        assert refused.error.message.startswith("sources.James.maxOpenOrders is 1, and 1 orders are open")
        await platform.stop()
        await start(platform, **limits)
    assert (await ask(platform, order(order_source="Ann"), 4)).status == "done"


async def test_a_position_counts_what_is_held_and_what_open_orders_would_add(platform: Any) -> None:
    """The room is told; a sale is not held back by the limit on what it sells, but by that on what it brings."""
    venue = platform.simulator.venue
    (held,) = (each.free for each in venue.account_by_key("demo-key").balances if each.asset == "KCS")
    await start(platform, maxPosition={"KCS": str(held + 10)})
    assert (await ask(platform, order(amount_base=Decimal(6)), 1)).status == "done"
    refused = await ask(platform, order(amount_base=Decimal(5)), 2)
    assert f"maxPosition.KCS is {held + 10:f}" in refused.error.message
    assert "an order that adds 4 would pass" in refused.error.message
    assert (await ask(platform, order(amount_base=Decimal(4)), 3)).status == "done"
    assert (await ask(platform, order(side="sell", price=Decimal(12), amount_base=Decimal(50)), 4)).status == "done"


async def test_a_position_limits_one_source_alone(platform: Any) -> None:
    """Its orders are refused by what the account could come to hold; another source's are not."""
    venue = platform.simulator.venue
    (held,) = (each.free for each in venue.account_by_key("demo-key").balances if each.asset == "KCS")
    await start(platform, sources={"James": {"maxPosition": {"KCS": str(held + 5)}}})
    assert (await ask(platform, order(amount_base=Decimal(4), order_source="Ann"), 1)).status == "done"
    refused = await ask(platform, order(amount_base=Decimal(2), order_source="James"), 2)
    assert f"sources.James.maxPosition.KCS is {held + 5:f}" in refused.error.message
    assert (await ask(platform, order(amount_base=Decimal(2), order_source="Ann"), 3)).status == "done"


async def test_limits_that_cannot_be_checked_refuse(platform: Any) -> None:
    """If the exchange does not tell what is open, nothing new is sent."""
    await start(platform, maxOpenOrders=5)
    platform.proxy.refuse()
    refused = await ask(platform, order(), 1)
    assert refused.error.kind == "RiskRefused"
    assert "cannot be checked" in refused.error.message
    assert platform.orders() == []
