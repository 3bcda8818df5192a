"""The account's own streams, natively: as ccxt tells them, over a line that can be disturbed."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec
import pytest
from libs.exchange.tests.conftest import credentials_at
from libs.exchange.tests.contracts import RecordingListener
from libs.exchange.tests.native.conftest import OpenFeed
from tests.support.line import Line

from millrace_core.actions import BALANCE, MY_TRADES, ORDERS
from millrace_core.orders import Order
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange import Exchange, ExchangeError, Fatal, Retryable, open_exchange
from millrace_exchange.native.account_feed import NativeAccountFeed
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


async def test_a_refused_key_is_fatal(open_account: OpenFeed) -> None:
    """It is no failure that passes by itself."""
    feed = await open_account(keys={"secret": "wrong"})
    with pytest.raises(ExchangeError) as refused:
        await feed.orders(SYMBOL, RecordingListener())
    assert isinstance(refused.value, Fatal)
