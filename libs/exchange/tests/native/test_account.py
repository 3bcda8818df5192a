"""The account's own streams, natively: as ccxt tells them, over a line that can be disturbed."""

import asyncio
import copy
import json
import re
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from libs.exchange.tests.conftest import credentials_at
from libs.exchange.tests.contracts import RecordingListener
from libs.exchange.tests.native.conftest import OpenFeed
from tests.support.line import Line

from millrace_core.actions import BALANCE, MY_TRADES, ORDERS
from millrace_core.clock import now_ns
from millrace_core.orders import Order
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange import Exchange, ExchangeError, Fatal, Retryable, open_exchange
from millrace_exchange.native.account_feed import NativeAccountFeed
from millrace_exchange.native.dialect import Unreadable
from millrace_simulator.faults import FaultKind
from millrace_simulator.faults.rule import FaultRule
from millrace_simulator.listings import DialectName
from millrace_simulator.server import Server

SYMBOL = "KCS/USDT"
STREAMS = ((BALANCE, None), (ORDERS, SYMBOL), (MY_TRADES, SYMBOL))
QUICK = {"request_interval_s": 0.0, "connect_interval_s": 0.0}


def buying(price: str | None = None, amount: int = 1) -> CreatePayload:
    """Return an order to buy."""
    return CreatePayload(
        symbol=SYMBOL,
        side="buy",
        type="market" if price is None else "limit",
        amount_base=Decimal(amount),
        price=None if price is None else Decimal(price),
    )


@pytest.fixture
async def exchange(busy: Server, dialect: DialectName) -> AsyncIterator[Exchange]:
    """The account through ccxt alone, past the line."""
    credentials = credentials_at(busy.url).model_copy(update={"adapter": "ccxt"})
    exchange = await open_exchange(dialect, credentials)
    await exchange.prepare()
    yield exchange
    await exchange.close()


class AccountStreams:
    """All that an account feed brings."""

    def __init__(self, feed: Exchange | NativeAccountFeed) -> None:
        account = feed if isinstance(feed, NativeAccountFeed) else feed.account
        self.received = RecordingListener()
        self.tasks = [
            asyncio.create_task(account.orders(SYMBOL, self.received)),
            asyncio.create_task(account.my_trades(SYMBOL, self.received)),
            asyncio.create_task(account.balance(self.received)),
        ]

    @property
    def newest(self) -> dict[str, Order]:
        """Return what was last said of each order."""
        return {order.id: order for order in self.received.orders}

    async def ended(self, *ids: str) -> None:
        """Wait until orders are over."""
        await self.received.until(lambda: all(each in self.newest and self.newest[each].is_final for each in ids))

    async def end(self) -> None:
        """Stop."""
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)


async def begun(exchange: Exchange, *streams: AccountStreams) -> None:
    """Trade until all streams have brought something: nothing else shows that a subscription stands."""
    for number in range(50):
        await exchange.execution.create_order(buying(), f"begun-{number}")
        await asyncio.sleep(0.1)
        if all(each.received.orders and each.received.trades and each.received.balances for each in streams):
            return
    raise AssertionError("the streams bring nothing")


async def test_it_says_what_ccxt_says(open_account: OpenFeed, exchange: Exchange) -> None:
    """Orders, trades and balances are the same, but for costs and fees of fills that ccxt works out in floats."""
    ours, theirs = AccountStreams(await open_account()), AccountStreams(exchange)
    await begun(exchange, ours, theirs)
    resting = (await exchange.execution.create_order(buying("5"), "resting")).orders[0].id
    bought = (await exchange.execution.create_order(buying(amount=40), "bought")).orders[0].id
    await exchange.execution.cancel_order(CancelPayload(symbol=SYMBOL, order_id=resting))
    for each in (ours, theirs):
        await each.ended(resting, bought)
        await each.received.until(lambda each=each: each.received.trades and each.received.trades[-1].order == bought)
    for order_id in (resting, bought):
        assert known(ours.newest[order_id]) == known(theirs.newest[order_id])
    mine, other = ({trade.id: trade for trade in each.received.trades} for each in (ours, theirs))
    assert [mine[each] for each in other if each in mine] == [other[each] for each in other if each in mine]
    assert ours.received.balances["KCS"] == theirs.received.balances["KCS"]
    order = ours.newest[bought]
    assert order.cost == sum(Decimal(str(trade.cost)) for trade in mine.values() if trade.order == bought)
    assert ours.newest[resting].status == "canceled"
    for each in (ours, theirs):
        await each.end()


