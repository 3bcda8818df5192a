"""Writing and reading over a real Valkey: ours compared with redis-py's bare commands."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import msgspec
import redis.asyncio as redis_asyncio

from benchmarks.figures import Figure, interleaved
from millrace_bus import Bus, EmbeddedServer, StreamWriter, Update
from millrace_core.book import OrderBook
from millrace_core.market import BookDelta, BookSnapshot
from millrace_core.messages import Message, Outgoing, encode
from millrace_core.names import StreamName
from millrace_core.trace import Trace

ROUNDS = 7
BATCHES = {1: 1_000, 16: 400}
READ = 30_000
RETENTION = 10_000
_DELTA = BookDelta([(10.0 - i / 100, 1.5 + i) for i in range(8)], [(10.01 + i / 100, 2.5) for i in range(4)], 918273)
_BOOK = OrderBook()
_BOOK.replace(_DELTA.bids, _DELTA.asks, _DELTA.nonce)
_TRACE = Trace(exchange=1763800000123000000, received=1763800000125400000)
_NAME = StreamName.parse("stream.BENCH.binance.watchOrderBook.BTC/USDT")


async def run(folder: Path) -> list[Figure]:
    """Measure writing in batches of 1 and 16, and reading."""
    async with await EmbeddedServer.start(folder / "bus") as server, _clients(server.url) as (bus, redis):
        return [*(await _writing(bus, redis)), await _reading(server.url, bus, redis)]


@asynccontextmanager
async def _clients(url: str) -> AsyncIterator[tuple[Bus, Any]]:
    redis: Any = redis_asyncio.Redis.from_url(url, protocol=3)
    async with Bus.connect(url, name="bench") as bus:
        await bus.ready()
        yield bus, redis
    await redis.aclose()


def _snapshot(as_of: object) -> BookSnapshot:
    return BookSnapshot(_DELTA.bids, _DELTA.asks, str(as_of), _BOOK.checksum(), _DELTA.nonce)


async def _writing(bus: Bus, redis: Any) -> list[Figure]:
    writer = bus.writer(_NAME, _snapshot, retention=RETENTION, snapshot_interval_s=3600)
    await writer.open()
    figures = []
    for size, batches in BATCHES.items():
        ours, bare = await interleaved(
            ROUNDS,
            lambda size=size, batches=batches: _our_writing(writer, size, batches),
            lambda size=size, batches=batches: _bare_writing(redis, size, batches),
        )
        target = 0.9 if size == 16 else None
        figures.append(
            Figure(f"bus writing, ×{size}", "messages/s", ours, bare, "redis-py's pipeline, bytes ready", target)
        )
    await writer.close()
    return figures


async def _our_writing(writer: StreamWriter, size: int, batches: int) -> float:
    started = time.perf_counter()
    for _ in range(batches):
        for _ in range(size):
            writer.delta(_DELTA, timestamp=1763800000123, trace=_TRACE)
        await writer.drained()
    return size * batches / (time.perf_counter() - started)


async def _bare_writing(redis: Any, size: int, batches: int) -> float:
    raw = encode(Outgoing("1763800000000-42", "delta", 1763800000123, _TRACE, _DELTA))
    started = time.perf_counter()
    for _ in range(batches):
        pipeline = redis.pipeline(transaction=False)
        for _ in range(size):
            pipeline.xadd("bare", {"data": raw}, maxlen=RETENTION, approximate=True)
            pipeline.publish("bare", raw)
        await pipeline.execute()
    return size * batches / (time.perf_counter() - started)


async def _reading(url: str, bus: Bus, redis: Any) -> Figure:
    ours, bare = await interleaved(ROUNDS, lambda: _our_reading(url, bus), lambda: _bare_reading(url, redis))
    return Figure("bus reading, recovered book", "messages/s", ours, bare, "redis-py's pub/sub, decoded", None)


async def _our_reading(url: str, bus: Bus) -> float:
    name = StreamName.parse("stream.BENCH.binance.watchOrderBook.READ/USDT")
    writer = bus.writer(name, _snapshot, snapshot_interval_s=3600)
    await writer.open()
    await writer.drained()
    assert writer.last is not None
    epoch, seq = writer.last
    done = asyncio.Event()
    follower = bus.follow(name, lambda update: _stop_at(update, seq + READ, done))
    await follower.ready()
    rate = await _flood(url, str(name), [_message(epoch, seq + number) for number in range(1, READ + 1)], done)
    assert follower.counters.gaps == 0
    await follower.close()
    await writer.close()
    return rate


def _stop_at(update: Update, seq: int, done: asyncio.Event) -> None:
    if update.id is not None and update.id.seq == seq:
        done.set()


async def _bare_reading(url: str, redis: Any) -> float:
    done = asyncio.Event()
    async with redis.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe("bare")
        await channel.get_message(timeout=5)
        receiving = asyncio.create_task(_bare_receiver(channel, done))
        rate = await _flood(url, "bare", [_message(1, number) for number in range(1, READ + 1)], done)
        await receiving
    return rate


async def _bare_receiver(channel: Any, done: asyncio.Event) -> None:
    envelope, delta = msgspec.json.Decoder(Message), msgspec.json.Decoder(BookDelta)
    received = 0
    async for message in channel.listen():
        delta.decode(envelope.decode(message["data"]).data)
        received += 1
        if received == READ:
            done.set()
            return


def _message(epoch: int, seq: int) -> bytes:
    return encode(Outgoing(f"{epoch}-{seq}", "delta", 1763800000123, _TRACE, _DELTA))


async def _flood(url: str, channel: str, messages: list[bytes], done: asyncio.Event) -> float:
    """Publish everything over a raw socket; return the messages per second until the reader has the last one."""
    name = channel.encode()
    raw = b"".join(
        b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(name), name, len(message), message)
        for message in messages
    )
    loop = asyncio.get_running_loop()
    address = urlparse(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        started = time.perf_counter()
        sending = loop.run_in_executor(None, _send, connection, raw, len(messages))
        async with asyncio.timeout(60):
            await done.wait()
        seconds = time.perf_counter() - started
        await sending
    return len(messages) / seconds


def _send(connection: socket.socket, raw: bytes, replies: int) -> None:
    """Send in pieces, and read the replies so that the server never waits for us."""
    view, answered = memoryview(raw), 0
    for start in range(0, len(raw), 65_536):
        connection.sendall(view[start : start + 65_536])
        answered += connection.recv(65_536).count(b"\n") if start else 0
    while answered < replies:
        answered += connection.recv(65_536).count(b"\n")
