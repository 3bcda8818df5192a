"""The writer on a real server: order, epochs, outages, fences."""

import asyncio
import gc
import time
import weakref
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis.asyncio

from millrace_bus import Bus, BusError, EmbeddedServer, MessageTooLarge, TaskFailed, WriterFenced
from millrace_bus.connection import reconnecting
from millrace_bus.errors import StreamBlocked
from millrace_bus.writing import writer as writer_module
from millrace_bus.writing.numbered import ANSWERS_KEPT_S
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot
from millrace_core.messages import Message, decode
from millrace_core.names import StreamName


async def _journal(url: str, key: str) -> list[tuple[str, Message]]:
    async with redis.asyncio.Redis.from_url(url) as client:
        return [(entry.decode(), decode(fields[b"data"])) for entry, fields in await client.xrange(key)]


async def test_messages_are_numbered_without_a_gap(bus: Bus, server: EmbeddedServer, published: Any) -> None:
    """The journal holds 1, 2, 3 … of one epoch, each entry under its message's own id."""
    await published.writer.open()
    for amount in range(20):
        published.bid(10.0, amount + 1.0)
    await published.writer.drained()
    journal = await _journal(server.url, str(published.writer.name))
    assert [MessageId.parse(entry).seq for entry, _ in journal] == list(range(1, 22))
    assert all(entry == message.id for entry, message in journal)
    assert {message.message_id.epoch for _, message in journal} == {published.writer.last.epoch}


