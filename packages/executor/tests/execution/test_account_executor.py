"""What becomes of requests, seen from outside: in Redis and at the exchange."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from millrace_core.clock import now_ms, now_ns
from millrace_core.ids import new_request_id
from millrace_core.names import ExchangeId, Symbol, Tenant, order_key
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
from millrace_core.trace import Trace

TENANT = Tenant("StrankaXY")
KCS = Symbol("KCS/USDT")
BY_HAND = (
    '{"action":"createOrder","exchangeId":"binance","payload":{"symbol":"KCS/USDT","side":"buy",'
    '"type":"market","amountBase":1,"price":25,"orderSource":"James"}}'
)


def create(**changes: Any) -> CreateOrder:
    """A limit order that stays open, from the strategy PingPong."""
    terms = {
        "symbol": "KCS/USDT",
        "side": "buy",
        "type": "limit",
        "amount_base": Decimal(1),
        "price": Decimal("8.5"),
        "order_source": "PingPong",
    } | changes.pop("terms", {})
    return CreateOrder(exchange_id="binance", payload=CreatePayload(**terms), **changes)


def cancel(**payload: Any) -> CancelOrder:
    """A request to cancel an order of KCS/USDT."""
    return CancelOrder(exchange_id="binance", payload=CancelPayload(symbol="KCS/USDT", **payload))


async def test_what_a_person_types_buys_and_says_for_whom(platform: Any) -> None:
    """A hand-typed request buys 1 KCS; the answer, the order's hash and the exchange agree, and it says James."""
    await platform.start()
    answers = await platform.answers()
    assert await platform.publish(BY_HAND) == 1
    answer = await answers.number(1)
    assert answer.response.status == "done"
    assert answer.response.order_source == "James"
    (order,) = platform.orders()
    assert (order.filled, order.client_order_id) == (Decimal(1), answer.response.request_id)
    record = await platform.bus.orders.get(TENANT, answer.response.order.id)
    assert record is not None
    assert (record.order_source, record.request_id, record.exchange) == ("James", answer.response.request_id, "binance")
    assert record.order.filled == Decimal(1)


async def test_the_answer_shows_the_whole_way(platform: Any) -> None:
    """The trace of the request comes back as it was, with accepted, sent and acknowledged, in this order."""
    await platform.start()
    answers = await platform.answers()
    decided = now_ns()
    await platform.bus.requests.send(TENANT, create(trace=Trace(published=1, delivered=2, decided=decided)))
    trace = (await answers.number(1)).trace
    assert (trace.published, trace.delivered, trace.decided) == (1, 2, decided)
    assert decided <= trace.accepted <= trace.sent <= trace.acknowledged


async def test_an_answer_comes_after_the_hash_and_before_the_entry_is_done(platform: Any) -> None:
    """A reader of an answer finds the order; an entry is acknowledged once everything is in Redis."""
    await platform.start()
    answers = await platform.answers()
    await platform.bus.requests.send(TENANT, create())
    answer = await answers.number(1)
    assert await platform.bus.orders.open_ids(TENANT, ExchangeId("binance"), KCS) == {answer.response.order.id}
    await platform.stop()
    pending = await platform.command(b"XPENDING", b"StrankaXY.traderActions", b"executor")
    assert pending == b"*4"


async def test_the_same_request_makes_one_order_and_one_answer(platform: Any) -> None:
    """Twice at once, later, by hand and after a restart: one order, one answer."""
    await platform.start()
    answers = await platform.answers()
    request = create(request_id=new_request_id(), requested_at=now_ms(), valid_for=60_000)
    await asyncio.gather(*(platform.bus.requests.send(TENANT, request) for _ in range(3)))
    await answers.number(1)
    await platform.bus.requests.send(TENANT, request)
    by_hand = {"action": "createOrder", "exchangeId": "binance", "requestId": request.request_id}
    terms = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": 8.5}
    await platform.publish(by_hand | {"payload": terms})
    await platform.stop()
    await platform.start()
    await platform.bus.requests.send(TENANT, request)
    # What is asked for afterwards is answered next: nothing was answered, or bought, in between.
    await platform.bus.requests.send(TENANT, create(terms={"order_source": "the last"}))
    assert (await answers.number(2)).response.order_source == "the last"
    assert len(platform.orders()) == 2


