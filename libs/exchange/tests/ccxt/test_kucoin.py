"""The ccxt adapter on KuCoin spot, as the simulator speaks it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from decimal import Decimal

import aiohttp
import pytest
from aiohttp import web
from libs.exchange.tests.contracts import RecordingListener, streaming
from msgspec.structs import replace
from tests.support.line import Line, served

from millrace_core.clock import now_ms
from millrace_core.config.common import Credentials
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange import Exchange, open_exchange
from millrace_exchange.ccxt.exchange import open_ccxt_exchange
from millrace_simulator.config import SimulatorConfig
from millrace_simulator.listings import SYMBOLS
from millrace_simulator.server import Server, serve

SYMBOL, OTHER = "KCS/USDT", "ETH/USDT"


@pytest.fixture
async def kucoin() -> AsyncIterator[Server]:
    """A busy exchange that speaks KuCoin's protocol."""
    config = SimulatorConfig(dialect="kucoin", symbols=SYMBOLS["kucoin"], events_per_second=1_000, record=True)
    async with await serve(config) as server:
        yield server


class HoldingLine(Line):
    """A line that can hold answers with books back."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.released = asyncio.Event()
        self.released.set()
        self.held = asyncio.Event()
        """Set once an answer is held back."""
        self.passed_on = asyncio.Event()
        """Set once an answer was passed on."""

    async def answered(self, request: web.Request, session: aiohttp.ClientSession) -> web.Response:
        """Return the answer to a request."""
        response = await super().answered(request, session)
        if "/orderbook/" in request.path:
            self.held.set()
            await self.released.wait()
            self.passed_on.set()
        return response


@pytest.fixture
async def line(kucoin: Server) -> AsyncIterator[HoldingLine]:
    """The line to it."""
    line = HoldingLine(kucoin.url)
    async with served(line):
        yield line


@pytest.fixture
async def public(line: Line) -> AsyncIterator[Exchange]:
    """It as anybody sees it."""
    exchange = await open_exchange("kucoin", Credentials(adapter="ccxt", urls={"base": line.url}))
    await exchange.prepare()
    yield exchange
    await exchange.close()


async def test_with_keys_a_snapshot_has_no_edge(kucoin: Server) -> None:
    """It has all levels then: one of exactly 100 was not cut off, and the others may not be hidden."""
    keys = {"api_key": "demo-key", "secret": "demo-secret", "password": "demo-passphrase"}
    for given, is_whole in ((keys, True), ({}, False)):
        exchange = await open_ccxt_exchange("kucoin", Credentials(**given, urls={"base": kucoin.url}))
        await exchange.prepare()
        books = exchange.caller.ccxt.recorder.books
        assert (books.add(SYMBOL, RecordingListener(), None).depth is None) == is_whole
        assert books.add(SYMBOL, RecordingListener(), 100).depth is not None
        await exchange.close()


async def test_fetched_trades_have_the_ids_of_streamed_ones(public: Exchange, kucoin: Server) -> None:
    """Without ids every trade that is asked for again would count as a new one."""
    kucoin.market.paused = True
    market = kucoin.venue.instruments["KCS-USDT"]
    fetched = await public.market.fetch_trades(SYMBOL)
    assert [trade.id for trade in fetched] == [str(trade.trade_id) for trade in market.tape.since(0)[-len(fetched) :]]
    assert fetched


def losing_one() -> Callable[[str], str | None]:
    """Return what loses the next frame of the book, and no other."""
    lost: list[str] = []

    def treat(frame: str) -> str | None:
        if "level2:KCS-USDT" in frame and not lost:
            lost.append(frame)
            return None
        return frame

    return treat


async def stop(task: "asyncio.Task[None]") -> None:
    """Stop following."""
    task.cancel()
    await asyncio.wait({task})


async def test_a_lost_frame_costs_no_other_stream_anything(public: Exchange, line: Line, kucoin: Server) -> None:
    """The book is renewed by a new snapshot alone: the subscription and the connection stay."""
    book, other = RecordingListener(), RecordingListener()
    following = asyncio.create_task(public.market.order_book(SYMBOL, book))
    beside = asyncio.create_task(public.market.order_book(OTHER, other))
    await book.until(lambda: len(book.events) > 5)
    await other.until(lambda: len(other.events) > 5)
    requests, sockets = len(line.sent), line.sockets
    line.treat = losing_one()
    await book.until(lambda: book.breaks)
    await stop(following)
    renewed = RecordingListener()
    following = asyncio.create_task(public.market.order_book(SYMBOL, renewed))
    await renewed.until(lambda: len(renewed.events) > 5)
    assert kucoin.venue.history is not None
    number, scale = renewed.book.nonce or 0, kucoin.venue.instruments["KCS-USDT"].scale
    truth = kucoin.venue.history.book_as_of("KCS-USDT", number)
    own = [(float(scale.price_text(price)), float(scale.quantity_text(lots))) for price, lots in truth.bids[:50]]
    assert renewed.book.bids.levels(50) == own
    assert (len(line.sent), line.sockets, beside.done()) == (requests, sockets, False)
    for task in (following, beside):
        task.cancel()
    await asyncio.wait({following, beside})


async def test_the_snapshot_of_a_book_that_broke_meanwhile_is_not_delivered(
    public: Exchange, line: HoldingLine
) -> None:
    """It comes when the book is followed anew, and before the next frame: it lacks what was lost."""
    first, second, third = RecordingListener(), RecordingListener(), RecordingListener()
    following = asyncio.create_task(public.market.order_book(SYMBOL, first))
    await first.until(lambda: len(first.events) > 5)
    line.released.clear()
    line.held.clear()
    line.treat = losing_one()
    await first.until(lambda: first.breaks)
    await stop(following)
    following = asyncio.create_task(public.market.order_book(SYMBOL, second))
    await line.held.wait()
    line.treat = losing_one()
    await second.until(lambda: second.breaks)
    line.treat = lambda frame: None if "level2:KCS-USDT" in frame else frame
    await stop(following)
    following = asyncio.create_task(public.market.order_book(SYMBOL, third))
    line.passed_on.clear()
    line.released.set()
    await line.passed_on.wait()
    await public.market.fetch_trades(SYMBOL)  # by then the answer has been handled
    assert third.events == []
    await stop(following)


async def test_an_order_made_long_ago_hides_none_that_ended_since(kucoin: Server) -> None:
    """KuCoin lists them by when they changed; ccxt leaves out those made before, so that a full answer shrinks."""
    kucoin.market.paused = True
    keys = {"api_key": "demo-key", "secret": "demo-secret", "password": "demo-passphrase"}
    exchange = await open_exchange("kucoin", Credentials(**keys, urls={"base": kucoin.url}))
    await exchange.prepare()
    execution = exchange.execution
    resting = CreatePayload(symbol=SYMBOL, side="buy", type="limit", amount_base=Decimal(1), price=Decimal(5))
    old = (await execution.create_order(resting, "old")).orders[0].id
    since_ms = now_ms() + 1
    while now_ms() <= since_ms:
        await asyncio.sleep(0.001)  # a clock tells nobody
    fleeting = replace(resting, time_in_force="IOC")
    made = [(await execution.create_order(fleeting, f"before-{n}")).orders[0].id for n in range(60)]
    await execution.cancel_order(CancelPayload(symbol=SYMBOL, order_id=old))
    made += [(await execution.create_order(fleeting, f"after-{n}")).orders[0].id for n in range(60)]
    found = {order.id for order in await exchange.account.fetch_closed_orders(SYMBOL, since_ms)}
    assert set(made) <= found
    await exchange.close()


@pytest.mark.parametrize("amount", [{"amount_base": Decimal(2)}, {"amount_quote": Decimal("23.7")}])
async def test_a_market_order_of_which_nothing_was_given_up_is_closed(line: Line, amount: dict[str, Decimal]) -> None:
    """The exchange's events say of it that it was canceled; of one that gave up more than the least amount it is so."""
    keys = {"api_key": "demo-key", "secret": "demo-secret", "password": "demo-passphrase"}
    exchange = await open_exchange("kucoin", Credentials(**keys, adapter="ccxt", urls={"base": line.url}))
    await exchange.prepare()
    events = RecordingListener()
    order = CreatePayload(symbol=SYMBOL, side="buy", type="market", **amount)

    def statuses(order_id: str) -> set[str | None]:
        return {each.status for each in events.orders if each.id == order_id}

    async def bought(name: str, status: str) -> None:
        order_id = (await exchange.execution.create_order(order, name)).orders[0].id
        await events.until(lambda: statuses(order_id) & {"closed", "canceled"})
        assert statuses(order_id) - {"open"} == {status}

    async with streaming(exchange.account.orders(SYMBOL, events)):
        for number in range(50):
            await exchange.execution.create_order(order, f"begun-{number}")
            if events.orders:
                break
            await asyncio.sleep(0.1)  # nothing else shows that the subscription stands
        line.treat = canceled
        await bought("whole", "closed")
        line.treat = given_up
        await bought("part", "canceled")
    await exchange.close()


def canceled(frame: str) -> str:
    """Return a frame that calls an order that is over canceled."""
    return frame.replace('"type":"filled"', '"type":"canceled"')


def given_up(frame: str) -> str:
    """Return a frame that calls it canceled, and says that a part of it was given up."""
    frame = re.sub('"canceledFunds":"[^"]*"', '"canceledFunds":"9"', canceled(frame))
    return re.sub('"(originSize|size)":"2"', r'"\1":"3"', frame) if '"type":"canceled"' in frame else frame
