"""Frames that are lost, doubled and unreadable, sockets that are cut and refused."""

import asyncio
import time

import aiohttp
import pytest
from libs.exchange.tests.contracts import RecordingListener, streaming
from libs.exchange.tests.native.conftest import OpenFeed
from libs.exchange.tests.native.wording import Wording
from tests.support.line import Line

from millrace_core.actions import BIDS_ASKS
from millrace_core.names import ExchangeId
from millrace_exchange import Rejected, Retryable, profile_of
from millrace_exchange.native.market_feed import NativeMarketFeed
from millrace_simulator.listings import DialectName
from millrace_simulator.server import Server

SYMBOL, OTHER = "ETH/BTC", "BTC/USDT"


async def assert_right(listener: RecordingListener, server: Server, symbol: str) -> None:
    """Compare a book with the exchange's own of the same number."""
    nonce, levels = listener.book.nonce, (listener.book.bids.levels(), listener.book.asks.levels())
    market = next(each for each in server.venue.instruments if each.replace("-", "") == symbol.replace("/", ""))
    query = {"symbol": market, "updateId": str(nonce)}
    async with aiohttp.ClientSession(server.url) as session, session.get("/simulator/book", params=query) as answer:
        book = await answer.json()
    own = tuple([(float(price), float(amount)) for price, amount in book[side]] for side in ("bids", "asks"))
    assert levels == own


def losing(line: Line, wording: Wording, symbol: str) -> None:
    """Lose the next frame of a book."""

    def treat(frame: str) -> list[str]:
        if wording.is_of(frame, "book", symbol):
            line.treat = lambda frame: [frame]
            return []
        return [frame]

    line.treat = treat


async def test_a_gap_in_one_book_is_mended_on_the_same_connection(
    feed: NativeMarketFeed, line: Line, busy: Server, wording: Wording
) -> None:
    """It is told at once, the book begins again without a new subscription, and no other stream notices."""
    book, other, trades = RecordingListener(), RecordingListener(), RecordingListener()
    async with (
        streaming(feed.order_book(SYMBOL, book)),
        streaming(feed.order_book(OTHER, other)),
        streaming(feed.trades(SYMBOL, trades)),
    ):
        for listener in (book, other):
            await listener.until(lambda listener=listener: listener.resets == 1 and len(listener.events) > 3)
        await trades.until(lambda: trades.trades)
        requests = len(line.sent)
        losing(line, wording, SYMBOL)
        await book.until(lambda: book.breaks)
        await book.until(lambda: book.resets == 2)
        seen = len(book.events)
        await book.until(lambda: len(book.events) > seen + 3)
        await assert_right(book, busy, SYMBOL)
        await assert_right(other, busy, OTHER)
    assert "expected update" in book.breaks[0]
    assert (other.resets, other.breaks) == (1, [])
    assert (line.sockets, len(line.sent)) == (1, requests)
    numbers = [int(trade.id or 0) for trade in trades.trades]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_doubled_and_late_frames_change_nothing(
    feed: NativeMarketFeed, line: Line, busy: Server, wording: Wording
) -> None:
    """The book stays the exchange's own."""
    book, before = RecordingListener(), [""]

    def doubled(frame: str) -> list[str]:
        former, before[0] = before[0], frame
        return [frame, former, frame] if wording.is_of(former, "book") else [frame]

    line.treat = doubled
    async with streaming(feed.order_book(SYMBOL, book)):
        await book.until(lambda: len(book.events) > 20)
        await assert_right(book, busy, SYMBOL)
    assert (book.resets, book.breaks) == (1, [])


async def test_messages_in_several_frames_are_whole(feed: NativeMarketFeed, line: Line, busy: Server) -> None:
    """A proxy on the way may divide them as it likes; pings come between."""
    line.fragments = 3
    book, trades = RecordingListener(), RecordingListener()
    async with streaming(feed.order_book(SYMBOL, book)), streaming(feed.trades(SYMBOL, trades)):
        await trades.until(lambda: len(trades.trades) > 5)
        await book.until(lambda: len(book.events) > 5)
        await assert_right(book, busy, SYMBOL)
    assert (book.resets, book.breaks, line.sockets) == (1, [], 1)


async def test_best_prices_that_come_late_change_nothing(feed: NativeMarketFeed, line: Line) -> None:
    """The newer ones came before, and nothing may come after them for long."""
    prices, frames = RecordingListener(), list[str]()

    def late(frame: str) -> list[str]:
        if '"subject":"level1"' not in frame and not frame.startswith('{"u":'):
            return [frame]
        if len(frames) == 20:
            return []
        frames.append(frame)
        return [frame, frames[0]] if len(frames) > 5 else [frame]

    line.treat = late
    async with streaming(feed.fields(BIDS_ASKS, SYMBOL, prices)):
        await prices.until(lambda: len(frames) == len(prices.events) == 20)
        await feed.fetch_trades(SYMBOL)  # what was on its way has arrived
    assert len(prices.events) == 20


