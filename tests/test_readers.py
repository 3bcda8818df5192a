"""The readers in examples/readers, which use nothing of millrace: they keep to the protocol when messages are lost."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.support.platform import ROOT, running, until

from millrace_bus import EmbeddedServer

READERS = ROOT / "examples" / "readers"
NAME = "stream.PUBLIC.binance.watchOrderBook.ETH/BTC"
NODE = shutil.which("node")
LANGUAGES = [
    "python",
    pytest.param("node", marks=pytest.mark.skipif(NODE is None, reason="there is no node on this machine")),
]
LINES = 60


class Book:
    """A writer in small, by docs/protocol.md, that can lose what it publishes."""

    def __init__(self, redis: Any, epoch: int) -> None:
        self._redis, self._epoch, self.seq = redis, epoch, 0
        self.bids = {10.0: 1.0}

    async def open(self) -> None:
        """Write the first snapshot and the first status."""
        await self.snapshot()
        await self._write("status", {"status": "live"})

    async def snapshot(self) -> None:
        """Write the whole book."""
        data = {"bids": list(self.bids.items()), "asks": [[11.0, 1.0]], "asOf": f"{self._epoch}-{self.seq}"}
        snapshot = NAME.replace("stream.", "stream.snapshot.")
        message = {"id": f"{self._epoch}-{self.seq + 1}", "type": "snapshot", "data": data}
        await self._redis.xadd(snapshot, {"data": json.dumps(message)}, id=message["id"])

    async def bid(self, price: float, amount: float, *, lost: bool = False) -> None:
        """Change a level; a lost message is in the journal and never on the channel."""
        self.bids[price] = amount
        if not amount:
            del self.bids[price]
        await self._write("delta", {"bids": [[price, amount]], "asks": []}, lost=lost)

    async def _write(self, kind: str, data: dict[str, Any], *, lost: bool = False) -> None:
        self.seq += 1
        text = json.dumps({"id": f"{self._epoch}-{self.seq}", "type": kind, "data": data})
        await self._redis.xadd(NAME, {"data": text}, id=f"{self._epoch}-{self.seq}")
        if not lost:
            await self._redis.publish(NAME, text)

    @property
    def line(self) -> list[str]:
        """Return what a reader prints that has this book."""
        return [f"{self._epoch}-{self.seq}", f"{max(self.bids):g}", "11"]


@asynccontextmanager
async def reading(language: str, port: int, name: str = NAME) -> AsyncIterator[asyncio.StreamReader]:
    """Run a reader; yield what it prints."""
    command = {
        "python": (sys.executable, str(READERS / "read_book.py"), name, f"redis://127.0.0.1:{port}/0"),
        "node": (str(NODE), str(READERS / "read_book.mjs"), name, str(port)),
    }[language]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


async def prints(output: asyncio.StreamReader, wanted: list[str]) -> None:
    """Wait until a reader prints a line."""
    seen = []
    async with asyncio.timeout(20):
        while not seen or seen[-1] != wanted:
            line = await output.readline()
            assert line, f"the reader has ended; it printed {seen}"
            identity, bid, ask = line.decode().split()
            seen.append([identity, f"{float(bid):g}", f"{float(ask):g}"])


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_reader_fills_gaps_and_begins_anew(language: str, tmp_path: Path) -> None:
    """Lost messages come from the journal; what the journal lost, and a new epoch, from a snapshot."""
    async with (
        await EmbeddedServer.start(tmp_path) as server,
        Redis.from_url(server.url, decode_responses=True) as redis,
    ):
        book = Book(redis, 1_700_000_000_000)
        await book.open()
        await book.bid(10.1, 2.0)
        async with reading(language, server.port) as output:
            await prints(output, book.line)
            await book.bid(10.2, 1.0)
            await prints(output, book.line)
            await book.bid(10.3, 1.0, lost=True)
            await book.bid(10.2, 0.0)
            await prints(output, book.line)
            await book.bid(10.4, 1.0, lost=True)
            await book.bid(10.4, 0.0, lost=True)
            await book.bid(10.3, 0.0, lost=True)
            await book.snapshot()
            await redis.xtrim(NAME, maxlen=1)
            await book.bid(10.0, 0.0)
            await prints(output, book.line)
            newer = Book(redis, 1_700_000_000_500)
            newer.bids = {9.0: 1.0}
            await newer.open()
            await prints(output, newer.line)
            await newer.bid(9.5, 1.0)
            await prints(output, newer.line)


@pytest.mark.system
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_reader_follows_a_running_stream(language: str, tmp_path: Path) -> None:
    """It keeps up with a gatherer: it has a message that was written after it began, and a book that is not crossed."""
    async with running(tmp_path, ("gatherer",)) as platform:
        await until(lambda: platform.redis.exists(NAME), "the stream exists", platform=platform)
        async with reading(language, platform.server.port) as output:
            assert await output.readline()
            [(newest, _)] = await platform.redis.xrevrange(NAME, count=1)
            reached, bid, ask = "", 0.0, 0.0
            async with asyncio.timeout(30):
                while _position(reached) <= _position(newest):
                    reached, *prices = (await output.readline()).decode().split()
                    bid, ask = map(float, prices)
                    assert bid < ask


@pytest.mark.parametrize("name", ["read_book.py", "read_book.mjs"])
def test_a_reader_is_short(name: str) -> None:
    """What the protocol asks of a reader fits on a page; empty lines, comments and docstrings are not counted."""
    lines = (READERS / name).read_text().splitlines()
    code = [line for line in map(str.strip, lines) if line and not line.startswith(('"""', "//", "/**", "#"))]
    assert len(code) <= LINES


def _position(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("-"))) if text else (0, 0)
