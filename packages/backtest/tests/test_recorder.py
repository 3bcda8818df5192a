"""A recording of real journals: everything, in order, and what is missing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from millrace_backtest.errors import RecordingUnreadable
from millrace_backtest.recording.files import Recording, RecordingWriter
from millrace_backtest.recording.lines import GapRecorded, RecordedMessage, message_line, parse_line
from millrace_backtest.recording.recorder import Recorder, recorded_tenant
from millrace_backtest.recording.summary import check
from millrace_bus import Bus, EmbeddedServer, StreamWriter
from millrace_core.book import OrderBook
from millrace_core.clock import now_ns
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot, Trade, TradesDelta, TradesSnapshot
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant, is_snapshot, trader_actions
from millrace_core.requests import CancelAllOrders

TENANT = Tenant("Ann")
BOOK = StreamName(TENANT, ExchangeId("binance"), Action("watchOrderBook"), Symbol("ETH/USDT"))
TRADES = BOOK._replace(action=Action("watchTrades"))
ANSWERS = BOOK._replace(action=Action("cancelAllOrders"))


class Feed:
    """Writers of a book and of trades."""

    def __init__(self, bus: Bus) -> None:
        self.amount = 1.0
        self.book = bus.writer(BOOK, self._book)
        self.trades = bus.writer(TRADES, lambda as_of: TradesSnapshot([], str(as_of)))
        self.sent: list[tuple[str, str]] = []

    async def open(self) -> None:
        """Open both streams."""
        await self.book.open()
        await self.trades.open()

    async def close(self) -> None:
        """Close both streams."""
        await self.book.close()
        await self.trades.close()

    def write(self, count: int) -> None:
        """Write changes of the book and trades in turn."""
        for _ in range(count):
            self.amount += 1
            self.book.delta(BookDelta([(100.0, self.amount)], []))
            self.trades.delta(TradesDelta([Trade("1", 1, "ETH/USDT", "buy", 100.0, self.amount)]))

    def _book(self, as_of: MessageId) -> BookSnapshot:
        book = OrderBook()
        book.replace([(100.0, self.amount)], [], None)
        return BookSnapshot([(100.0, self.amount)], [], str(as_of), book.checksum())


@pytest.fixture
async def feed(bus: Bus) -> AsyncIterator[Feed]:
    """Writers of two streams, which are open."""
    feed = Feed(bus)
    await feed.open()
    yield feed
    await feed.close()


@asynccontextmanager
async def recorded(bus: Bus, path: Path, *streams: str) -> AsyncIterator[RecordingWriter]:
    """Record while the body runs; what is in the journals at its end is recorded."""
    stop = asyncio.Event()
    with RecordingWriter(path, now_ns()) as writer:
        task = asyncio.create_task(Recorder(bus, writer, [recorded_tenant(TENANT, streams)]).run(stop))
        try:
            await reached(lambda: writer.messages > 0 or task.done())
            yield writer
        finally:
            stop.set()
            await task


async def reached(condition: Callable[[], bool]) -> None:
    """Wait until something that nobody announces is so."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def ids(path: Path, name: StreamName) -> list[MessageId]:
    """Return the ids that are recorded of a stream."""
    return [
        MessageId.parse(each.what.id)
        for each in Recording(path)
        if each.name == str(name) and isinstance(each.what, RecordedMessage)
    ]


async def test_everything_is_recorded_in_the_order_of_the_channels(bus: Bus, feed: Feed, tmp_path: Path) -> None:
    """Each message once, byte for byte, in the order in which another subscriber gets them; requests too."""
    feed.write(3)
    path = tmp_path / "a.jsonl.gz"
    async with Redis.from_url(bus.url) as client, client.pubsub() as channels:
        await channels.psubscribe("stream.Ann.*")
        async with recorded(bus, path):
            for _ in range(100):
                feed.write(2)
                await asyncio.sleep(0)
            answers = bus.writer(ANSWERS, None)
            await answers.open()
            answers.response(Response("0" * 32, "done"))
            await bus.requests.send(TENANT, CancelAllOrders(exchange_id="binance"))
            await drained(feed.book, feed.trades, answers)
        reported = [message async for message in _until_answered(channels)]
    await answers.close()
    held = [each for each in Recording(path) if isinstance(each.what, RecordedMessage)]
    assert {each.name for each in held[:2]} == {BOOK.snapshot, TRADES.snapshot}
    for name, writer in ((BOOK, feed.book), (TRADES, feed.trades)):
        assert ids(path, name)[: writer.last.seq] == [
            MessageId(writer.last.epoch, seq) for seq in range(1, writer.last.seq + 1)
        ]
    placed = [(each.name, bytes(each.what.body)) for each in held if not is_snapshot(each.name)]
    assert [each for each in placed if each in set(reported)][-len(reported) :] == reported
    assert len(reported) > 400
    assert trader_actions(TENANT) in {each.name for each in held}
    assert check([Recording(path)]).problems == []


