"""Orders of a list, which somebody placed past the platform: what cancels one of them cancels the others."""

from decimal import Decimal
from typing import Any

import pytest
from libs.exchange.tests.conftest import SimulatedVenue

from millrace_core.requests import CancelPayload, EditPayload
from millrace_exchange import Exchange, Rejected

SYMBOL = "KCS/USDT"


@pytest.fixture
async def pair(exchange: Any, venue: SimulatedVenue) -> list[str]:
    """The ids of a stop and of a limit order, of which one ends the other."""
    best = Decimal(str((await venue.book(SYMBOL)).bids[0][0]))
    request = {
        "symbol": venue.market_id(SYMBOL),
        "side": "SELL",
        "quantity": "5",
        "aboveType": "LIMIT_MAKER",
        "abovePrice": str(round(best * 2, 2)),
        "aboveClientOrderId": "above",
        "belowType": "STOP_LOSS",
        "belowStopPrice": str(round(best / 2, 2)),
        "belowClientOrderId": "below",
    }
    answer = await exchange.execution._caller.ccxt.private_post_orderlist_oco(request)
    return [str(order["orderId"]) for order in answer["orders"]]


@pytest.mark.parametrize("by_our_id", [False, True])
async def test_a_canceled_order_of_a_list_is_found_in_the_answer(
    exchange: Exchange, pair: list[str], by_our_id: bool
) -> None:
    """Binance answers with the list; the others are told to have ended too."""
    by_id = CancelPayload(symbol=SYMBOL, order_id=pair[1])
    answer = await exchange.execution.cancel_order(
        CancelPayload(symbol=SYMBOL, client_order_id="above") if by_our_id else by_id
    )
    assert [(order.id, order.status) for order in answer.orders] == [(pair[1], "canceled")]
    assert [(order.id, order.status, order.client_order_id) for order in answer.ended] == [
        (pair[0], "canceled", "below")
    ]
    assert await exchange.execution.fetch_open_orders(SYMBOL) == []


async def test_an_edit_that_would_cancel_the_rest_of_a_list_is_refused(exchange: Exchange, pair: list[str]) -> None:
    """A stop that protects a holding would be gone, and nobody would have asked for that."""
    with pytest.raises(Rejected, match="order list"):
        await exchange.execution.edit_order(EditPayload(symbol=SYMBOL, order_id=pair[1], price=Decimal(20)), "edited")
    assert sorted(order.id for order in await exchange.execution.fetch_open_orders(SYMBOL)) == sorted(pair)
