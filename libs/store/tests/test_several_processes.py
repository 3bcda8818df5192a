"""Several processes write to one database, as dbsync's workers do: each gets its turn, and nobody sees a lock."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from millrace_core.messages import Status
from millrace_core.names import StreamName
from millrace_store import Store
from millrace_store.backends import sqlite

WRITERS = 4
ROUNDS = 40
MESSAGES = 500

WRITER = f"""
import asyncio, sys
from millrace_core.ids import MessageId
from millrace_store import Batch, Place, Store

async def main(url, number):
    async with Store.open(url) as store:
        for seq in range({ROUNDS}):
            batch = Batch()
            for n in range(1, {MESSAGES} + 1):
                name = f"stream.T.kucoin.watchTicker.C{{number}}/USDT"
                batch.ticker(Place(name, MessageId(1, {MESSAGES} * seq + n), 1_760_000_040_000), b'{{"last":1}}')
            await store.commit(batch)

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""

BUSY_PROCESS = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
while True:
    connection.execute("BEGIN IMMEDIATE")
    print(flush=True)
    time.sleep(0.06)
    connection.execute("COMMIT")
    time.sleep(0.004)
"""


async def start(program: str, *arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-c", program, *arguments, stdout=pipe, stderr=pipe)


async def test_busy_writers_take_turns(url: str) -> None:
    """All of them store everything, and none is told that the database is locked."""
    async with Store.open(url) as store:
        writers = [await start(WRITER, url, str(number)) for number in range(WRITERS)]
        outcomes = await asyncio.gather(*(writer.communicate() for writer in writers))
        assert [writer.returncode for writer in writers] == [0] * WRITERS, outcomes
        async with store._database.reading() as reader:
            assert await reader.fetch(sa.text("SELECT count(*) FROM tickers")) == [(WRITERS * ROUNDS * MESSAGES,)]


async def test_a_writer_gets_its_turn_beside_one_that_hardly_rests(
    tmp_path: Path, journal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However briefly the file is free, a waiting writer notices."""
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 0.5)
    path = tmp_path / "store.db"
    statuses = journal(StreamName.parse("stream.T.kucoin.watchTicker.KCS/USDT"))
    async with Store.open(f"sqlite:///{path}") as store:
        busy = await start(BUSY_PROCESS, str(path))
        assert busy.stdout is not None
        await busy.stdout.readline()
        try:
            for _ in range(40):
                async with store.batch() as batch:
                    batch.status(statuses.next(), Status("live"))
        finally:
            busy.kill()
            await busy.communicate()
