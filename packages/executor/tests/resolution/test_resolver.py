import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from millrace_core.backoff import BackoffPolicy
from millrace_core.clock import now_ms
from millrace_core.config import Credentials
from millrace_core.ids import RequestId, new_request_id
from millrace_core.market import Trade
from millrace_core.names import ExchangeId
from millrace_core.orders import Order
from millrace_core.requests import (
    CancelAllOrders,
    CancelOrder,
    CancelPayload,
    CreateOrder,
    CreatePayload,
    EditOrder,
    EditPayload,
)
from millrace_exchange import Exchange, ExchangeProfile, Fatal, Rejected, Retryable, open_exchange
from millrace_exchange.order_ids import ClientOrderIds
from millrace_executor.answering.intents import Intent
from millrace_executor.resolution.resolver import VAIN_ANSWERS_BORNE, Resolver, Unresolvable
from millrace_executor.resolution.shared_questions import SharedQuestions
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog
from millrace_simulator.config import DEMO_ACCOUNT, SimulatorConfig, default_config
from millrace_simulator.server import Server, serve


def profile_with_window(window_ms: int, **others: Any) -> ExchangeProfile:
    """Return the profile of an exchange with such a settlement window, which finds orders by our id once they ended."""
    ids = ClientOrderIds(finds_closed=True)
    terms = {"recv_window_ms": 0, "backend_ms": window_ms, "client_order_ids": ids} | others
    return ExchangeProfile(exchange=ExchangeId("x"), **terms)


LISTED = tuple(rules for rules in SimulatorConfig().symbols if rules.symbol == "KCSUSDT")
"""One symbol is enough, and opens faster than all."""
BUY = CreatePayload(symbol="KCS/USDT", side="buy", type="market", amount_base=Decimal(1))


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    """Return the simulator, whose market stands still, as the executor's account sees it."""
    async with await serve(SimulatorConfig(seed=7, symbols=LISTED), drive_market=False) as simulator:
        credentials = Credentials(api_key="demo-key", secret="demo-secret", urls={"base": simulator.url})
        exchange = await open_exchange("binance", credentials)
        await exchange.prepare()
        yield exchange
        await exchange.close()


async def test_a_filled_order_is_found_by_its_trades(exchange: Exchange) -> None:
    """Where an exchange forgets our id once an order is filled, its trades lead to it, and to no other order."""
    ours, other = new_request_id(), new_request_id()
    began_ms = now_ms() - 1_000
    for request_id in (other, ours):
        await exchange.execution.create_order(BUY, request_id)
    shared = SharedQuestions(exchange.execution)
    found = await shared.orders_of_own_trades(BUY, ours, began_ms)
    assert found[-1].client_order_id == ours
    others = await shared.orders_of_own_trades(BUY, new_request_id(), began_ms)
    assert {order.client_order_id for order in others} == {other, ours}


