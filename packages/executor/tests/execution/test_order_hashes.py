"""What Redis shows of orders that ended through a request, or without anybody seeing it."""

from decimal import Decimal
from typing import Any

from millrace_core.messages import Response
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.requests import CancelOrder, CancelPayload, CreateOrder, CreatePayload, EditOrder, EditPayload
from millrace_matching import Side
from millrace_simulator.venue import OrderRequest
from millrace_simulator.venue.orders import OrderRef, OrderType

TENANT, BINANCE, KCS = Tenant("StrankaXY"), ExchangeId("binance"), Symbol("KCS/USDT")
BID = CreatePayload(symbol=KCS, side="buy", type="limit", amount_base=Decimal(10), price=Decimal(5))


async def answered(platform: Any, request: Any, action: str) -> Response:
    """Send the only request of its action; return its answer."""
    answers = await platform.answers(action)
    await platform.bus.requests.send(TENANT, request)
    response: Response = (await answers.number(1)).response
    return response


async def placed(platform: Any) -> str:
    answer = await answered(platform, CreateOrder(exchange_id=BINANCE, payload=BID), "createOrder")
    assert answer.order is not None
    return answer.order.id


async def record_of(platform: Any, order_id: str) -> Any:
    return await platform.bus.orders.get(TENANT, order_id, exchange=BINANCE, symbol=KCS)


async def test_an_order_that_an_edit_replaced_is_no_longer_open(platform: Any) -> None:
    """Its hash says so, and the index of open orders has the new one alone."""
    await platform.start()
    former = await placed(platform)
    edit = EditOrder(exchange_id=BINANCE, payload=EditPayload(symbol=KCS, order_id=former, price=Decimal(6)))
    answer = await answered(platform, edit, "editOrder")
    assert answer.order is not None
    assert answer.order.id != former
    assert (await record_of(platform, former)).order.status == "canceled"
    assert await platform.bus.orders.open_ids(TENANT, BINANCE, KCS) == {answer.order.id}


async def test_an_order_that_ended_unseen_is_shown_as_ended_once_its_cancel_is_refused(platform: Any) -> None:
    """Nobody followed the account: the exchange's refusal shows that what Redis holds is old."""
    await platform.start()
    order_id = await placed(platform)
    venue = platform.simulator.venue
    venue.cancel(venue.account_by_key("demo-key"), "KCSUSDT", OrderRef(int(order_id)))
    cancel = CancelOrder(exchange_id=BINANCE, payload=CancelPayload(symbol=KCS, order_id=order_id))
    assert (await answered(platform, cancel, "cancelOrder")).status == "rejected"
    await platform.stop()
    assert (await record_of(platform, order_id)).order.status == "canceled"
    assert await platform.bus.orders.open_ids(TENANT, BINANCE, KCS) == set()


async def test_a_cancel_does_not_name_an_order_that_nobody_knew(platform: Any) -> None:
    """The answer to a cancel has a client order id of its own: the hash has the order's."""
    await platform.start()
    venue = platform.simulator.venue
    request = OrderRequest(
        symbol="KCSUSDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(10),
        price=Decimal(5),
        client_order_id="by-hand",
    )
    made = venue.place(venue.account_by_key("demo-key"), request).order
    cancel = CancelOrder(exchange_id=BINANCE, payload=CancelPayload(symbol=KCS, order_id=str(made.order_id)))
    assert (await answered(platform, cancel, "cancelOrder")).status == "done"
    assert (await record_of(platform, str(made.order_id))).order.client_order_id == "by-hand"
