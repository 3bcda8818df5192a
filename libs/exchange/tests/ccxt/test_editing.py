"""Edits on the simulated exchanges: the amount is the whole order's, and nothing else is lost or added."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from libs.exchange.tests.conftest import credentials_at, serve_dialect
from libs.exchange.tests.contracts import Venue

from millrace_core.orders import Order
from millrace_core.requests import CreatePayload, EditPayload
from millrace_exchange import Exchange, OutcomeUnknown, Rejected, open_exchange
from millrace_matching import Side
from millrace_simulator.config import DEMO_ACCOUNT
from millrace_simulator.faults import FaultKind, FaultRule
from millrace_simulator.listings import DialectName
from millrace_simulator.server import Server
from millrace_simulator.venue import OrderRequest
from millrace_simulator.venue.orders import OrderType, TimeInForce

SELL = CreatePayload(symbol="KCS/USDT", side="sell", type="limit", amount_base=Decimal(50), price=Decimal(32))


async def placed(exchange: Exchange, order: CreatePayload, our_id: str = "first") -> Order:
    (made,) = (await exchange.execution.create_order(order, our_id)).orders
    return made


async def edited(exchange: Exchange, order: Order, **terms: Any) -> Order:
    payload = EditPayload(symbol="KCS/USDT", order_id=order.id, **terms)
    (made,) = (await exchange.execution.edit_order(payload, "edited")).orders
    return made


async def order_now(exchange: Exchange, order_id: str) -> Order:
    found = await exchange.execution.fetch_order("KCS/USDT", order_id=order_id)
    assert found is not None
    return found


OTHER = msgspec.structs.replace(DEMO_ACCOUNT, api_key="other-key")


@pytest.fixture
async def simulator() -> AsyncIterator[Server]:
    """An exchange with another account, which takes from ours."""
    async with await serve_dialect("binance", accounts=(DEMO_ACCOUNT, OTHER)) as server:
        yield server


def fill(server: Server, price: Decimal, amount: int) -> None:
    """Let the other account take from the one order at a price."""
    request = OrderRequest(
        symbol="KCSUSDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(amount),
        price=price,
        time_in_force=TimeInForce.IOC,
    )
    server.venue.place(server.venue.account_by_key("other-key"), request)


@pytest.fixture
async def inside(venue: Venue) -> Decimal:
    """A price that is the best and that no other order has."""
    book = await venue.book(venue.own_symbol)
    return Decimal(str(book.asks[0][0])) - venue.tick


@pytest.mark.parametrize("filled", [0, 10])
async def test_what_was_lost_in_prevented_self_trades_is_not_offered_again(
    exchange: Exchange, simulator: Server, inside: Decimal, filled: int
) -> None:
    """Binance's record keeps the amount; an amount that an edit names is the whole order's."""
    order = await placed(exchange, msgspec.structs.replace(SELL, price=inside))
    if filled:
        fill(simulator, inside, filled)
    own = {"side": "buy", "price": inside, "amount_base": Decimal(4), "params": {"selfTradePrevention": "DECREMENT"}}
    await placed(exchange, msgspec.structs.replace(SELL, **own), "own")
    again = await edited(exchange, order, price=Decimal(32))
    assert again.amount == 46 - filled
    assert (await edited(exchange, again, price=Decimal(31), amount_base=Decimal(50))).amount == 50


async def test_what_was_filled_is_not_offered_again(exchange: Exchange, simulator: Server, inside: Decimal) -> None:
    """Sell 50, of which 40 are filled: another price offers the last 10."""
    order = await placed(exchange, msgspec.structs.replace(SELL, price=inside))
    fill(simulator, inside, 40)
    again = await edited(exchange, order, price=Decimal(32))
    assert (again.amount, again.filled, again.price) == (10, 0, 32)
    former = await order_now(exchange, order.id)
    assert (former.status, former.filled) == ("canceled", 40)


async def test_a_fill_between_the_question_and_the_edit_trades_no_more(
    exchange: Exchange, simulator: Server, inside: Decimal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange refuses to replace an order that was filled meanwhile, and then only the rest is placed."""
    order = await placed(exchange, msgspec.structs.replace(SELL, price=inside))
    client: Any = exchange.execution
    send, sent = client.send, []

    async def fill_before(action: str, *arguments: Any, **named: Any) -> Any:
        if action == "editOrder" and not sent:
            sent.append(action)
            fill(simulator, inside, 40)
        return await send(action, *arguments, **named)

    monkeypatch.setattr(client, "send", fill_before)
    again = await edited(exchange, order, price=Decimal(32))
    assert sent
    assert again.amount == 10
    assert (await order_now(exchange, order.id)).filled == 40


