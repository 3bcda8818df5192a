"""Connections: shared among streams, and replaced before they end."""

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest
from libs.exchange.tests.contracts import RecordingListener, streaming
from libs.exchange.tests.native.conftest import OpenFeed
from libs.exchange.tests.native.test_faults import assert_right
from libs.exchange.tests.native.wording import Wording
from tests.support.line import Line
from tests.support.line.socket import Socket

from millrace_exchange import Retryable
from millrace_exchange.native import connection, pool
from millrace_exchange.native.market_feed import NativeMarketFeed
from millrace_simulator.server import Server

SYMBOLS = ["ETH/BTC", "BTC/USDT", "ETH/USDT", "SOL/USDT"]
SHUTDOWN = '{"e":"serverShutdown","E":1}'


async def test_streams_that_begin_together_are_one_request_on_one_connection(
    feed: NativeMarketFeed, line: Line, wording: Wording
) -> None:
    """Requests and connections are limited."""
    listeners = [RecordingListener() for _ in SYMBOLS]
    streams = [asyncio.create_task(feed.trades(*each)) for each in zip(SYMBOLS, listeners, strict=True)]
    await listeners[0].until(lambda: listeners[0].trades)
    assert (line.sockets, [len(streams) for streams in wording.subscribed(line.sent)]) == (1, [len(SYMBOLS)])
    for stream in streams:
        stream.cancel()
    await asyncio.wait(streams)


async def test_a_full_connection_is_followed_by_another(open_feed: OpenFeed, line: Line, wording: Wording) -> None:
    """No connection carries more than it may, and requests are as long as they may be."""
    feed = await open_feed(streams=2, streams_a_request=1, connect_interval_s=0.0)
    listeners = [RecordingListener() for _ in SYMBOLS]
    streams = [asyncio.create_task(feed.trades(*each)) for each in zip(SYMBOLS, listeners, strict=True)]
    for listener in listeners:
        await listener.until(lambda listener=listener: listener.trades)
    assert (line.sockets, len(wording.subscribed(line.sent))) == (2, 4)
    for stream in streams:
        stream.cancel()
    await asyncio.wait(streams)


async def test_requests_keep_the_exchanges_pace(open_feed: OpenFeed, line: Line) -> None:
    """However many streams begin one by one, there is a pause between their requests."""
    feed = await open_feed(streams_a_request=1, request_interval_s=0.25)
    loop, times = asyncio.get_running_loop(), list[float]()
    listeners = [RecordingListener() for _ in SYMBOLS]
    streams = [asyncio.create_task(feed.trades(*each)) for each in zip(SYMBOLS, listeners, strict=True)]
    for count in range(1, 5):
        async with asyncio.timeout(5):
            while len(line.sent) < count:
                await asyncio.sleep(0.005)
        times.append(loop.time())
    assert times[-1] - times[0] >= 0.6
    for stream in streams:
        stream.cancel()
    await asyncio.wait(streams)


async def test_a_stream_that_begins_again_at_once_needs_no_request(
    feed: NativeMarketFeed, line: Line, wording: Wording
) -> None:
    """The subscription outlives its listener for a moment; after it, the exchange is told to end it."""
    for _ in range(3):
        listener = RecordingListener()
        async with streaming(feed.trades(SYMBOLS[0], listener)):
            await listener.until(lambda listener=listener: listener.trades)
    assert len(line.sent) == 1
    async with asyncio.timeout(5):
        while len(line.sent) < 2:
            await asyncio.sleep(0.02)
    assert wording.is_end(line.sent[1])


class Streams:
    """Books and trades of all symbols, and what must hold of them."""

    def __init__(self, feed: NativeMarketFeed) -> None:
        self.books = {symbol: RecordingListener() for symbol in SYMBOLS}
        self.trades = {symbol: RecordingListener() for symbol in SYMBOLS}
        self.tasks = [asyncio.create_task(feed.order_book(*each)) for each in self.books.items()]
        self.tasks += [asyncio.create_task(feed.trades(*each)) for each in self.trades.items()]

    async def have_begun(self) -> None:
        """Wait until every book came."""
        for book in self.books.values():
            await book.until(lambda book=book: book.resets)
        for trades in self.trades.values():
            await trades.until(lambda trades=trades: trades.trades)

    async def assert_whole(self, server: Server) -> None:
        """Nothing is missing, nothing came twice, and no book began again."""
        for symbol in SYMBOLS:
            book, trades = self.books[symbol], self.trades[symbol].trades
            await book.until(partial(_has_more, book, len(book.events)))
            await assert_right(book, server, symbol)
            assert (book.resets, book.breaks) == (1, [])
            numbers = [int(trade.id or 0) for trade in trades]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert not any(task.done() for task in self.tasks)

    async def end(self) -> None:
        """Stop."""
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)