async def _until_answered(channels: Any) -> AsyncIterator[tuple[str, bytes]]:
    """Return what a subscriber gets until an answer comes."""
    async for message in channels.listen():
        if message["type"] == "pmessage":
            yield message["channel"].decode(), message["data"]
            if b'"response"' in message["data"]:
                return


async def drained(*writers: StreamWriter) -> None:
    """Wait until Redis has everything."""
    for writer in writers:
        await writer.drained()


async def test_messages_that_the_journal_lacks_are_a_gap(bus: Bus, feed: Feed, tmp_path: Path) -> None:
    """What was removed before it could be read is recorded as missing: which, and how many."""
    path = tmp_path / "a.jsonl.gz"
    feed.write(10)
    await drained(feed.book)
    lost = [MessageId(feed.book.last.epoch, feed.book.last.seq - back) for back in (5, 4)]
    async with Redis.from_url(bus.url) as client:
        assert await client.xdel(str(BOOK), *map(str, lost)) == 2
    async with recorded(bus, path):
        pass
    (gap,) = [each.what for each in Recording(path) if isinstance(each.what, GapRecorded)]
    assert [MessageId(gap.epoch, seq) for seq in range(gap.first_seq, gap.last_seq + 1)] == lost
    assert not set(lost) & set(ids(path, BOOK))
    found = check([Recording(path)])
    assert not found.is_whole
    assert found.streams[str(BOOK)].missing == 2


async def test_an_outage_of_redis_loses_nothing(server: EmbeddedServer, bus: Bus, feed: Feed, tmp_path: Path) -> None:
    """The channels are silent meanwhile; the journals have everything once the writers have written it again."""
    path = tmp_path / "a.jsonl.gz"
    async with recorded(bus, path):
        feed.write(50)
        await server.kill()
        feed.write(50)
        await server.restart()
        feed.write(50)
        await drained(feed.book, feed.trades)
    assert check([Recording(path)]).problems == []
    assert ids(path, BOOK)[-1] == feed.book.last


async def test_only_the_streams_that_are_asked_for(bus: Bus, feed: Feed, tmp_path: Path) -> None:
    """A pattern chooses streams, and their snapshots with them."""
    path = tmp_path / "a.jsonl.gz"
    async with recorded(bus, path, "*.watchTrades.*"):
        feed.write(5)
        await drained(feed.book, feed.trades)
    assert {each.name for each in Recording(path)} == {str(TRADES), TRADES.snapshot}


def test_a_recording_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """What was flushed is there; that the end is missing shows."""
    path, cut = tmp_path / "a.jsonl.gz", tmp_path / "cut.jsonl.gz"
    with RecordingWriter(path, 1) as writer:
        for number in range(1, 101):
            writer.message(str(BOOK), number, f"1-{number}", b'{"id":"1-%d","type":"delta"}' % number)
            writer.flush()
        writer.end(101)
    cut.write_bytes(path.read_bytes()[:-200])
    recording = Recording(cut)
    found = [each.what.id for each in recording if isinstance(each.what, RecordedMessage)]
    assert 50 < len(found) < 100
    assert found == [f"1-{number}" for number in range(1, len(found) + 1)]
    assert recording.ends is None
    assert not check([recording]).is_whole


@pytest.mark.parametrize("content", [b"", b"no gzip", b"\x1f\x8b\x08\x00"])
def test_a_file_that_is_no_recording_says_so(content: bytes, tmp_path: Path) -> None:
    """Whatever it holds instead; an empty one holds nothing."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(content)
    try:
        assert list(Recording(path)) == []
    except RecordingUnreadable as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("body", [b'{"a":\n 1}', b"no json", b"\xff\x00", b"", b"[" * 100_000, b"1", b'"text"'])
def test_any_body_is_one_line(body: bytes) -> None:
    """Bodies of other programs may be anything."""
    raw = message_line(0, 5, "1-1", body)
    assert raw.count(b"\n") == 1
    line = parse_line(raw)
    assert isinstance(line, RecordedMessage)
    if body == b'{"a":\n 1}':
        assert msgspec.json.decode(line.body) == {"a": 1}
    assert not is_snapshot(str(BOOK))