async def test_a_fill_of_all_that_is_wanted_leaves_no_order(
    exchange: Exchange, simulator: Server, inside: Decimal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the order is filled to the new amount before it is canceled, nothing more is placed."""
    order = await placed(exchange, msgspec.structs.replace(SELL, price=inside))
    fill(simulator, inside, 10)
    client: Any = exchange.execution
    cancel = client.cancel_order

    async def fill_before(payload: Any) -> Any:
        fill(simulator, inside, 20)
        return await cancel(payload)

    monkeypatch.setattr(client, "cancel_order", fill_before)
    ended = await edited(exchange, order, amount_base=Decimal(30), price=Decimal(32))
    assert (ended.id, ended.status, ended.filled) == (order.id, "canceled", 30)
    assert await exchange.execution.fetch_open_orders("KCS/USDT") == []


async def test_a_smaller_amount_keeps_the_order(exchange: Exchange) -> None:
    """It is an amendment: the same order under the same ids, with its place in the book."""
    order = await placed(exchange, SELL)
    less = await edited(exchange, order, amount_base=Decimal(20))
    assert (less.id, less.client_order_id, less.amount, less.price) == (order.id, "first", 20, 32)
    assert (await order_now(exchange, order.id)).amount == 20


async def test_a_smaller_amount_counts_what_was_filled(exchange: Exchange, simulator: Server, inside: Decimal) -> None:
    """50, of which 10 are filled, become 30: 20 are left."""
    order = await placed(exchange, msgspec.structs.replace(SELL, price=inside))
    fill(simulator, inside, 10)
    less = await edited(exchange, order, amount_base=Decimal(30))
    assert (less.id, less.amount, less.remaining) == (order.id, 30, 20)
    with pytest.raises(Rejected, match="10 are filled"):
        await edited(exchange, order, amount_base=Decimal(10))


@pytest.mark.parametrize(
    ("terms", "kept"),
    [
        ({"post_only": True}, {"type": "LIMIT_MAKER"}),
        ({"time_in_force": "GTC"}, {"type": "LIMIT", "timeInForce": "GTC"}),
        ({"trigger_price": Decimal(6), "time_in_force": "FOK"}, {"type": "STOP_LOSS_LIMIT", "timeInForce": "FOK"}),
        ({"params": {"selfTradePreventionMode": "EXPIRE_BOTH"}}, {"selfTradePreventionMode": "EXPIRE_BOTH"}),
    ],
)
async def test_terms_that_an_edit_does_not_name_are_kept(
    exchange: Exchange, terms: dict[str, Any], kept: dict[str, str]
) -> None:
    """Only the price changes."""
    order = await placed(exchange, msgspec.structs.replace(SELL, **terms))
    again = await edited(exchange, order, price=Decimal(33))
    record = await raw(exchange, again.id)
    assert {name: record[name] for name in kept} == kept
    assert (again.price, again.amount, again.trigger_price) == (33, 50, order.trigger_price)


async def test_a_take_profit_stays_one(exchange: Exchange) -> None:
    """Replaced by a stop, as ccxt would do it, the order would trade at once."""
    ccxt: Any = exchange.caller.ccxt  # type: ignore[attr-defined]
    made = await ccxt.create_order("KCS/USDT", "TAKE_PROFIT_LIMIT", "sell", 5, 33, {"stopPrice": 32})
    order = await order_now(exchange, made["id"])
    again = await edited(exchange, order, price=Decimal(34))
    assert (await raw(exchange, again.id))["type"] == "TAKE_PROFIT_LIMIT"


async def raw(exchange: Exchange, order_id: str) -> dict[str, Any]:
    """Return the exchange's own record of an order."""
    client: Any = exchange.execution
    return dict((await client.fetch_record("KCS/USDT", order_id=order_id)).record)


@pytest.mark.parametrize(("terms", "field"), [({"side": "buy"}, "side"), ({"type": "market"}, "type")])
async def test_an_edit_turns_no_order_into_another_kind(exchange: Exchange, terms: dict[str, Any], field: str) -> None:
    """Side and type are what the order is."""
    order = await placed(exchange, SELL)
    with pytest.raises(Rejected, match=field):
        await edited(exchange, order, price=Decimal(33), **terms)
    assert (await order_now(exchange, order.id)).status == "open"


@pytest.mark.parametrize("others", [0, 1])
async def test_an_answer_about_an_order_that_the_edit_did_not_make_proves_nothing(
    kucoin: tuple[Server, Exchange], others: int
) -> None:
    """The answer is the one to the former order's creation, or to that of another order."""
    server, exchange = kucoin
    server.faults.set(FaultRule(rate=0))  # from now on answers are remembered
    order = await placed(exchange, SELL)
    for _ in range(others):
        await placed(exchange, SELL, "other")
    server.faults.set(FaultRule(kinds=(FaultKind.FOREIGN,), requests="POST */alter"))
    with pytest.raises(OutcomeUnknown):
        await edited(exchange, order, price=Decimal(33))


@pytest.fixture
async def kucoin() -> AsyncIterator[tuple[Server, Exchange]]:
    """KuCoin's dialect, and its account."""
    async with opened("kucoin") as server_and_exchange:
        yield server_and_exchange


@asynccontextmanager
async def opened(dialect: DialectName) -> AsyncIterator[tuple[Server, Exchange]]:
    """A dialect of the simulator, and its account."""
    async with await serve_dialect(dialect) as server, AsyncExitStack() as stack:
        exchange = await open_exchange(dialect, credentials_at(server.url))
        stack.push_async_callback(exchange.close)
        await exchange.prepare()
        yield server, exchange


@pytest.mark.parametrize("dialect", ["binance", "kucoin"])
async def test_a_replacement_that_was_refused_leaves_no_order_and_says_so(dialect: DialectName) -> None:
    """The order is canceled by then: "rejected" alone would be taken for an order with its former terms."""
    async with opened(dialect) as (_, exchange):
        order = await placed(exchange, SELL)
        with pytest.raises(Rejected, match="the order was canceled, its replacement was refused"):
            await edited(exchange, order, amount_base=Decimal(200_000), price=Decimal(33))
        assert (await order_now(exchange, order.id)).status == "canceled"