async def test_requests_sent_while_it_was_down_are_answered(platform: Any) -> None:
    """Of two requests in the journal the valid one is carried out, and the one too old is answered `expired`."""
    await platform.start()
    await platform.stop()
    await platform.bus.requests.send(TENANT, create(requested_at=now_ms() - 10_000, terms={"order_source": "late"}))
    await platform.bus.requests.send(TENANT, create(valid_for=60_000, terms={"order_source": "in time"}))
    answers = await platform.answers()
    # Which markets there are was not known yet when the late one was answered, or just.
    unlisted = await platform.answers(symbol=None)
    await platform.start()
    async with asyncio.timeout(20):
        while len(answers.all) + len(unlisted.all) < 2:
            await asyncio.sleep(0.01)
    statuses = {each.response.order_source: each.response.status for each in (*answers.all, *unlisted.all)}
    assert statuses == {"late": "expired", "in time": "done"}
    assert len(platform.orders()) == 1


async def test_an_order_is_canceled_by_either_id(platform: Any) -> None:
    """The exchange's id and ours both name an order; a cancel leaves its order source."""
    await platform.start()
    answers, cancels = await platform.answers(), await platform.answers("cancelOrder")
    first = await platform.bus.requests.send(TENANT, create())
    second = await platform.bus.requests.send(TENANT, create())
    await answers.number(2)
    ids = {each.response.request_id: each.response.order.id for each in answers.all}
    await platform.bus.requests.send(TENANT, cancel(order_id=ids[first], order_source="Ann"))
    await platform.bus.requests.send(TENANT, cancel(client_order_id=second))
    assert await cancels.statuses(2) == ["done", "done"]
    assert {order.status for order in platform.orders()} == {"CANCELED"}
    record = await platform.bus.orders.get(TENANT, ids[first])
    assert (record.order.status, record.order_source) == ("canceled", "PingPong")


async def test_a_cancel_right_behind_its_order_finds_it(platform: Any) -> None:
    """Requests that concern the same order keep their order, though both were sent at once."""
    await platform.start()
    answers, cancels = await platform.answers(), await platform.answers("cancelOrder")
    request = create(request_id=new_request_id())
    platform.bus.requests.publish(TENANT, request)
    platform.bus.requests.publish(TENANT, cancel(client_order_id=request.request_id))
    assert (await answers.number(1)).response.status == "done"
    assert (await cancels.number(1)).response.status == "done"


async def test_an_order_that_is_not_there_cannot_be_canceled(platform: Any) -> None:
    """The exchange's own refusal is answered as a rejection, with its kind."""
    await platform.start()
    cancels = await platform.answers("cancelOrder")
    await platform.bus.requests.send(TENANT, cancel(order_id="999999"))
    answer = await cancels.number(1)
    assert (answer.response.status, answer.response.error.kind) == ("rejected", "OrderNotFound")


async def test_an_edited_order_has_its_new_terms_and_its_owner(platform: Any) -> None:
    """After an edit one order is open, with the new price, and still of the strategy that placed it."""
    await platform.start()
    answers, edits = await platform.answers(), await platform.answers("editOrder")
    await platform.bus.requests.send(TENANT, create())
    order_id = (await answers.number(1)).response.order.id
    terms = EditPayload(symbol="KCS/USDT", order_id=order_id, amount_base=Decimal(2), price=Decimal("8.4"))
    await platform.bus.requests.send(TENANT, EditOrder(exchange_id="binance", payload=terms))
    edited = (await edits.number(1)).response
    assert edited.status == "done", edited.error
    (still_open,) = [order for order in platform.orders() if order.status == "NEW"]
    assert (still_open.price, still_open.quantity) == (Decimal("8.4"), Decimal(2))
    record = await platform.bus.orders.get(TENANT, edited.order.id)
    assert record.order_source == "PingPong"


async def test_another_request_under_an_id_that_was_used_is_reported(platform: Any) -> None:
    """It is taken for a copy, which has no answer: the heartbeat says that the cancel was not carried out."""
    await platform.start()
    answers, used = await platform.answers(), new_request_id()
    await platform.bus.requests.send(TENANT, msgspec.structs.replace(create(), request_id=used))
    placed = (await answers.number(1)).response.order
    cancel = CancelPayload(symbol="KCS/USDT", order_id=placed.id)
    request = CancelOrder(exchange_id="binance", request_id=used, payload=cancel)
    await platform.bus.requests.send(TENANT, request)
    text = f"the request id {used} was used before, for another request: cancelOrder of KCS/USDT"
    await platform.heartbeat_where(lambda beat: any(text in error.message for error in beat.last_errors))
    assert [order.status for order in platform.orders()] == ["NEW"]