@pytest.fixture
async def kucoin_simulator(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """Start the simulator as KuCoin, whose accounts of the old kind find orders by our id only while they are open."""
    monkeypatch.setattr("millrace_simulator.kucoin.signing.WINDOW_MS", 60_000)
    account = msgspec.structs.replace(DEMO_ACCOUNT, high_frequency=False)
    config = msgspec.structs.replace(default_config("kucoin"), accounts=(account,))
    async with await serve(config, drive_market=False) as server:
        yield server


@pytest.fixture
async def kucoin(kucoin_simulator: Server) -> AsyncIterator[Exchange]:
    """Return that simulator as an account sees it."""
    keys = {"api_key": "demo-key", "secret": "demo-secret", "password": "demo-passphrase"}
    exchange = await open_exchange("kucoin", Credentials(**keys, urls={"base": kucoin_simulator.url}))
    await exchange.prepare()
    yield exchange
    await exchange.close()


def long_ago(request: CreateOrder | CancelOrder | EditOrder, our_id: str) -> Intent:
    """The intent of a request whose settlement window is over."""
    return msgspec.structs.replace(asked(request, our_id), sent_by=now_ms() - 3_600_000)


@pytest.mark.parametrize("is_named_by_our_id", [False, True])
@pytest.mark.parametrize("end", ["open", "closed", "canceled"])
async def test_an_edit_is_proven_where_the_replacement_has_the_former_ones_id(
    kucoin: Exchange, kucoin_simulator: Server, end: str, is_named_by_our_id: bool
) -> None:
    """The former order is canceled, which alone would prove the opposite; the new one may have ended since."""
    ours, symbol, execution = new_request_id(), "KCS/USDT", kucoin.execution
    bid = msgspec.structs.replace(BUY, type="limit", price=Decimal(5))
    former = (await execution.create_order(bid, ours)).orders[0]
    named = {"client_order_id": ours} if is_named_by_our_id else {"order_id": former.id}
    kucoin_simulator.market.step(kucoin_simulator.market.now_us + 1_000)
    edit = EditPayload(symbol=symbol, price=Decimal(20 if end == "closed" else 6), **named)
    made = (await execution.edit_order(edit, new_request_id())).orders[0]
    if end == "canceled":
        await execution.cancel_order(CancelPayload(symbol=symbol, order_id=made.id))
    health = UnitHealthReporter("StrankaXY.kucoin", changed=lambda: None, errors=ErrorLog())
    request = EditOrder(exchange_id="kucoin", payload=edit)
    resolution = await Resolver(kucoin, health).ask_once(long_ago(request, new_request_id()))
    assert resolution is not None
    assert resolution.answer.order is not None, resolution.answer.error
    assert (resolution.answer.order.id, resolution.answer.order.status) == (made.id, end)


@pytest.mark.parametrize("is_named_by_our_id", [False, True])
async def test_an_edit_is_proven_by_a_replacement_with_the_rest_of_the_amount(
    kucoin: Exchange, is_named_by_our_id: bool
) -> None:
    """By our id the exchange shows the open replacement, whose amount alone looks as if nothing had been changed."""
    ours, execution = new_request_id(), kucoin.execution
    best = (await execution.create_order(BUY, new_request_id())).orders[0].id
    bought = await execution.fetch_order("KCS/USDT", order_id=best)
    assert bought is not None
    more_than_offered = msgspec.structs.replace(BUY, type="limit", price=bought.average, amount_base=Decimal(20_000))
    former = (await execution.create_order(more_than_offered, ours)).orders[0]
    named = {"client_order_id": ours} if is_named_by_our_id else {"order_id": former.id}
    edit = EditPayload(symbol="KCS/USDT", amount_base=Decimal(19_999), price=Decimal(5), **named)
    made = (await execution.edit_order(edit, new_request_id())).orders[0]
    health = UnitHealthReporter("StrankaXY.kucoin", changed=lambda: None, errors=ErrorLog())
    request = EditOrder(exchange_id="kucoin", payload=edit)
    resolution = await Resolver(kucoin, health).ask_once(long_ago(request, new_request_id()))
    assert resolution is not None
    assert resolution.answer.order is not None, resolution.answer.error
    assert resolution.answer.order.id == made.id
    assert resolution.answer.order.amount is not None
    assert resolution.answer.order.amount < 19_999, "nothing was filled before"


async def test_an_edit_is_not_proven_by_the_replacement_that_an_earlier_one_made(
    kucoin: Exchange, kucoin_simulator: Server
) -> None:
    """Both are edits of one order under our id, and the second never reached the exchange."""
    ours, execution = new_request_id(), kucoin.execution
    bid = msgspec.structs.replace(BUY, type="limit", price=Decimal(5))
    await execution.create_order(bid, ours)
    kucoin_simulator.market.step(kucoin_simulator.market.now_us + 1_000)
    edit = EditPayload(symbol="KCS/USDT", client_order_id=ours, price=Decimal(6))
    made = (await execution.edit_order(edit, new_request_id())).orders[0]
    await execution.cancel_order(CancelPayload(symbol="KCS/USDT", order_id=made.id))
    second = EditOrder(exchange_id="kucoin", payload=msgspec.structs.replace(edit, price=Decimal(7)))
    health = UnitHealthReporter("StrankaXY.kucoin", changed=lambda: None, errors=ErrorLog())
    resolution = await Resolver(kucoin, health).ask_once(long_ago(second, new_request_id()))
    assert resolution is not None
    assert resolution.answer.status == "failed"


async def test_an_order_that_was_canceled_before_it_was_asked_for_was_placed(kucoin: Exchange) -> None:
    """None of its trades, and no open order, show it: the list of those that ended does."""
    ours, bid = new_request_id(), msgspec.structs.replace(BUY, type="limit", price=Decimal(5))
    placed = (await kucoin.execution.create_order(bid, ours)).orders[0]
    await kucoin.execution.cancel_order(CancelPayload(symbol="KCS/USDT", order_id=placed.id))
    health = UnitHealthReporter("StrankaXY.kucoin", changed=lambda: None, errors=ErrorLog())
    request = CreateOrder(exchange_id="kucoin", payload=bid)
    resolution = await Resolver(kucoin, health).ask_once(long_ago(request, ours))
    assert resolution is not None
    assert resolution.answer.order is not None, resolution.answer.error
    assert (resolution.answer.order.id, resolution.answer.order.status) == (placed.id, "canceled")


async def test_a_cancel_is_proven_by_the_orders_end_where_our_id_finds_it_no_more(kucoin: Exchange) -> None:
    """That the exchange knows no open order of that id must not be taken for the failure of the cancel."""
    ours, bid = new_request_id(), msgspec.structs.replace(BUY, type="limit", price=Decimal(5))
    await kucoin.execution.create_order(bid, ours)
    cancel = CancelPayload(symbol="KCS/USDT", client_order_id=ours)
    (canceled,) = (await kucoin.execution.cancel_order(cancel)).orders
    health = UnitHealthReporter("StrankaXY.kucoin", changed=lambda: None, errors=ErrorLog())
    request = CancelOrder(exchange_id="kucoin", payload=cancel)
    resolution = await Resolver(kucoin, health).ask_once(long_ago(request, new_request_id()))
    assert resolution is not None
    assert (resolution.answer.status, resolution.answer.order and resolution.answer.order.id) == ("done", canceled.id)


def asked(request: CreateOrder | CancelOrder | EditOrder, client_order_id: str) -> Intent:
    """The intent of a request that was sent just now."""
    name = "stream.StrankaXY.binance.createOrder.KCS/USDT"
    return Intent(
        RequestId(client_order_id), "unknown", name, now_ms(), now_ms(), request, client_order_id, sent_by=now_ms()
    )


async def test_an_edit_of_a_partly_filled_order_is_proven_by_its_replacement(exchange: Exchange) -> None:
    """The replacement has less than the amount asked for, since what was filled counts; our id on it is proof."""
    request_id, before = new_request_id(), new_request_id()
    best = (await exchange.execution.create_order(BUY, new_request_id())).orders[0].average
    more_than_offered = msgspec.structs.replace(BUY, type="limit", price=best, amount_base=Decimal(20_000))
    placed = (await exchange.execution.create_order(more_than_offered, before)).orders[0]
    assert placed.filled
    assert placed.remaining
    edit = EditPayload(symbol="KCS/USDT", order_id=placed.id, price=best - Decimal("0.01"))
    edited = (await exchange.execution.edit_order(edit, request_id)).orders[0]
    resolver = Resolver(exchange, UnitHealthReporter("StrankaXY.binance", changed=lambda: None, errors=ErrorLog()))
    resolution = await resolver.ask_once(asked(EditOrder(exchange_id="binance", payload=edit), request_id))
    assert resolution is not None
    answer = resolution.answer
    assert (answer.status, answer.order.id if answer.order else None) == ("done", edited.id)
    assert [(order.id, order.status) for order in resolution.seen] == [(edited.id, "open"), (placed.id, "canceled")]


async def test_one_question_settles_what_is_there(exchange: Exchange) -> None:
    """An order that was placed, and its cancel that came too late, are proven by asking once."""
    request_id = new_request_id()
    placed = await exchange.execution.create_order(BUY, request_id)
    resolver = Resolver(exchange, UnitHealthReporter("StrankaXY.binance", changed=lambda: None, errors=ErrorLog()))
    resolution = await resolver.ask_once(asked(CreateOrder(exchange_id="binance", payload=BUY), request_id))
    assert resolution is not None
    answer = resolution.answer
    assert (answer.status, answer.order.id if answer.order else None) == ("done", placed.orders[0].id)
    cancel = CancelOrder(exchange_id="binance", payload=CancelPayload(symbol="KCS/USDT", order_id=placed.orders[0].id))
    too_late = await resolver.ask_once(asked(cancel, new_request_id()))
    assert too_late is not None
    assert too_late.answer.status == "failed"
    assert [order.status for order in too_late.seen] == ["closed"]


async def test_nothing_is_asked_while_the_exchange_wants_a_pause() -> None:
    """A question that was held back is asked again once the pause is over, not before."""
    limited = Retryable(
        "too many requests", exchange="binance", action="fetchOrder", kind="RateLimitExceeded", retry_after_ms=600
    )
    asked_s: list[float] = []

    async def fetch_order(symbol: str, *, client_order_id: str) -> Order:
        asked_s.append(asyncio.get_running_loop().time())
        if len(asked_s) == 1:
            raise limited
        return Order(id="7", symbol=symbol, client_order_id=client_order_id, status="open")

    execution, profile = SimpleNamespace(fetch_order=fetch_order), profile_with_window(15_000)
    exchange = cast(Exchange, SimpleNamespace(execution=execution, profile=profile, clock_offset_ms=lambda: 0))
    resolver = Resolver(exchange, UnitHealthReporter("StrankaXY.binance", changed=lambda: None, errors=ErrorLog()))
    resolution = await resolver.resolve(asked(CreateOrder(exchange_id="binance", payload=BUY), new_request_id()))
    assert resolution.answer.status == "done"
    assert asked_s[1] - asked_s[0] >= 0.6


ABOUT = {"exchange": "binance", "action": "fetchOrder"}
VAIN: dict[str, Any] = {
    "refused": Rejected("no", kind="PermissionDenied", **ABOUT),
    "refused for good": Fatal("no", kind="PermissionDenied", **ABOUT),
    "of no form": Retryable("a page", kind="BadResponse", is_vain=True, **ABOUT),
    "about an order that may be any": Order(id="7", side="buy", amount=Decimal(1)),
}


@pytest.mark.parametrize("answer", VAIN.values(), ids=VAIN.keys())
async def test_answers_that_prove_nothing_end(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is asked about for ever, and none is given up before the settlement window is over."""
    monkeypatch.setattr("millrace_executor.resolution.resolver.ASK_AGAIN", BackoffPolicy(first_s=0, limit_s=0))
    asked_about: list[str] = []

    async def answered(*_: Any, **__: Any) -> Any:
        asked_about.append("")
        if isinstance(answer, Exception):
            raise answer

    async def open_orders(symbol: str) -> list[Order]:
        return [answer]

    async def trades(symbol: str, since_ms: int) -> list[Any]:
        await answered()
        return []

    execution = SimpleNamespace(fetch_order=answered, fetch_my_trades=trades, fetch_open_orders=open_orders)
    profile = profile_with_window(50)
    exchange = cast(Exchange, SimpleNamespace(execution=execution, profile=profile, clock_offset_ms=lambda: 0))
    health = UnitHealthReporter("StrankaXY.binance", changed=lambda: None, errors=ErrorLog())
    intent, began = asked(CreateOrder(exchange_id="binance", payload=BUY), new_request_id()), now_ms()
    with pytest.raises(Unresolvable):
        await Resolver(exchange, health).resolve(intent)
    assert now_ms() - began >= 50
    assert len(asked_about) >= VAIN_ANSWERS_BORNE


@pytest.mark.parametrize(
    "request_", [CreateOrder(exchange_id="binance", payload=BUY), CancelAllOrders(exchange_id="binance")]
)
@pytest.mark.parametrize("account", ["", "these keys"])
async def test_that_other_keys_know_no_order_proves_nothing(request_: Any, account: str) -> None:
    """A request was sent, its keys were replaced before its outcome was known: they may be another account's."""

    async def nothing(*_: Any, **__: Any) -> Any:
        return None

    async def none(*_: Any, **__: Any) -> list[Any]:
        return []

    execution = SimpleNamespace(fetch_order=nothing, fetch_my_trades=none, fetch_open_orders=none)
    profile = profile_with_window(0)
    exchange = cast(Exchange, SimpleNamespace(execution=execution, profile=profile, clock_offset_ms=lambda: 0))
    health = UnitHealthReporter("StrankaXY.binance", changed=lambda: None, errors=ErrorLog())
    intent = msgspec.structs.replace(asked(request_, new_request_id()), account=account, sent_by=1)
    for keys, is_proof in (("these keys", True), ("other keys", not account)):
        resolution = await Resolver(exchange, health, account=keys).ask_once(intent)
        assert (resolution is not None) == is_proof


async def test_an_outage_is_waited_out_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is no answer that proves nothing: once the exchange can be reached, the request is settled."""
    monkeypatch.setattr("millrace_executor.resolution.resolver.ASK_AGAIN", BackoffPolicy(first_s=0, limit_s=0))
    outage = iter([Retryable("away", kind="NetworkError", **ABOUT)] * 3 * VAIN_ANSWERS_BORNE)

    async def fetch_order(symbol: str, *, client_order_id: str) -> Order:
        if (failure := next(outage, None)) is not None:
            raise failure
        return Order(id="7", symbol=symbol, client_order_id=client_order_id, status="open")

    async def trades(symbol: str, since_ms: int) -> list[Any]:
        return []

    async def open_orders(symbol: str) -> list[Order]:
        return []

    execution = SimpleNamespace(fetch_order=fetch_order, fetch_my_trades=trades, fetch_open_orders=open_orders)
    profile = profile_with_window(0)
    exchange = cast(Exchange, SimpleNamespace(execution=execution, profile=profile, clock_offset_ms=lambda: 0))
    resolver = Resolver(exchange, UnitHealthReporter("StrankaXY.binance", changed=lambda: None, errors=ErrorLog()))
    resolution = await resolver.resolve(asked(CreateOrder(exchange_id="binance", payload=BUY), new_request_id()))
    assert resolution.answer.status == "done"


@pytest.mark.parametrize(("offset_ms", "redis_behind_ms"), [(0, 0), (-7_200_000, 0), (0, -7_200_000), (-5_000, 60_000)])
async def test_trades_are_searched_since_the_request_began(offset_ms: int, redis_behind_ms: int) -> None:
    """An executor was away for an hour: where only its trade shows a filled order, that is an hour old.

    The exchange says so by its own clock, which may be hours behind ours, or behind Redis's.
    """
    ours, server_ms = new_request_id(), now_ms() - redis_behind_ms
    began_ms, sold_ms = server_ms - 3_600_000, now_ms() + offset_ms - 3_600_000

    async def fetch_order(symbol: str, *, order_id: str | None = None, client_order_id: str | None = None) -> Any:
        return (
            None if order_id is None else Order(id=order_id, client_order_id=ours, status="closed", timestamp=sold_ms)
        )

    async def open_orders(symbol: str) -> list[Order]:
        return []

    async def trades(symbol: str, since_ms: int) -> list[Trade]:
        return [] if since_ms > sold_ms else [Trade("1", sold_ms, symbol, "buy", 1.0, 1.0, order="7")]

    execution = SimpleNamespace(fetch_order=fetch_order, fetch_open_orders=open_orders, fetch_my_trades=trades)
    profile = profile_with_window(50)
    exchange = cast(Exchange, SimpleNamespace(execution=execution, profile=profile, clock_offset_ms=lambda: offset_ms))
    health = UnitHealthReporter("StrankaXY.kucoin", changed=lambda: None, errors=ErrorLog())
    resolver = Resolver(exchange, health, lambda: now_ms() - redis_behind_ms)
    taken_over = msgspec.structs.replace(
        asked(CreateOrder(exchange_id="kucoin", payload=BUY), ours), begun_at=began_ms, sent_by=server_ms - 1_000
    )
    resolution = await resolver.ask_once(taken_over)
    assert resolution is not None
    assert (resolution.answer.status, resolution.seen[0].id) == ("done", "7")
