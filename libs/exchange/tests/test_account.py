from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from millrace_core.config.common import Credentials
from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange import Exchange, Fatal, Rejected, Retryable, open_exchange
from millrace_simulator.server import Server

SYMBOL = "KCS/USDT"
BID = CreatePayload(symbol=SYMBOL, side="buy", type="limit", amount_base=Decimal(1), price=Decimal(5))


async def test_an_order_lives_under_our_own_id(exchange: Exchange) -> None:
    """Placed over WebSocket it is found by our id and canceled by it; the stamps enclose the round trip."""
    placed = await exchange.account.create_order(BID, "one")
    found = await exchange.account.fetch_order(SYMBOL, client_order_id="one")
    canceled = await exchange.account.cancel_order(CancelPayload(symbol=SYMBOL, client_order_id="one"))
    assert placed.order.status == "open"
    assert placed.sent_ns < placed.acknowledged_ns
    assert found is not None
    assert found.id == placed.order.id == canceled.order.id
    assert canceled.order.status == "canceled"


async def test_a_market_order_buys_the_amount_whatever_price_was_expected(exchange: Exchange) -> None:
    """The expected price of a market order changes nothing of its amount."""
    payload = CreatePayload(symbol=SYMBOL, side="buy", type="market", amount_base=Decimal(1), price=Decimal(25))
    assert (await exchange.account.create_order(payload, "market")).order.filled == 1


async def test_an_edit_keeps_what_it_does_not_name(exchange: Exchange) -> None:
    """A new price leaves amount and side, and the replacement carries the id given."""
    placed = await exchange.account.create_order(BID, "before")
    payload = EditPayload(symbol=SYMBOL, order_id=placed.order.id, price=Decimal("5.5"))
    edited = (await exchange.account.edit_order(payload, "after")).order
    assert (edited.price, edited.amount, edited.side, edited.client_order_id) == (Decimal("5.5"), 1, "buy", "after")
    assert [order.id for order in await exchange.account.fetch_open_orders()] == [edited.id]


async def test_all_orders_are_canceled(exchange: Exchange) -> None:
    """Of every symbol if none is named; nothing open is no error."""
    for number in range(3):
        await exchange.account.create_order(BID, f"all-{number}")
    canceled = await exchange.account.cancel_all_orders(CancelAllPayload())
    assert [order.status for order in canceled.orders] == ["canceled"] * 3
    assert (await exchange.account.cancel_all_orders(CancelAllPayload(symbol=SYMBOL))).orders == []


async def test_an_unknown_order_is_none_when_asked_and_rejected_when_canceled(exchange: Exchange) -> None:
    """Asking is answered; canceling what is not there cannot be done."""
    assert await exchange.account.fetch_order(SYMBOL, client_order_id="nonesuch") is None
    with pytest.raises(Rejected) as rejected:
        await exchange.account.cancel_order(CancelPayload(symbol=SYMBOL, order_id="999999"))
    assert rejected.value.kind == "OrderNotFound"


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (CreatePayload(symbol="X/Y", side="buy", type="market", amount_base=Decimal(1)), "BadSymbol"),
        (
            CreatePayload(symbol=SYMBOL, side="sell", type="limit", amount_base=Decimal(500_000), price=Decimal(13)),
            "InsufficientFunds",
        ),
    ],
)
async def test_what_the_exchange_refuses_is_rejected(exchange: Exchange, payload: CreatePayload, kind: str) -> None:
    """A definite no has the name of ccxt's class for it."""
    with pytest.raises(Rejected) as rejected:
        await exchange.account.create_order(payload, "refused")
    assert rejected.value.kind == kind


async def test_a_wrong_key_is_fatal(simulator: Server) -> None:
    """An account whose key the exchange refuses stops before it trades."""
    exchange = await open_exchange(
        "binance", Credentials(api_key="demo-key", secret="wrong", urls={"base": simulator.url})
    )
    with pytest.raises(Fatal):
        await exchange.prepare()
    await exchange.close()


async def test_nothing_was_sent_to_an_exchange_that_cannot_be_reached(exchange: Exchange, simulator: Server) -> None:
    """With the exchange gone, neither way lets anything out, so the order may be tried again."""
    await simulator.close()
    with pytest.raises(Retryable):
        await exchange.account.create_order(BID, "gone")


@pytest.fixture
async def exchange_without_websocket(simulator: Server) -> AsyncIterator[Exchange]:
    """An account that can be reached by REST alone."""
    credentials = Credentials(
        api_key="demo-key",
        secret="demo-secret",
        urls={"base": simulator.url, "api": {"ws": {"ws-api": {"spot": "ws://127.0.0.1:9/"}}}},
    )
    exchange = await open_exchange("binance", credentials)
    await exchange.prepare()
    yield exchange
    await exchange.close()


async def test_orders_go_over_rest_where_the_websocket_cannot_be_reached(exchange_without_websocket: Exchange) -> None:
    """What certainly did not leave over one way may take the other."""
    placed = await exchange_without_websocket.account.create_order(BID, "rest")
    assert placed.order.status == "open"
