"""Entries that other programs or broken writers left in a tenant's journals: none costs anybody a row or a restart."""

import asyncio
import json
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.ids import MessageId
from millrace_core.messages import LARGEST_MESSAGE
from millrace_core.requests import LARGEST_REQUEST
from millrace_dbsync.handling.handler import LARGEST_LETTER

EPOCH = 1_760_000_000_000
PUBLISHED = b'{"published":1760000000000000000}'
TRADE = {"id": "1", "timestamp": EPOCH, "symbol": "K", "side": "buy", "price": 1.0, "amount": 1.0}
Sample = tuple[str, str, bytes]
"""Action, id of the entry, and its body."""


def body(data: bytes | object, entry_id: str, kind: str = "delta", trace: bytes = PUBLISHED) -> bytes:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return b'{"id":"%b","type":"%b","timestamp":1,"trace":%b,"data":%b}' % (
        entry_id.encode(), kind.encode(), trace, text,
    )  # fmt: skip


def sample(action: str, data: bytes | object, entry_id: str = f"{EPOCH}-1", **more: Any) -> Sample:
    return action, entry_id, body(data, entry_id, **more)


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


REFUSED = [
    sample("watchFoo", deep(5_000)),
    sample("watchOrderBook", b'{"bids":[],"asks":[],"x":%b}' % deep(5_000)),
    sample("watchTicker", b'{"last":"\\ud800"}'),
    sample("watchFoo", b'{"last":"a\x00"}'),
    sample("watchTrades", b'{"trades":[{"id":"1","price":1e400,"amount":1}]}'),
    sample("watchOHLCV", {"timeframe": "1m", "candles": [[2**63, 1, 1, 1, 1, 1]]}),
    sample("watchOrders", b'{"orders":[{"id":"7","filled":"NaN"}]}'),
    sample("watchOrders", {"orders": [{"id": "7", "timestamp": 2**63}]}),
    sample("watchTrades", b"{}", trace=b'{"published":"x"}'),
    sample("watchTicker", {}, trace=b'{"published":18446744073709551615,"received":0}'),
    ("watchTrades", f"{EPOCH}-1", b""),
    sample("watchTrades", {"trades": [TRADE | {"price": -1.0}]}),
    sample("watchTrades", {"trades": [TRADE | {"amount": -1.0}]}),
    sample("watchMyTrades", {"trades": [TRADE | {"price": -1.0, "order": "1"}]}),
    sample("watchOHLCV", {"timeframe": "1m", "candles": [[EPOCH, 1, 1, -1, 1, 1]]}),
    sample("watchOrders", b'{"orders":[{"id":"7","filled":1e999999}]}'),
    sample("watchTrades", {"trades": [TRADE], "note": "x" * LARGEST_MESSAGE}),
    sample("watchTicker", {"note": "x" * LARGEST_MESSAGE}),
    sample("watchTrades", {"trades": [TRADE]}, f"{EPOCH}-{2**63}"),
    sample("watchTrades", {"trades": [TRADE]}, f"{2**63}-1"),
    sample("watchTrades", {"trades": [TRADE]}, f"{2**64 - 1}-{2**64 - 1}"),
    sample("watchTrades", {"trades": [TRADE]}, "100000000000000-1"),
]
"""Each leaves one dead letter."""
TAKEN = [
    sample("watchTicker", {}, trace=b'{"published":-9223372036854775808,"received":0}'),
    sample("watchTrades", {"trades": [TRADE | {"timestamp": -(2**62)}]}),
    sample("watchStatus", {"status": "live", "reason": "\0"}, kind="status"),
    sample("watchTrades", {"trades": [TRADE | {"id": "\0", "side": "\0"}]}),
    sample("watchMyTrades", {"trades": [TRADE | {"id": "\0", "side": "\0", "order": "\0", "takerOrMaker": "\0"}]}),
    sample("watchOrders", {"orders": [{"symbol": "K/USDT", "id": "\0", "side": "\0", "type": "\0", "status": "\0"}]}),
]
"""Odd, and stored."""
FOREIGN_NAMES = [
    *(f"stream.Ann.binance.watchTrades.{symbol}".encode() for symbol in ("KC\0S/USDT", "K\nS", "K" * 10_000)),
    b"stream.Ann.binance.watchTrades.K\xff",
    b"stream.Ann.bi\0nance.watchTrades.K",
    b"stream.Ann." + b"x" * 100 + b".watchTrades.K",
]