async def test_a_balance_that_comes_late_changes_nothing(
    open_account: OpenFeed, exchange: Exchange, line: Line
) -> None:
    """The newer one came before it, and nothing would come after it."""
    streams = AccountStreams(await open_account())
    await begun(exchange, streams)
    former = [""]

    def late(frame: str) -> list[str]:
        if not any(mark in frame for mark in ("outboundAccountPosition", "account.balance")) or '"USDT"' not in frame:
            return [frame]
        before, former[0] = former[0], frame
        return [frame, before] if before else [frame]

    line.treat = late
    for number in range(3):
        await exchange.execution.create_order(buying("5"), f"late-{number}")
    other = CreatePayload(symbol="ETH/BTC", side="sell", type="market", amount_base=Decimal(1))
    await exchange.execution.create_order(other, "other")
    await streams.received.until(lambda: "ETH" in streams.received.balances)
    assert streams.received.balances["USDT"] == (await exchange.account.fetch_balance())["USDT"]
    await streams.end()


@pytest.mark.parametrize("dialect", ["kucoin"])
@pytest.mark.parametrize("amount", [{"amount_base": Decimal(2)}, {"amount_quote": Decimal("23.7")}])
async def test_a_market_order_of_which_nothing_was_given_up_is_closed(
    open_account: OpenFeed, exchange: Exchange, line: Line, amount: dict[str, Decimal]
) -> None:
    """KuCoin says of it that it was canceled; of one that gave up more than the least amount that is true."""
    streams = AccountStreams(await open_account())
    await begun(exchange, streams)

    def canceled(frame: str) -> str:
        return frame.replace('"type":"filled"', '"type":"canceled"')

    line.treat = canceled
    order = CreatePayload(symbol=SYMBOL, side="buy", type="market", **amount)
    whole = (await exchange.execution.create_order(order, "whole")).orders[0].id
    await streams.ended(whole)
    assert streams.newest[whole].status == "closed"

    def given_up(frame: str) -> str:
        frame = re.sub('"canceledFunds":"[^"]*"', '"canceledFunds":"9"', canceled(frame))
        return re.sub('"(originSize|size)":"2"', r'"\1":"3"', frame) if '"type":"canceled"' in frame else frame

    line.treat = given_up
    part = (await exchange.execution.create_order(order, "part")).orders[0].id
    await streams.ended(part)
    assert streams.newest[part].status == "canceled"
    await streams.end()


@pytest.mark.parametrize(
    "options", [{"defaultType": "margin"}, {"defaultMarginMode": "cross"}, {"defaultType": "swap"}]
)
async def test_the_balances_of_another_account_are_not_those_of_the_spot_account(
    open_account: OpenFeed, options: dict[str, str], dialect: DialectName
) -> None:
    """What ccxt answers and what streams is the same account's; Binance's spot stream has no orders of margin."""
    feed, another = await open_account(), await open_account(keys={"options": options})
    assert [await feed.is_native(action, symbol) for action, symbol in STREAMS] == [True, True, True]
    of_margin = options != {"defaultType": "swap"}
    has_orders = not (of_margin and dialect == "binance")
    assert [await another.is_native(action, symbol) for action, symbol in STREAMS] == [False, has_orders, has_orders]


def known(order: Order) -> Order:
    """Return an order without what fills add up to and the time of its change."""
    return msgspec.structs.replace(
        order, cost=None, average=None, fees=[], last_update_timestamp=None, last_trade_timestamp=None
    )


async def test_a_connection_is_replaced_without_a_missing_or_a_doubled_message(
    open_account: OpenFeed, exchange: Exchange, line: Line
) -> None:
    """Whatever is ordered while it happens."""
    streams = AccountStreams(await open_account(lifetime_s=0.6, **QUICK))
    await begun(exchange, streams)
    placed, opened = list[str](), line.sockets
    while line.sockets < opened + 2:
        answer = await exchange.execution.create_order(buying(), f"moving-{len(placed)}")
        placed.append(answer.orders[0].id)
        await asyncio.sleep(0.02)
    await streams.ended(*placed)
    identities = [(trade.id, trade.order) for trade in streams.received.trades]
    assert len(identities) == len(set(identities))
    bought = {each: Decimal(0) for each in placed}
    for trade in streams.received.trades:
        if trade.order in bought:
            bought[trade.order] += Decimal(str(trade.amount))
    assert set(bought.values()) == {Decimal(1)}
    assert not any(task.done() for task in streams.tasks)
    await streams.end()


