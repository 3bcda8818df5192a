"""The ccxt adapter on Binance spot, as the simulator speaks it."""

from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec
import pytest

from millrace_core.config.common import Credentials
from millrace_core.requests import CreatePayload, EditPayload
from millrace_exchange import Exchange, Fatal, Rejected, open_exchange
from millrace_simulator.server import Server

BID = CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal(5))


async def test_a_wrong_key_is_fatal(simulator: Server) -> None:
    """An account whose key the exchange refuses stops before it trades."""
    exchange = await open_exchange(
        "binance", Credentials(api_key="demo-key", secret="wrong", urls={"base": simulator.url})
    )
    with pytest.raises(Fatal):
        await exchange.prepare()
    await exchange.close()


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
    placed = await exchange_without_websocket.execution.create_order(BID, "rest")
    assert placed.orders[0].status == "open"


async def test_an_order_that_was_canceled_without_its_replacement_is_said_to_be(exchange: Exchange) -> None:
    """Binance cancels first: where it then refuses the new order, the old one is gone, and that is certain."""
    placed = await exchange.execution.create_order(BID, "before")
    too_much = EditPayload(symbol="KCS/USDT", order_id=placed.orders[0].id, amount_base=Decimal(800_000))
    with pytest.raises(Rejected, match="the order was canceled, its replacement was refused"):
        await exchange.execution.edit_order(too_much, "after")
    assert await exchange.execution.fetch_open_orders() == []


async def test_absence_proves_nothing_until_the_window_and_the_backend_are_over() -> None:
    """By default 5 s of recvWindow and 10 s of work; a longer window of the account's own makes it longer."""
    for options, expected_ms in (({}, 15_000), ({"recvWindow": 20_000}, 30_000), ({"recvWindow": 100}, 15_000)):
        exchange = await open_exchange("binance", Credentials(options=options))
        assert exchange.profile.settlement_window_ms == expected_ms
        await exchange.close()


async def test_an_edited_stop_is_still_a_stop(exchange: Exchange) -> None:
    """The order that replaces it has its trigger: without it, it would be filled at once."""
    stop = msgspec.structs.replace(BID, side="sell", trigger_price=Decimal(6))
    placed = (await exchange.execution.create_order(stop, "stop")).orders[0]
    edit = EditPayload(symbol="KCS/USDT", order_id=placed.id, price=Decimal("5.001"))
    edited = (await exchange.execution.edit_order(edit, "edited")).orders[0]
    assert (edited.status, edited.filled, edited.trigger_price, edited.price) == ("open", 0, 6, Decimal("5.001"))


async def test_an_edited_post_only_order_still_takes_nothing(exchange: Exchange) -> None:
    """The order that replaces it is post-only as well."""
    placed = (await exchange.execution.create_order(msgspec.structs.replace(BID, post_only=True), "maker")).orders[0]
    edit = EditPayload(symbol="KCS/USDT", order_id=placed.id, price=Decimal("5.001"))
    edited = (await exchange.execution.edit_order(edit, "edited")).orders[0]
    assert edited.post_only


@pytest.mark.parametrize("number", [Decimal("1e21"), Decimal("123456789012345678901234.12345678"), Decimal("1e27")])
async def test_a_long_number_is_judged(exchange: Exchange, number: Decimal) -> None:
    """More digits than decimals have by default are a rejection or an order, never an error of another kind."""
    fits = number == number.to_integral_value()
    assert (exchange.rules.precision_errors(msgspec.structs.replace(BID, amount_base=number)) == []) is fits
    assert (exchange.rules.precision_errors(msgspec.structs.replace(BID, price=number)) == []) is fits
