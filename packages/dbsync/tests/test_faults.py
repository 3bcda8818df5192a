import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from millrace_bus import Bus, EmbeddedServer
from millrace_core.ids import MessageId
from millrace_core.names import Tenant
from millrace_service import SettingsInvalid
from millrace_service.settings import database_url
from millrace_store import Store

BACKLOG = 20_000
"""Messages of each stream that wait: several commits."""


class Ordeal:
    """A feed that never rests, while one after the other is killed."""

    def __init__(self, server: EmbeddedServer, dbsync: Any, feed: Any) -> None:
        self._server, self._dbsync, self._feed = server, dbsync, feed
        self._random = random.Random(7)

    async def endure(self, *, dbsync: int, database: int, redis: int) -> None:
        """Kill each so many times in a mixed order, at any moment; then everything must be stored, one for one."""
        faults: list[Callable[[], Awaitable[None]]] = [
            *[self._kill_dbsync] * dbsync,
            *[self._kill_database] * database,
            *[self._kill_redis] * redis,
        ]
        self._random.shuffle(faults)
        await self._dbsync.configure()
        await self._dbsync.spawn()
        writing = asyncio.create_task(self._write())
        for fault in faults:
            await asyncio.sleep(self._random.uniform(0.2, 2.5))
            await fault()
        writing.cancel()
        await asyncio.wait([writing])
        await self._whole()

    async def _write(self) -> None:
        while True:
            self._feed.write(self._random.randint(1, 20))
            await asyncio.sleep(0.02)

    async def _kill_dbsync(self) -> None:
        await self._dbsync.kill()
        await self._dbsync.spawn()

    async def _kill_database(self) -> None:
        await self._dbsync.rows.kill()
        await asyncio.sleep(self._random.uniform(0.1, 1.0))
        await self._dbsync.rows.restart()

    async def _kill_redis(self) -> None:
        await self._server.kill()
        await asyncio.sleep(self._random.uniform(0.1, 1.0))
        await self._server.restart()

    async def _whole(self) -> None:
        await self._dbsync.all_stored(self._feed.trades, self._feed.book)
        assert await self._dbsync.gaps() == []
        assert await self._dbsync.rows.fetch("SELECT reason FROM dead_letters") == []
        counted = await self._dbsync.rows.fetch(
            "SELECT hop, SUM(l.count), MAX(s.face) FROM latencies l JOIN streams s ON s.id = l.stream_id "
            "WHERE s.action = 'watchTrades' GROUP BY hop"
        )
        traded = len(await self._dbsync.stored(str(self._feed.trades_name), "trades"))
        assert {int(count) for _, count, _ in counted} == {traded}


async def test_kills_lose_nothing_and_store_nothing_twice(server: EmbeddedServer, dbsync: Any, feed: Any) -> None:
    """With dbsync, the database and Redis killed amid a busy feed, the rows are the journals' messages, one for one."""
    await Ordeal(server, dbsync, feed).endure(dbsync=3, database=1, redis=1)


async def test_kills_lose_nothing_under_load(server: EmbeddedServer, dbsync: Any, bus: Bus, make_feed: Any) -> None:
    """With a backlog to store, its database, dbsync and Redis die, one after the other: all is stored, once."""
    feed = make_feed(bus, retention=1_000_000)
    await feed.open()
    await dbsync.configure()
    await leave_a_backlog(feed)
    await dbsync.spawn()
    begun = MessageId(feed.trades.last.epoch, 1)
    await dbsync.reached(feed.trades.name, begun)
    await dbsync.rows.kill()
    feed.write(1_000)
    await dbsync.rows.restart()
    await dbsync.kill()
    await leave_a_backlog(feed)
    await dbsync.spawn()
    await server.kill()
    await server.restart()
    feed.write(1_000)
    await dbsync.all_stored(feed.trades, feed.book)
    assert await dbsync.gaps() == []
    assert await dbsync.rows.fetch("SELECT reason FROM dead_letters") == []
    await feed.close()


async def test_what_the_database_refuses_is_found_under_load(dbsync: Any, bus: Bus, make_feed: Any) -> None:
    """It goes to dead letters; its neighbours and the thousands around them are stored."""
    feed, name = make_feed(bus, retention=1_000_000), "stream.Ann.binance.watchOrders.KCS/USDT"
    await feed.open()
    await bus.register_journals(Tenant("Ann"), name)
    for number in (1, 2, 3):
        order = {"id": "7", "symbol": "KCS/USDT", "filled": "NaN" if number == 2 else number}
        message = {"id": f"1-{number}", "type": "delta", "timestamp": 1, "trace": {}, "data": {"orders": [order]}}
        await bus._publishing.call("XADD", name, f"1-{number}", "data", json.dumps(message))
    await leave_a_backlog(feed)
    await dbsync.start()
    await dbsync.reached(name, MessageId(1, 3))
    assert await dbsync.stored(name, "order_events") == [MessageId(1, 1), MessageId(1, 3)]
    assert await dbsync.stored(name, "dead_letters") == [MessageId(1, 2)]
    await dbsync.all_stored(feed.trades, feed.book)
    assert await dbsync.gaps() == []
    assert len(await dbsync.rows.fetch("SELECT reason FROM dead_letters")) == 1
    await feed.close()


async def leave_a_backlog(feed: Any) -> None:
    """Write far more than one commit holds."""
    for _ in range(BACKLOG // 1_000):
        feed.write(1_000)
        await asyncio.sleep(0)
    await feed.drained()


async def test_what_redis_lost_and_its_writer_sent_again_is_stored_once(
    server: EmbeddedServer, dbsync: Any, feed: Any
) -> None:
    """Redis comes back without its newest entries, the writer sends them again: no row twice, no gap."""
    await dbsync.start()
    await dbsync.reached(feed.trades.name, feed.write(200))
    await server.kill()
    (log,) = (server.data_dir / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(log.read_bytes()[:-20_000])
    await server.restart()
    feed.write(20)
    await dbsync.all_stored(feed.trades, feed.book)
    assert feed.trades.counters.resent > 0
    assert await dbsync.gaps() == []


async def test_a_database_that_is_away_is_waited_for(dbsync: Any, feed: Any) -> None:
    """Nothing fails while the database is gone; the messages are stored when it is back."""
    await dbsync.start()
    await dbsync.reached(feed.trades.name, feed.write(20))
    await dbsync.rows.kill()
    for _ in range(10):
        last: MessageId = feed.write(50)
        await asyncio.sleep(0.05)
    await dbsync.rows.restart()
    await dbsync.reached(feed.trades.name, last)
    await dbsync.all_stored(feed.trades, feed.book)
    assert await dbsync.gaps() == []
    assert (await dbsync.unit_with("messages")).counters.get("failures", 0) == 0


async def test_it_starts_before_its_database(dbsync: Any, feed: Any) -> None:
    """A dbsync that is started while its database is away stores everything once it is there."""
    await dbsync.rows.kill()
    last = feed.write(20)
    await dbsync.start()
    await asyncio.sleep(0.5)
    await dbsync.rows.restart()
    await dbsync.reached(feed.trades.name, last)
    await dbsync.all_stored(feed.trades, feed.book)


def test_an_unsupported_database_is_a_wrong_setting() -> None:
    """The process then ends with 2 and names the setting, instead of failing in each unit."""
    with pytest.raises(SettingsInvalid, match="MILLRACE_DATABASE_URL: unsupported"):
        database_url({"MILLRACE_DATABASE_URL": "mysql://localhost/millrace"}, Store.check_url)
