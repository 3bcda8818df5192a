"""An answer about another order, in the exchange's right form, is no answer."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from libs.exchange.tests.answers.conftest import BINANCE, Account
from libs.exchange.tests.answers.records import RECORDS
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_faulty_answers import (
    Request,
    cancel,
    cancel_all,
    create,
    edit,
    fetch_order,
    fetch_order_by_our_id,
    my_trades,
    open_orders,
    outcome_of,
)
from msgspec.structs import replace

from millrace_core.requests import CancelPayload
from millrace_exchange import OutcomeUnknown, Retryable

OURS: Final = "00112233445566778899aabbccddeeff"
ORDER: Final = RECORDS["binance"].order | {
    "clientOrderId": OURS,
    "origQty": "1.0",
    "executedQty": "0.0",
    "cummulativeQuoteQty": "0.0",
    "status": "NEW",
    "side": "BUY",
}
CANCELED: Final = ORDER | {"origClientOrderId": OURS, "clientOrderId": "the cancel's own", "status": "CANCELED"}
REPLACEMENT: Final = ORDER | {"orderId": 70000002, "clientOrderId": "e" * 32, "price": "21.00", "origQty": "10.0"}
REPLACED: Final = {
    "cancelResult": "SUCCESS",
    "newOrderResult": "SUCCESS",
    "cancelResponse": CANCELED,
    "newOrderResponse": REPLACEMENT,
}
TRADE: Final = RECORDS["binance"].trade
RIGHT: Final[dict[Request, Any]] = {
    create: ORDER,
    cancel: CANCELED,
    edit: REPLACED,
    cancel_all: [CANCELED],
    fetch_order: ORDER,
    fetch_order_by_our_id: ORDER,
    open_orders: [ORDER],
    my_trades: [TRADE],
}
ELSEWHERE: Final = {"symbol": "ETHUSDT"}
OTHER_ID: Final = {"orderId": 79999999}
OTHER_OURS: Final = {"clientOrderId": "f" * 32}
WRONG: Final[list[tuple[Request, Any]]] = [
    (create, ORDER | ELSEWHERE),
    (create, ORDER | OTHER_OURS),
    (create, ORDER | {"side": "SELL"}),
    (create, ORDER | {"price": "20.01"}),
    (create, ORDER | {"origQty": "1.0001"}),
    (create, ORDER | {"type": "MARKET"}),
    *((create, ORDER | {"orderId": number}) for number in (-1, 0, "-7", "0", 7.5, True)),
    (cancel, CANCELED | ELSEWHERE),
    (cancel, CANCELED | OTHER_ID),
    *((request, right | {"executedQty": "-5"}) for request, right in ((create, ORDER), (cancel, CANCELED))),
    (fetch_order, ORDER | {"executedQty": "-5"}),
    (open_orders, [ORDER | {"origQty": "-1.0"}]),
    (edit, REPLACED | {"newOrderResponse": REPLACEMENT | OTHER_OURS}),
    (edit, REPLACED | {"newOrderResponse": REPLACEMENT | ELSEWHERE}),
    (edit, REPLACED | {"newOrderResponse": REPLACEMENT | {"price": "20.00"}}),
    (edit, REPLACED | {"newOrderResponse": None}),
    (cancel_all, [CANCELED | ELSEWHERE]),
    (cancel_all, [CANCELED, CANCELED | {"orderId": None}]),
    (cancel_all, {"data": "success"}),
    (fetch_order, ORDER | ELSEWHERE),
    (fetch_order, ORDER | OTHER_ID),
    (fetch_order_by_our_id, ORDER | OTHER_OURS),
    (fetch_order_by_our_id, {**ORDER, "clientOrderId": None}),
    (open_orders, [ORDER | ELSEWHERE]),
    (open_orders, [ORDER, ORDER | ELSEWHERE]),
    (open_orders, [ORDER | {"orderId": None}]),
    (my_trades, [TRADE | ELSEWHERE]),
    (my_trades, [TRADE | {"price": None}]),
    *((my_trades, [TRADE | {"time": time}]) for time in (None, 0, -1, "soon", 10**30)),
]


async def said_to(server: ScriptedServer, account: Account, request: Request, body: Any) -> Any:
    other = account.market("ETH/USDT", "ETHUSDT")
    account.ccxt.set_markets([account.ccxt.markets[account.symbol], other])
    server.reply = Reply(json.dumps(body).encode())
    return await outcome_of(account, request)


@pytest.mark.parametrize("place", BINANCE)
@pytest.mark.parametrize(("request_", "body"), RIGHT.items(), ids=lambda value: getattr(value, "__name__", ""))
async def test_the_answer_that_was_asked_for_is_believed(
    place: str, request_: Request, body: Any, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Each answer below differs from one of these in one field."""
    assert not isinstance(await said_to(server, account(place), request_, body), Exception)


@pytest.mark.parametrize("place", BINANCE)
@pytest.mark.parametrize(("request_", "body"), WRONG, ids=lambda value: getattr(value, "__name__", ""))
async def test_the_answer_about_another_order_is_not_believed(
    place: str, request_: Request, body: Any, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """A change stays unknown, a question is asked again."""
    outcome = await said_to(server, account(place), request_, body)
    assert isinstance(outcome, OutcomeUnknown if request_ in (create, cancel, edit, cancel_all) else Retryable)


@pytest.mark.parametrize("place", BINANCE)
async def test_a_number_with_zeros_before_it_is_the_same_id(
    place: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Binance reads it as a number, and cancels the order."""
    ours = account(place)
    payload = CancelPayload(symbol=ours.symbol, order_id="0070000001")
    canceled = await said_to(server, ours, lambda each: each.cancel_order(payload), CANCELED)
    assert [order.id for order in canceled.orders] == ["70000001"]


@pytest.mark.parametrize("place", BINANCE)
async def test_a_cancels_own_client_order_id_is_not_the_orders(
    place: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Binance's answer has both; written to the order's hash, the cancel's would hide the order."""
    for request in (cancel, cancel_all):
        canceled = await said_to(server, account(place), request, RIGHT[request])
        assert [order.client_order_id for order in canceled.orders] == [OURS]


@pytest.mark.parametrize("place", BINANCE)
async def test_the_former_order_of_a_replacement_has_ended(
    place: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Whoever keeps orders learns of both: the new one, and that the former is canceled."""
    ours = account(place)
    ours.order = replace(ours.order, client_order_id=OURS)
    edited = await said_to(server, ours, edit, REPLACED)
    assert [(order.id, order.status) for order in edited.orders] == [("70000002", "open")]
    assert [(order.id, order.status, order.client_order_id) for order in edited.ended] == [
        ("70000001", "canceled", OURS)
    ]