async def leave(bus: Bus, key: bytes, entry_id: str, text: bytes) -> None:
    await bus._calls.call("ZADD", "index.journals.Ann", "+inf", key)
    await bus._calls.call("XADD", key, entry_id, "data", text)


async def leave_all(bus: Bus) -> None:
    """Leave one entry in a journal each, and keys that no journal has."""
    for number, (action, entry_id, text) in enumerate(REFUSED + TAKEN):
        await leave(bus, f"stream.Ann.binance.{action}.S{number}".encode(), entry_id, text)
    for key in FOREIGN_NAMES:
        await leave(bus, key, f"{EPOCH}-1", body({"trades": [TRADE]}, f"{EPOCH}-1"))
    await leave(bus, b"stream.snapshot.Ann.binance.watchOrderBook.S0", f"{2**63}-1", b"{}")
    await leave(bus, b"Ann.traderActions", f"{EPOCH}-1", b'{"action":"createOrder","requestedAt":-5}')
    await leave(bus, b"Ann.traderActions", f"{EPOCH}-2", b'{"action":"%b"}' % (b"x" * LARGEST_REQUEST))
    await leave(bus, b"Ann.traderActions", f"{2**64 - 1}-5", b'{"action":"createOrder"}')


async def test_hostile_entries_cost_nobody_anything(dbsync: Any, bus: Bus, feed: Any) -> None:
    """The good stream beside them is stored, no unit fails, and everything that is refused is kept or told."""
    await leave_all(bus)
    await dbsync.start()
    await dbsync.reached(feed.trades.name, feed.write(50))
    await dbsync.all_stored(feed.trades, feed.book)
    refused = len(REFUSED) + 3
    async with asyncio.timeout(30):
        while len(found := await dbsync.rows.fetch("SELECT raw FROM dead_letters")) < refused:
            await asyncio.sleep(0.05)
    assert len(found) == refused
    assert max(len(raw) for (raw,) in found) == LARGEST_LETTER
    unit = await dbsync.unit_with("foreignNames")
    assert unit.counters.get("failures", 0) == 0
    assert unit.counters["foreignNames"] == len(FOREIGN_NAMES)
    for number, (action, entry_id, _) in enumerate(TAKEN, len(REFUSED)):
        assert await dbsync.stored(f"stream.Ann.binance.{action}.S{number}") == [MessageId.parse(entry_id)]


async def test_a_stray_entry_is_kept_once_and_the_journal_goes_on_once_it_is_deleted(
    dbsync: Any, bus: Bus, feed: Any
) -> None:
    """No position can be behind it, so it is read again at each start; deleting the key is what mends the stream."""
    name = "stream.Ann.binance.watchFoo.K"
    await leave(bus, name.encode(), f"{EPOCH}-1", body({}, f"{EPOCH}-1"))
    await leave(bus, name.encode(), f"{2**63}-1", b"x")
    for _ in range(2):
        await dbsync.start()
        await dbsync.unit_with("deadLetters")
        await dbsync.reached(feed.trades.name, feed.write(1))
        await dbsync.reached(name, MessageId(EPOCH, 1))
        assert await dbsync.rows.fetch("SELECT epoch, seq FROM dead_letters") == [(-(2**63), 1)]
        await dbsync.stop()
    await dbsync.start()
    await dbsync.unit_with("deadLetters")
    await dbsync.unit_with("streams")
    await bus._calls.call("DEL", name)
    await leave(bus, name.encode(), f"{EPOCH}-2", body({}, f"{EPOCH}-2"))
    await dbsync.reached(name, MessageId(EPOCH, 2))
    assert await dbsync.gaps() == []
    assert any(f"{name} ends with {2**63}-1" in error.message for error in (await dbsync.heartbeat()).last_errors)


@pytest.mark.parametrize("key", [b"\xff", b"stream.Ann.x", "stream.Ann.binance.watchTrades.\ufffd".encode()])
async def test_a_foreign_name_of_another_type_is_reported(dbsync: Any, bus: Bus, feed: Any, key: bytes) -> None:
    """It is not read, whatever stands there."""
    await bus._calls.call("ZADD", "index.journals.Ann", "+inf", key)
    await bus._calls.call("SET", key, "x")
    await dbsync.start()
    await dbsync.reached(feed.trades.name, feed.write(1))
    await dbsync.unit_with("foreignNames")
    assert any("no name of a journal" in error.message for error in (await dbsync.heartbeat()).last_errors)