async def test_a_cut_breaks_all_streams(open_account: OpenFeed, exchange: Exchange, line: Line) -> None:
    """What is lost meanwhile is asked for by those who follow them."""
    streams = AccountStreams(await open_account())
    await begun(exchange, streams)
    await line.cut()
    for task in streams.tasks:
        with pytest.raises(Retryable):
            await task


async def test_a_connection_that_is_mute_while_something_happens_is_replaced(
    open_account: OpenFeed, exchange: Exchange, line: Line
) -> None:
    """Nobody knows since when it is mute: all its streams begin anew. One that has brought something since is kept."""
    feed = await open_account(**QUICK)
    streams, begun_ns = AccountStreams(feed), now_ns()
    await begun(exchange, streams)
    opened, mute, passed = line.sockets, line.open[-1], line.passed
    feed.replace_mute(begun_ns)
    await exchange.execution.create_order(buying(), "kept")
    assert line.sockets == opened
    line.passed = lambda each, text: [] if each is mute else passed(each, text)  # type: ignore[method-assign]
    feed.replace_mute(now_ns())
    number = 0
    async with asyncio.timeout(60):
        while not all(task.done() for task in streams.tasks):
            await exchange.execution.create_order(buying(), f"missed-{(number := number + 1)}")
            await asyncio.sleep(0.1)
    for task in streams.tasks:
        with pytest.raises(Retryable, match="sends nothing"):
            await task
    assert line.sockets > opened


async def test_a_refused_key_is_fatal(open_account: OpenFeed) -> None:
    """It is no failure that passes by itself."""
    feed = await open_account(keys={"secret": "wrong"})
    with pytest.raises(ExchangeError) as refused:
        await feed.orders(SYMBOL, RecordingListener())
    assert isinstance(refused.value, Fatal)


@pytest.mark.parametrize("dialect", ["binance"])
@pytest.mark.parametrize("kind", [FaultKind.FAILED, FaultKind.OVERLOADED])
async def test_a_failure_of_the_exchange_is_no_refusal_of_a_stream(
    open_account: OpenFeed, busy: Server, kind: FaultKind
) -> None:
    """What is refused is tried again after a minute, what failed after a moment."""
    feed = await open_account()
    busy.faults.set(FaultRule(kinds=(kind,), requests="userDataStream.*"))
    with pytest.raises(Retryable):
        await feed.orders(SYMBOL, RecordingListener())


WRONG: tuple[Any, ...] = (None, [], {}, "", "abc", -1, True, 1e300, "NaN", [[]], "somethingNew")
FREE = {"c", "C", "N", "i", "clientOid", "orderId", "tradeId", "m"}
"""Fields that may have any value of their type: nothing shows that another one is not meant."""