async def test_a_message_that_no_reader_takes_is_not_published(
    server: EmbeddedServer, published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer is told, and the next message has the number that it would have had."""
    monkeypatch.setattr("millrace_bus.writing.numbered.LARGEST_MESSAGE", 2_000)
    await published.writer.open()
    first = published.bid(10.0, 1.0)
    with pytest.raises(MessageTooLarge, match="at most 2,000"):
        published.writer.delta(BookDelta([(10.0, 1.0)] * 1_000, []))
    assert published.bid(10.0, 2.0).follows(first)
    await published.writer.drained()
    assert len(await _journal(server.url, str(published.writer.name))) == 3


async def test_a_lost_snapshot_is_written_again_over_the_same_connection(
    bus: Bus, other: Bus, published: Any, received: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after FLUSHALL, which ends nothing: a reader that begins then has the whole state soon, and goes on."""
    monkeypatch.setattr(writer_module, "STATUS_REPEAT_S", 1.0)
    await published.writer.open()
    published.bid(10.0, 1.0)
    await published.writer.drained()
    await bus._publishing.call("DEL", str(published.writer.name), published.writer.name.snapshot)
    last = published.bid(9.0, 1.0)
    follower = other.follow(published.writer.name, received)
    await received.until(lambda: follower.trusted and follower.last is not None and follower.last > last)
    assert follower.state.book.bids.levels() == [(10.0, 1.0), (9.0, 1.0)]
    assert published.writer.counters.epochs == 1
    await follower.close()


@pytest.mark.parametrize("which", ["journal", "snapshots"])
async def test_a_foreign_entry_in_our_epoch_begins_a_new_one(bus: Bus, published: Any, until: Any, which: str) -> None:
    """Redis refuses the numbers before it, so the writer leaves the epoch, at once and once."""
    await published.writer.open()
    name, epoch = published.writer.name, published.writer.last.epoch
    key = str(name) if which == "journal" else name.snapshot
    await bus._publishing.call("XADD", key, f"{epoch}-{2**64 - 1 if which == 'journal' else 7}", "data", "x")
    published.bid(10.0, 1.0)
    published.writer.snapshot()
    await until(lambda: published.writer.counters.epochs > 1 and published.writer.state == "live")
    published.bid(10.0, 2.0)
    await published.writer.drained()
    assert published.writer.counters.epochs == 2
    assert published.writer.last.epoch > epoch


async def test_a_stream_with_an_id_that_no_writer_has_is_blocked_until_its_key_is_deleted(
    bus: Bus, published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer fails with what to do; the next one writes once the key is gone."""
    monkeypatch.setattr(reconnecting, "LIMIT_S", 0.0)
    key = str(published.writer.name)
    await bus._publishing.call("XADD", key, f"{2**64 - 2}-1", "data", "x")
    with pytest.raises(StreamBlocked, match="DEL the key") as blocked:
        await published.writer.open()
    assert blocked.value.key == key
    await bus._publishing.call("DEL", key)
    again = bus.writer(published.writer.name, published.snapshot)
    await again.open()
    await again.close()


async def test_journal_and_channel_show_the_same_bytes(server: EmbeddedServer, published: Any) -> None:
    """What a subscriber gets is, byte for byte, what stands in the journal."""
    await published.writer.open()
    async with redis.asyncio.Redis.from_url(server.url) as client, client.pubsub() as channel:
        await channel.subscribe(str(published.writer.name))
        await channel.get_message(timeout=5)
        published.bid(10.0, 1.0)
        message = await channel.get_message(timeout=5)
        assert message is not None
        newest = (await client.xrevrange(str(published.writer.name), count=1))[0][1][b"data"]
        assert message["data"] == newest


async def test_the_first_snapshot_comes_before_the_first_delta(server: EmbeddedServer, published: Any) -> None:
    """An epoch begins with a snapshot as of `{epoch}-0`."""
    await published.writer.open()
    snapshots = await _journal(server.url, published.writer.name.snapshot)
    assert f'"asOf":"{published.writer.last.epoch}-0"' in bytes(snapshots[0][1].data).decode()


async def test_a_snapshot_comes_at_half_the_retention(bus: Bus, name: StreamName, make_book: Any, until: Any) -> None:
    """The journal always bridges two snapshots, however fast the messages come."""
    published = make_book(bus, name, retention=10)
    await published.writer.open()
    for amount in range(5):
        published.bid(10.0, amount + 1.0)
    assert published.writer.counters.snapshots == 1
    await until(lambda: published.writer.counters.snapshots > 1)
    assert published.writer.counters.snapshots == 2


async def test_snapshots_come_on_interval_and_only_two_are_kept(
    bus: Bus, server: EmbeddedServer, name: StreamName, make_book: Any, until: Any
) -> None:
    """A quiet stream has fresh snapshots too; old ones go."""
    published = make_book(bus, name, snapshot_interval_s=0.0)
    await published.writer.open()
    await until(lambda: published.writer.counters.snapshots >= 3)
    await published.writer.drained()
    assert len(await _journal(server.url, name.snapshot)) == 2


async def test_a_quiet_stream_repeats_its_status(
    monkeypatch: pytest.MonkeyPatch, server: EmbeddedServer, published: Any, until: Any
) -> None:
    """Readers consider a writer dead after 10 s of silence, so it publishes at least every 5 s."""
    monkeypatch.setattr(writer_module, "STATUS_REPEAT_S", 0.6)
    await published.writer.open("stale", "not connected yet")
    first = published.writer.last
    await until(lambda: published.writer.last != first)
    await published.writer.drained()
    _, message = (await _journal(server.url, str(published.writer.name)))[-1]
    assert bytes(message.data) == b'{"status":"stale","reason":"not connected yet"}'


async def test_a_new_writer_takes_over_and_the_old_one_stands_by(
    bus: Bus, other: Bus, name: StreamName, make_book: Any, until: Any
) -> None:
    """The newest writer wins; the refused one says so, and drops what is handed in."""
    old, new = make_book(bus, name), make_book(other, name)
    await old.writer.open()
    await new.writer.open()
    old.bid(10.0, 1.0)
    await until(lambda: old.writer.state == "standby")
    with pytest.raises(WriterFenced):
        await old.writer.drained()
    old.bid(10.0, 2.0)
    assert (old.writer.counters.fenced, old.writer.counters.dropped) == (1, 1)
    assert new.writer.state == "live"


async def test_a_fenced_writer_returns_to_a_quiet_stream(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, other: Bus, name: StreamName, make_book: Any, until: Any
) -> None:
    """When the newer writer is gone, the one that stood by opens a new epoch."""
    monkeypatch.setattr(writer_module, "STANDBY_QUIET_S", 0.6)
    monkeypatch.setattr(writer_module, "STATUS_REPEAT_S", 0.6)
    old, new = make_book(bus, name), make_book(other, name)
    await old.writer.open()
    await new.writer.open()
    old.bid(10.0, 1.0)
    await until(lambda: old.writer.state == "standby")
    last = new.writer.last
    await new.writer.close()
    await until(lambda: old.writer.state == "live")
    assert old.writer.last.epoch > last.epoch


async def test_nothing_is_lost_when_redis_is_killed(killable: EmbeddedServer, bus: Bus, published: Any) -> None:
    """Messages handed in before, during and after an outage stand in the journal, once each and in order."""
    await published.writer.open()
    for amount in range(50):
        published.bid(10.0, amount + 1.0)
    await killable.kill()
    for amount in range(50):
        published.bid(11.0, amount + 1.0)
    await killable.restart()
    for amount in range(50):
        published.bid(12.0, amount + 1.0)
    await published.writer.drained()
    journal = await _journal(killable.url, str(published.writer.name))
    assert [MessageId.parse(entry).seq for entry, _ in journal] == list(range(1, published.writer.last.seq + 1))
    assert published.writer.counters.epochs == 1


async def test_what_redis_forgets_is_written_again(
    killable: EmbeddedServer, bus: Bus, published: Any, forget_tail: Any, until: Any
) -> None:
    """When Redis returns without its last second, the same messages come again with the same ids and bytes."""
    await published.writer.open()
    for amount in range(100):
        published.bid(10.0, amount + 1.0)
        await asyncio.sleep(0)
    await published.writer.drained()
    before = await _journal(killable.url, str(published.writer.name))
    await forget_tail(killable)
    await published.writer.drained()
    await until(lambda: published.writer.counters.resent)
    await published.writer.drained()
    after = await _journal(killable.url, str(published.writer.name))
    assert after[: len(before)] == before
    assert published.writer.counters.resent > 0
    assert published.writer.counters.epochs == 1


async def test_when_redis_forgets_all_the_stream_is_there_again(
    killable: EmbeddedServer,
    bus: Bus,
    published: Any,
    forget_all: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A young stream is written again from its first message, also if the clock was set meanwhile."""
    await published.writer.open()
    published.bid(10.0, 1.0)
    await published.writer.drained()
    in_an_hour_ns = time.time_ns() + 3_600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: in_an_hour_ns)
    published.bid(10.0, 1.5)
    await published.writer.drained()
    await forget_all(killable)
    published.bid(10.0, 2.0)
    await published.writer.drained()
    journal = await _journal(killable.url, str(published.writer.name))
    assert [message.message_id.seq for _, message in journal] == list(range(1, published.writer.last.seq + 1))
    assert await _journal(killable.url, published.writer.name.snapshot)
    assert published.writer.counters.epochs == 1


async def test_an_outage_too_long_to_keep_opens_a_new_epoch(
    killable: EmbeddedServer, bus: Bus, name: StreamName, make_book: Any, until: Any
) -> None:
    """When more was handed in than is kept, a snapshot in a new epoch says what it all came to."""
    published = make_book(bus, name, retention=10)
    await published.writer.open()
    first = published.writer.last
    await killable.kill()
    for amount in range(30):
        published.bid(10.0, amount + 1.0)
    await killable.restart()
    await until(lambda: published.writer.counters.epochs == 2 and published.writer.state == "live")
    assert published.writer.last.epoch > first.epoch
    assert published.writer.counters.dropped > 0
    snapshot = (await _journal(killable.url, name.snapshot))[-1][1]
    assert b"[10.0,30.0]" in bytes(snapshot.data)


async def test_no_answer_is_lost_in_a_long_outage(killable: EmbeddedServer, bus: Bus, answers: StreamName) -> None:
    """A stream without snapshots gives its kept messages new numbers and sends them."""
    writer = bus.writer(answers, None)
    await writer.open()
    await killable.kill()
    for number in range(20):
        writer.response({"requestId": str(number)})
    await killable.restart()
    await writer.drained()
    journal = await _journal(killable.url, str(answers))
    bodies = [bytes(message.data) for _, message in journal if message.type == "response"]
    assert bodies == [b'{"requestId":"%d"}' % number for number in range(20)]


async def test_opening_waits_for_redis(tmp_path: Path, name: StreamName, make_book: Any) -> None:
    """A writer may be opened before there is a Redis; it opens when one comes."""
    async with await EmbeddedServer.start(tmp_path) as server:
        await server.kill()
        async with Bus.connect(server.url) as bus:
            published = make_book(bus, name)
            opening = asyncio.create_task(published.writer.open())
            await asyncio.sleep(0.05)
            assert not opening.done()
            await server.restart()
            async with asyncio.timeout(60):
                await opening
            assert published.writer.state == "live"


async def test_a_state_change_is_reported(bus: Bus, name: StreamName) -> None:
    """`on_state` is called with each state once, in order."""
    states: list[str] = []
    writer = bus.writer(name, lambda as_of: {"asOf": str(as_of)}, on_state=states.append)
    await writer.open()
    await writer.close()
    assert states == ["disconnected", "live", "closed"]


async def test_closing_says_so(server: EmbeddedServer, published: Any) -> None:
    """The last message of a writer that ends is the status `closed`, with its reason."""
    await published.writer.open()
    await published.writer.close("stopped by its configuration")
    _, message = (await _journal(server.url, str(published.writer.name)))[-1]
    assert bytes(message.data) == b'{"status":"closed","reason":"stopped by its configuration"}'
    await published.writer.close()


async def test_what_taking_a_snapshot_raises_comes_out_of_open(bus: Bus, name: StreamName) -> None:
    """A mistake in the caller's snapshot is not swallowed."""

    def fail(as_of: MessageId) -> None:
        raise ValueError(f"as of {as_of}")

    writer = bus.writer(name, fail)
    with pytest.raises(ValueError, match="as of"):
        await writer.open()
    await writer.close()


async def test_a_writer_that_is_not_open_writes_nothing(bus: Bus, name: StreamName) -> None:
    """Writing before opening is a mistake, and says so."""
    with pytest.raises(BusError, match="not open"):
        bus.writer(name, None).delta({})


async def test_answers_expire_a_day_after_their_writer(
    bus: Bus, server: EmbeddedServer, answers: StreamName, published: Any
) -> None:
    """From its first entry on, so that one of an invented symbol does not stay; a stream with snapshots stays."""
    await bus.writer(answers, None).open()
    await published.writer.open()
    await published.writer.drained()
    async with redis.asyncio.Redis.from_url(server.url) as client:
        assert 0 < await client.ttl(str(answers)) <= ANSWERS_KEPT_S
        assert await client.ttl(str(published.writer.name)) == -1


async def test_the_expiry_is_put_off_while_the_writer_lives(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, server: EmbeddedServer, answers: StreamName
) -> None:
    """It is renewed as often as the journal is registered, and once more at the end."""
    monkeypatch.setattr(writer_module, "REGISTER_EVERY_S", 0.0)
    writer = bus.writer(answers, None)
    await writer.open()
    async with redis.asyncio.Redis.from_url(server.url) as client, asyncio.timeout(5):
        await client.persist(str(answers))
        while await client.ttl(str(answers)) < 0:
            await asyncio.sleep(0.05)
        monkeypatch.setattr(writer_module, "REGISTER_EVERY_S", 60.0)
        await client.persist(str(answers))
        await writer.close()
        assert await client.ttl(str(answers)) > 0


async def test_a_writer_that_never_opened_is_forgotten(bus: Bus, answers: StreamName) -> None:
    """The bus holds on to those that are open alone."""
    never = weakref.ref(bus.writer(answers, None))
    opened = bus.writer(answers, None)
    await opened.open()
    await opened.close()
    closed = weakref.ref(opened)
    del opened
    gc.collect()
    assert never() is None
    assert closed() is None


@pytest.mark.parametrize("due_by", ["time", "deltas"])
async def test_an_error_in_what_a_writer_is_handed_ends_it(bus: Bus, name: StreamName, due_by: str) -> None:
    """Every caller gets it: who waits for the writer, who writes, who waits for an acknowledgement."""
    snapshots = 0

    def take_snapshot(as_of: MessageId) -> Any:
        nonlocal snapshots
        snapshots += 1
        if snapshots > 1:
            raise ZeroDivisionError("no state")
        return BookSnapshot([], [], str(as_of), 0)

    writer = bus.writer(name, take_snapshot, retention=4, snapshot_interval_s=0 if due_by == "time" else 60)
    await writer.open()
    if due_by == "deltas":
        for _ in range(2):
            writer.delta(BookDelta([], []))
    async with asyncio.timeout(5):
        with pytest.raises(ZeroDivisionError):
            await writer.failed()
    assert writer.state == "closed"
    with pytest.raises(TaskFailed, match="no state"):
        writer.delta(BookDelta([], []))
    with pytest.raises(TaskFailed, match="no state"):
        await writer.drained()
    await writer.close()


async def test_a_writer_that_redis_keeps_refusing_is_not_live(
    killable: EmbeddedServer, bus: Bus, answers: StreamName
) -> None:
    """It says `disconnected` until Redis has taken messages for a second, and loses none."""
    states: list[str] = []
    writer = bus.writer(answers, None, on_state=states.append)
    await writer.open()
    async with redis.asyncio.Redis.from_url(killable.url) as client, asyncio.timeout(60):
        await client.config_set("maxmemory", 1)
        writer.response({"n": 1})
        while writer.state != "disconnected":
            await asyncio.sleep(0.01)
        states.clear()
        refused = await _refusals(client)
        while await _refusals(client) < refused + 2:
            await asyncio.sleep(0.05)
        assert "live" not in states
        await client.config_set("maxmemory", 0)
        await writer.drained()
        while writer.state != "live":
            await asyncio.sleep(0.01)


async def _refusals(client: Any) -> int:
    stats = await client.info("errorstats")
    return int(stats.get("errorstat_OOM", {"count": 0})["count"])


async def test_what_redis_refused_between_two_messages_that_it_took_is_not_lost(
    killable: EmbeddedServer, bus: Bus, answers: StreamName
) -> None:
    """Out of memory concerns one command: what waits in the same pipeline may be taken. Each answer comes once."""
    writer = bus.writer(answers, None)
    await writer.open()
    async with redis.asyncio.Redis.from_url(killable.url) as client, asyncio.timeout(60):
        used = (await client.info("memory"))["used_memory"]
        await client.config_set("maxmemory", used + 4_000_000)
        for number, text in enumerate(("small", "x" * 8_000_000, "small")):
            writer.response({"number": number, "text": text})
        while not await _refusals(client):
            await asyncio.sleep(0.01)
        await client.config_set("maxmemory", 0)
        await writer.drained()
    messages = [message for _, message in await _journal(killable.url, str(answers)) if message.type == "response"]
    assert sorted(msgspec.json.decode(message.data)["number"] for message in messages) == [0, 1, 2]