async def test_a_request_under_an_id_of_another_account_is_answered_as_that(platform: Any) -> None:
    """One request id makes one order in a tenant, also when both come at once and when they come again."""
    account = {"apiKey": "demo-key", "secret": "demo-secret", "urls": {"base": platform.address}}
    await platform.bus.put_config("EXECUTOR", platform.config(binanceus=account))
    await platform.start()
    await platform.unit_is("StrankaXY.binanceus", "live")
    used = new_request_id()
    here = msgspec.structs.replace(create(), request_id=used)
    there = msgspec.structs.replace(here, exchange_id="binanceus")
    seen = [await platform.answers(), await platform.answers(exchange=ExchangeId("binanceus"))]
    for _ in range(2):
        await asyncio.gather(*(platform.bus.requests.send(TENANT, each) for each in (here, there)))
    first = [(await each.number(1)).response for each in seen]
    assert sorted(each.status for each in first) == ["done", "rejected"]
    (refused,) = [each.error for each in first if each.error is not None]
    assert refused.kind == "BadRequest"
    assert "requestId was used before, for createOrder on binance" in refused.message
    await platform.heartbeat_where(lambda beat: sum(unit.counters.get("duplicates", 0) for unit in beat.units) == 2)
    assert [len(each.all) for each in seen] == [1, 1]
    assert len(platform.orders()) == 1


async def test_all_orders_are_canceled_at_once(platform: Any) -> None:
    """Every open order is canceled, also one that was only being placed; the answer names them."""
    await platform.start()
    answers, sweeps = await platform.answers(), await platform.answers("cancelAllOrders")
    for _ in range(2):
        await platform.bus.requests.send(TENANT, create())
    await answers.number(2)
    platform.bus.requests.publish(TENANT, create())
    platform.bus.requests.publish(
        TENANT, CancelAllOrders(exchange_id="binance", payload=CancelAllPayload(symbol="KCS/USDT"))
    )
    sweep = (await sweeps.number(1)).response
    assert sweep.status == "done", sweep.error
    assert len(sweep.orders) == 3
    assert {order.status for order in platform.orders()} == {"CANCELED"}


@pytest.mark.parametrize(
    ("terms", "kind", "words"),
    [
        ({"amount_base": Decimal("1.005")}, "InvalidOrder", "the lot of KCS/USDT is 0.01"),
        ({"price": Decimal("8.50001")}, "InvalidOrder", "the tick of KCS/USDT is 0.001"),
        ({"amount_base": Decimal(1000)}, "RiskRefused", "maxOrderNotional is 1000"),
        ({"symbol": "ETH/USDT"}, "RiskRefused", "symbols allows KCS/USDT"),
    ],
)
async def test_an_order_beyond_a_limit_is_not_sent(platform: Any, terms: dict[str, Any], kind: str, words: str) -> None:
    """An order that risk refuses, or that the exchange would round, is rejected with the limit named."""
    await platform.bus.put_config("EXECUTOR", platform.config(risk={"maxOrderNotional": 1000, "symbols": ["KCS/USDT"]}))
    await platform.start()
    request = create(terms=terms)
    answers = await platform.answers(symbol=KCS if request.payload.symbol == KCS else None)
    await platform.bus.requests.send(TENANT, request)
    answer = (await answers.number(1)).response
    assert (answer.status, answer.error.kind) == ("rejected", kind)
    assert words in answer.error.message
    assert platform.orders() == []


async def test_what_the_exchange_refuses_is_rejected_in_its_words(platform: Any) -> None:
    """An order beyond the balance is rejected with ccxt's class for it."""
    await platform.start()
    answers = await platform.answers()
    await platform.bus.requests.send(TENANT, create(terms={"amount_base": Decimal(200_000)}))
    answer = (await answers.number(1)).response
    assert (answer.status, answer.error.kind) == ("rejected", "InsufficientFunds")


async def test_an_order_whose_hash_cannot_be_read_does_not_stop_the_account(platform: Any) -> None:
    """Its request is answered all the same, the heartbeat names the hash, and the next request is carried out."""
    await platform.start()
    answers = await platform.answers()
    await platform.bus.requests.send(TENANT, create())
    next_id = str(int((await answers.number(1)).response.order.id) + 1)
    key = order_key(TENANT, next_id).encode()
    await platform.command(b"HSET", key, b"exchange", b"binance", b"updated", b"1", b"order", b"no order")
    await platform.bus.requests.send(TENANT, create())
    await platform.bus.requests.send(TENANT, create())
    assert await answers.statuses(3) == ["done"] * 3
    assert next_id in {each.response.order.id for each in answers.all}
    beat = await platform.heartbeat_where(lambda beat: any(next_id in error.message for error in beat.last_errors))
    (account,) = [unit for unit in beat.units if unit.name == "StrankaXY.binance"]
    assert account.state == "live"