async def test_a_cut_breaks_every_stream_and_one_new_connection_carries_them_again(
    feed: NativeMarketFeed, line: Line, busy: Server
) -> None:
    """All learn of it; the next socket is shared as the last was."""
    listeners = [RecordingListener(), RecordingListener()]
    for sockets in (1, 2):
        streams = [
            asyncio.create_task(feed.order_book(symbol, listener))
            for symbol, listener in zip((SYMBOL, OTHER), listeners, strict=True)
        ]
        for listener in listeners:
            await listener.until(lambda listener=listener, sockets=sockets: listener.resets == sockets)
        assert line.sockets == sockets
        await line.cut()
        for stream in streams:
            with pytest.raises(Retryable, match="ended the connection"):
                await stream


async def test_an_event_that_cannot_be_read_breaks_its_stream_alone(
    feed: NativeMarketFeed, line: Line, wording: Wording
) -> None:
    """What it said is missing there; the exchange may send such events of one market again and again."""
    trades, other = RecordingListener(), RecordingListener()
    stream = asyncio.create_task(feed.trades(SYMBOL, trades))
    async with streaming(feed.order_book(OTHER, other)):
        await other.until(lambda: other.resets)
        for _ in range(2):
            await trades.until(lambda: trades.trades)
            await line.say(wording.unreadable)
            with pytest.raises(Retryable, match="cannot be read"):
                await stream
            trades.trades.clear()
            stream = asyncio.create_task(feed.trades(SYMBOL, trades))
        await trades.until(lambda: trades.trades)
        assert (other.resets, other.breaks, line.sockets) == (1, [], 1)
    stream.cancel()
    await asyncio.wait({stream})


@pytest.mark.parametrize("frame", ["<html>", '{"e":"trade","subject":"trade.l3match"}'])
async def test_an_unreadable_frame_ends_the_connection(feed: NativeMarketFeed, line: Line, frame: str) -> None:
    """What it said is missing, and nobody knows from which stream."""
    trades = RecordingListener()
    stream = asyncio.create_task(feed.trades(SYMBOL, trades))
    await trades.until(lambda: trades.trades)
    await line.say(frame)
    with pytest.raises(Retryable):
        await stream


@pytest.mark.parametrize(("status", "retry_after"), [(429, "7"), (418, None)])
async def test_a_refused_connection_is_not_tried_again_before_the_pause_ends(
    open_feed: OpenFeed, line: Line, dialect: DialectName, status: int, retry_after: str | None
) -> None:
    """Every stream learns how long to wait, and a new one makes no attempt meanwhile, on whatever connection."""
    feed = await open_feed(connect_interval_s=0.0)
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    pause_ms = 7_000 if retry_after else profile_of(ExchangeId(dialect)).requests.ban_ms
    line.refusal = (status, headers)
    for symbol in (SYMBOL, OTHER):
        with pytest.raises(Retryable) as refused:
            await feed.trades(symbol, RecordingListener())
        assert pause_ms - 2_000 < refused.value.retry_after_ms <= pause_ms
    assert line.attempts == 1


async def test_attempts_to_connect_are_paced(open_feed: OpenFeed, line: Line) -> None:
    """However often streams begin again, the exchange sees no more attempts than it allows."""
    feed = await open_feed(connect_interval_s=0.2)
    line.refusal = (500, {})
    await feed.fetch_trades(SYMBOL)
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(Retryable):
            await feed.trades(SYMBOL, RecordingListener())
    assert time.monotonic() - began > 0.4


async def test_a_stream_that_the_exchange_refuses_is_rejected(
    feed: NativeMarketFeed, line: Line, wording: Wording
) -> None:
    """It says why; the next attempt asks again."""
    line.treat = lambda frame: [frame.replace(wording.confirmed, wording.refused)]
    for _ in range(2):
        with pytest.raises(Rejected, match="Invalid request"):
            await feed.trades(SYMBOL, RecordingListener())
    assert len(line.sent) == 2


async def test_candles_that_the_exchange_does_not_have_are_refused(feed: NativeMarketFeed) -> None:
    """The answer names those that it has."""
    with pytest.raises(Rejected, match="1m"):
        await feed.candles(SYMBOL, "7m", RecordingListener())


async def test_a_listener_that_fails_keeps_no_message_from_another(
    feed: NativeMarketFeed, busy: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Its own stream breaks; of the other's, which has the same messages, none is missing."""
    failing, other = RecordingListener(), RecordingListener()
    stream = asyncio.create_task(feed.order_book(SYMBOL, failing))
    await failing.until(lambda: failing.resets and len(failing.events) > 3)
    async with streaming(feed.order_book(SYMBOL, other)):
        await other.until(lambda: other.resets)
        failing.book_changed = None  # type: ignore[assignment, method-assign]
        with pytest.raises(Retryable, match="could not be handled"):
            await stream
        seen = len(other.events)
        await other.until(lambda: len(other.events) > seen + 3)
        await assert_right(other, busy, SYMBOL)
    assert (other.resets, other.breaks) == (1, [])
    assert "is not callable" in caplog.text


@pytest.mark.parametrize("body", [b'{"code":"200000","data":{}}', b'{"code":"200000","data":{"bids":null,"asks":{}}}'])
async def test_a_snapshot_that_says_nothing_is_a_failure_of_the_exchange(
    feed: NativeMarketFeed, line: Line, body: bytes
) -> None:
    """Whatever ccxt makes of such a body, and we of that: it is asked for again, and nothing else ends."""
    line.replace = lambda path, answer: body if "depth" in path or "orderbook" in path else answer
    with pytest.raises(Retryable):
        await feed.order_book(SYMBOL, RecordingListener())
