"""The ccxt adapter on KuCoin spot, as the simulator speaks it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from libs.exchange.tests.contracts import RecordingListener
from tests.support.line import Line, line_to

from millrace_core.config.common import Credentials
from millrace_exchange import Exchange, open_exchange
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


@pytest.fixture
async def line(kucoin: Server) -> AsyncIterator[Line]:
    """The line to it."""
    async with line_to(kucoin.url) as line:
        yield line


@pytest.fixture
async def public(line: Line) -> AsyncIterator[Exchange]:
    """It as anybody sees it."""
    exchange = await open_exchange("kucoin", Credentials(adapter="ccxt", urls={"base": line.url}))
    await exchange.prepare()
    yield exchange
    await exchange.close()


async def test_fetched_trades_have_the_ids_of_streamed_ones(public: Exchange, kucoin: Server) -> None:
    """Without ids every trade that is asked for again would count as a new one."""
    kucoin.market.paused = True
    market = kucoin.venue.instruments["KCS-USDT"]
    fetched = await public.market.fetch_trades(SYMBOL)
    assert [trade.id for trade in fetched] == [str(trade.trade_id) for trade in market.tape.since(0)[-len(fetched) :]]
    assert fetched


async def test_a_lost_frame_costs_no_other_stream_anything(public: Exchange, line: Line, kucoin: Server) -> None:
    """The book is renewed by a new snapshot alone: the subscription and the connection stay."""
    book, other = RecordingListener(), RecordingListener()
    following = asyncio.create_task(public.market.order_book(SYMBOL, book))
    beside = asyncio.create_task(public.market.order_book(OTHER, other))
    await book.until(lambda: len(book.events) > 5)
    await other.until(lambda: len(other.events) > 5)
    requests, sockets = len(line.sent), line.sockets
    lost: list[str] = []

    def lose_one(frame: str) -> str | None:
        if "level2:KCS-USDT" in frame and not lost:
            lost.append(frame)
            return None
        return frame

    line.treat = lose_one
    await book.until(lambda: book.breaks)
    following.cancel()
    await asyncio.wait({following})
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