def mutations(event: Any) -> Iterator[tuple[str, Any]]:
    """Return every way in which one field of an event can be missing, of another type, or say something unknown."""
    for path in places(event):
        for wrong in ("missing", "turned", *WRONG):
            made = copy.deepcopy(event)
            node = made
            for step in path[:-1]:
                node = node[step]
            value = node[path[-1]]
            if wrong == "missing":
                del node[path[-1]]
            else:
                node[path[-1]] = turned(value) if wrong == "turned" else wrong
            is_free = path[-1] in FREE and type(node.get(path[-1])) is type(value)
            if made != event and not is_free:
                yield f"{'.'.join(map(str, path))}: {wrong!r}", made


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the paths of all fields, at every depth."""
    for step, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if isinstance(node, dict):
            yield (*path, step)
        yield from places(value, (*path, step))


def turned(value: Any) -> Any:
    """Return a number as a text, or a text as a number."""
    try:
        return float(value) if isinstance(value, str) else str(value)
    except ValueError:
        return [value]


async def test_an_event_that_is_not_as_documented_says_nothing(
    open_account: OpenFeed, exchange: Exchange, line: Line
) -> None:
    """Whatever field of it is wrong in whatever way, it is unreadable or says no more: nothing wrong is read."""
    frames: list[str] = []
    line.treat = lambda frame: [frame] if frames.append(frame) is None else []
    feed = await open_account()
    streams = AccountStreams(feed)
    await begun(exchange, streams)
    resting = (await exchange.execution.create_order(buying("5"), "resting")).orders[0].id
    await exchange.execution.cancel_order(CancelPayload(symbol=SYMBOL, order_id=resting))
    await streams.ended(resting)
    await streams.end()
    events = {kind(event): event for event in map(json.loads, frames) if is_event(event)}
    assert len(events) >= 4, "events of few kinds came"
    wrong, unreadable = [], 0
    for event in events.values():
        meant = said(feed, event)
        assert meant
        for how, made in mutations(event):
            if (read := said(feed, made)) is None:
                unreadable += 1
            elif not says_no_more(read, meant):
                wrong.append(f"{kind(event)} {how}: {read}")
    assert wrong == []
    assert unreadable > 100


def says_no_more(read: Any, meant: Any) -> bool:
    """Tell whether what is read is what was meant, or less: what is not said changes nothing that is known."""
    if isinstance(read, Order) and isinstance(meant, Order):
        fields = [(getattr(read, name), getattr(meant, name)) for name in Order.__struct_fields__]
        return all(ours in (None, theirs) for ours, theirs in fields)
    if isinstance(read, tuple):
        return all(map(says_no_more, read, meant))
    return bool(read == meant)


def is_event(frame: Any) -> bool:
    """Tell whether a frame is an event of an account."""
    return "event" in frame or frame.get("subject") in ("orderChange", "account.balance")


def kind(frame: Any) -> str:
    """Return what an event tells."""
    event = frame.get("event", frame.get("data"))
    return " ".join(str(event.get(name)) for name in ("e", "x", "type", "relationEvent", "X") if name in event)


def said(feed: NativeAccountFeed, frame: Any) -> Any:
    """Return all that is read from a frame; None if it cannot be read."""
    dialect = feed._dialect
    event = dialect.decode(json.dumps(frame).encode())
    if isinstance(event, Unreadable):
        return None
    route = str(event.route)  # type: ignore[union-attr]
    if "account/balance" in route or "Position" in route:
        return dialect.balances(event)
    order = msgspec.structs.replace(dialect.orders().order(event), last_update_timestamp=None)
    return order, dialect.trade(event)


GARBLED = (
    lambda frame: frame.replace('"executionReport"', '"somethingNew"').replace('"orderChange"', '"somethingNew"'),
    lambda frame: frame.replace('"S":', '"_":').replace('"side":', '"_":'),
    lambda frame: frame.replace("KCSUSDT", "KCSUSDTX").replace("KCS-USDT", "KCS-USDTX"),
)


@pytest.mark.parametrize("adapter", ["native", "ccxt"])
async def test_a_garbled_event_is_reported_and_ends_no_stream(
    open_account: OpenFeed, exchange: Exchange, line: Line, dialect: DialectName, adapter: str
) -> None:
    """Whoever follows the stream asks then; later events come as before."""
    through_ccxt = await open_exchange(dialect, credentials_at(line.url).model_copy(update={"adapter": "ccxt"}))
    streams = AccountStreams(await open_account() if adapter == "native" else through_ccxt)
    await begun(exchange, streams)
    for number, garble in enumerate(GARBLED):
        streams.received.breaks.clear()
        opened = line.sockets
        line.treat = lambda frame, garble=garble: [garble(frame)]
        await exchange.execution.create_order(buying("5"), f"garbled-{number}")
        await streams.received.until(lambda: streams.received.breaks)
        line.treat = lambda frame: [frame]
        order = (await exchange.execution.create_order(buying(), f"whole-{number}")).orders[0].id
        await streams.ended(order)
        assert not any(task.done() for task in streams.tasks)
        assert line.sockets == opened
    placed = {order.client_order_id for order in streams.received.orders}
    assert not any(str(each).startswith("garbled") for each in placed)
    await streams.end()
    await through_ccxt.close()