def _has_more(listener: RecordingListener, seen: int) -> bool:
    return len(listener.events) > seen


async def sockets(line: Line, opened: int, open_now: int = 1) -> None:
    """Wait until so many sockets were opened and so many are."""
    async with asyncio.timeout(60):
        while (line.sockets, len(line.open)) != (opened, open_now):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("dialect", ["binance"])
async def test_a_connection_that_ends_soon_is_replaced_without_a_missing_or_a_doubled_message(
    open_feed: OpenFeed, line: Line, busy: Server
) -> None:
    """The exchange's notice and the connection's age do the same, again and again."""
    feed = await open_feed(connect_interval_s=0.0, request_interval_s=0.02)
    streams = Streams(feed)
    await streams.have_begun()
    for opened in (2, 3, 4):
        await line.say(SHUTDOWN)
        await sockets(line, opened)
        await streams.assert_whole(busy)
    await streams.end()


async def test_an_old_connection_is_replaced(open_feed: OpenFeed, line: Line, busy: Server) -> None:
    """The exchange would end it at the age of 24 hours."""
    feed = await open_feed(connect_interval_s=0.0, request_interval_s=0.02, lifetime_s=1.0)
    streams = Streams(feed)
    await streams.have_begun()
    await sockets(line, 3, 1)
    await streams.assert_whole(busy)
    await streams.end()


@pytest.mark.parametrize("dialect", ["binance"])
async def test_a_slow_old_connection_is_read_until_it_has_caught_up(
    open_feed: OpenFeed, line: Line, busy: Server
) -> None:
    """What is on its way over the old one comes before what the new one brings."""
    feed = await open_feed(connect_interval_s=0.0, request_interval_s=0.02)
    streams = Streams(feed)
    await streams.have_begun()
    line.delay(line.open[0], 0.3)
    for book in streams.books.values():
        await book.until(partial(_has_more, book, len(book.events) + 2))
    await line.say(SHUTDOWN)
    await sockets(line, 2)
    await streams.assert_whole(busy)
    await streams.end()


def mute(line: Line, socket: Socket) -> None:
    """Let nothing come over a socket any more; its pings are answered all the same."""
    passed = line.passed

    def passed_unless_mute(each: Socket, text: str) -> Sequence[str]:
        return [] if each is socket else passed(each, text)

    line.passed = passed_unless_mute  # type: ignore[method-assign]


async def left_after_a_silence(stream: "asyncio.Task[None]", listener: RecordingListener) -> None:
    """End a stream that was silent for as long as it takes to be suspected."""
    seen = -1
    while len(listener.events) > seen:
        seen = len(listener.events)
        await asyncio.sleep(0.25)
    stream.cancel()
    await asyncio.wait({stream})


async def test_a_mute_connection_is_replaced(
    feed: NativeMarketFeed, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers pings and brings nothing: who takes its stream again gets another, and the others learn of it at once.

    They do not wait for the end of the time in which both are heard: their books would be shown as live until then.
    """
    monkeypatch.setattr(connection, "_SILENCE_NS", 200_000_000)
    monkeypatch.setattr(pool, "_MUTE_OVERLAP_S", 3_600.0)
    listeners = [RecordingListener() for _ in SYMBOLS]
    first, *others = (asyncio.create_task(feed.trades(*each)) for each in zip(SYMBOLS, listeners, strict=True))
    for listener in listeners:
        await listener.until(lambda listener=listener: listener.trades)
    mute(line, line.open[0])
    await left_after_a_silence(first, listeners[0])
    again = RecordingListener()
    async with streaming(feed.trades(SYMBOLS[0], again)):
        await again.until(lambda: again.trades)
        assert line.sockets == 2
        async with asyncio.timeout(60):
            for other in others:
                with pytest.raises(Retryable, match="sends nothing"):
                    await other


async def test_a_quiet_connection_is_replaced_without_a_missing_message(
    feed: NativeMarketFeed, line: Line, busy: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing tells it from a mute one when a stream is left."""
    monkeypatch.setattr(connection, "_SILENCE_NS", 200_000_000)
    monkeypatch.setattr(pool, "_MUTE_OVERLAP_S", 0.2)
    left, kept = RecordingListener(), RecordingListener()
    leaving = asyncio.create_task(feed.trades(SYMBOLS[0], left))
    async with streaming(feed.trades(SYMBOLS[1], kept)):
        for listener in (left, kept):
            await listener.until(lambda listener=listener: listener.trades)
        assert busy.driver is not None
        busy.driver.cancel()
        await left_after_a_silence(leaving, left)
        await sockets(line, 2)
        busy.market.step(busy.market.now_us + 2_000_000)
        await kept.until(partial(_has_more, kept, len(kept.events)))
    numbers = [int(trade.id or 0) for trade in kept.trades]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
