import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import redis.asyncio

from millrace_bus import Bus, EmbeddedServer, JournalEntry, Journals
from millrace_bus.agents import configs
from millrace_bus.connection.address import Address
from millrace_bus.connection.reconnecting import ReconnectingConnection
from millrace_bus.connection.slots import by_slot
from millrace_core.ids import BEGINNING, MessageId
from millrace_core.messages import decode
from millrace_core.names import AgentId, StreamName, Tenant, journals_index, trader_actions
from millrace_core.requests import Halt


async def test_each_journal_is_read_from_its_own_position(bus: Bus, answers: StreamName, name: StreamName) -> None:
    """One call returns the entries after each position, oldest first, and only journals with new ones."""
    writer, quiet = bus.writer(answers, None), bus.writer(name, None)
    await writer.open()
    await quiet.open()
    ids = [writer.response({"n": number}) for number in range(5)]
    await writer.drained()
    last = MessageId(quiet.last.epoch, quiet.last.seq) if quiet.last else BEGINNING
    async with bus.journals() as journals:
        found = await journals.read({str(answers): ids[0], str(name): last}, most=3)
    assert list(found) == [str(answers)]
    assert [entry.id for entry in found[str(answers)]] == ids[1:4]
    assert [decode(entry.body or b"").message_id for entry in found[str(answers)]] == ids[1:4]


async def test_reading_waits_for_the_first_entry(bus: Bus, other: Bus, answers: StreamName) -> None:
    """A read that finds nothing waits and returns the next entries, or nothing once its time is over."""
    writer = bus.writer(answers, None)
    await writer.open()
    await writer.drained()
    assert writer.last
    async with other.journals() as journals:
        assert await journals.read({str(answers): writer.last}, most=10, wait_s=0.01) == {}
        before = writer.last
        expected = writer.response({"n": 1})
        found = await journals.read({str(answers): before}, most=10, wait_s=1)
    assert [entry.id for entry in found[str(answers)]] == [expected]


async def test_a_journals_extent_shows_what_was_trimmed(bus: Bus, answers: StreamName) -> None:
    """The extent holds the oldest entry, the newest, and the number ever added; a missing journal has none."""
    writer = bus.writer(answers, None, retention=100)
    await writer.open()
    for number in range(500):
        last = writer.response({"n": number})
    await writer.drained()
    async with bus.journals() as journals:
        extents = await journals.extents([str(answers), f"{answers}-none"])
        oldest = extents[str(answers)].oldest
        assert oldest is not None
        assert await journals.last_before(str(answers), oldest) is None
        assert await journals.last_before(str(answers), last) == MessageId(last.epoch, last.seq - 1)
    extent = extents[str(answers)]
    assert list(extents) == [str(answers)]
    assert (extent.newest, extent.added) == (last, last.seq)
    assert oldest.seq == extent.added - extent.length + 1
    assert extent.length < 300


async def test_every_journal_is_found_by_name(bus: Bus, answers: StreamName, tenant: Tenant) -> None:
    """Streams, snapshots and requests are found by tenant; other keys in Redis are not."""
    writer = bus.writer(answers, None)
    await writer.open()
    await bus.requests.send(tenant, Halt())
    await bus.put_config(AgentId(f"A{tenant}"), "{}")
    async with bus.journals() as journals:
        names = await journals.names([tenant])
        assert names <= await journals.names()
        requests = await journals.read({trader_actions(tenant): BEGINNING}, most=10)
    assert names == {str(answers), trader_actions(tenant)}
    assert len(requests[trader_actions(tenant)]) == 1


async def test_an_entry_without_a_message_is_given_as_such(bus: Bus, tenant: Tenant) -> None:
    """A foreign entry in a journal has no body, and hides no later entries."""
    name = f"stream.{tenant}.kucoin.watchTrades.KCS/USDT"
    await bus._publishing.call("XADD", name, "1-1", "other", "x")
    await bus._publishing.call("XADD", name, "1-2", "data", "x", "more", "y")
    async with bus.journals() as journals:
        found = await journals.read({name: BEGINNING}, most=10)
    assert list(found[name]) == [JournalEntry(MessageId(1, 1), None), JournalEntry(MessageId(1, 2), b"x")]


async def test_reading_waits_out_an_outage(
    killable: EmbeddedServer,
    bus: Bus,
    other: Bus,
    answers: StreamName,
    forget_tail: Callable[[EmbeddedServer], Coroutine[Any, Any, None]],
) -> None:
    """A server that was killed, and lost its newest entries, is read on once its writer has sent them again."""
    writer = bus.writer(answers, None)
    await writer.open()
    sent = [writer.response({"n": number}) for number in range(100)]
    await writer.drained()
    async with other.journals() as journals:
        await journals.read({str(answers): BEGINNING}, most=1)
        await forget_tail(killable)
        sent.append(writer.response({"n": 100}))
        await writer.drained()
        found = await journals.read({str(answers): BEGINNING}, most=1_000)
    got = [message.message_id for entry in found[str(answers)] if (message := decode(entry.body or b""))]
    assert set(sent) <= set(got)
    assert [entry.id for entry in found[str(answers)]] == got


async def test_configuration_changes_of_all_agents_are_followed(
    bus: Bus, other: Bus, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each agent's configuration comes once, then each change of it, at last that it is gone."""
    monkeypatch.setattr(configs, "POLL_S", 0.1)  # Redis announces no end of a key
    agent = AgentId(f"AGENT{tenant}")
    await bus.put_config(agent, '{"revision":1}')
    received = []
    changes = other.config_changes()
    async for changed, text in changes:
        if changed != agent:
            continue
        received.append(text)
        if len(received) == 1:
            await bus.put_config(agent, '{"revision":2}')
        elif len(received) == 2:
            await bus._redis.call("DEL", f"stream.config.{agent}")
        else:
            break
    await changes.aclose()
    assert received == [b'{"revision":1}', b'{"revision":2}', None]


async def test_journals_in_several_slots_are_read_as_one(
    bus: Bus, server: EmbeddedServer, answers: StreamName, name: StreamName
) -> None:
    """A cluster takes one command a slot: what comes is the same, waiting included."""
    writer, other = bus.writer(answers, None), bus.writer(name, None)
    await writer.open()
    await other.open()
    positions = {str(answers): BEGINNING, str(name): BEGINNING}
    assert len(by_slot(positions)) == 2
    connection = ReconnectingConnection(Address.parse(server.url), "slots", grouping=by_slot)
    async with Journals(connection) as journals:
        assert set(await journals.read(positions, most=10)) == set(positions)
        ends = {journal: extent.newest for journal, extent in (await journals.extents(positions)).items()}
        assert await journals.read(ends, most=10, wait_s=0.02) == {}
        reading = asyncio.create_task(journals.read(ends, most=10, wait_s=1))
        expected = writer.response({"n": 1})
        found = await reading
    assert [entry.id for entry in found[str(answers)]] == [expected]


async def test_what_redis_forgot_is_registered_again(
    killable: EmbeddedServer, bus: Bus, other: Bus, answers: StreamName, tenant: Tenant, forget_all: Any
) -> None:
    """A writer and a sender of requests that are still there register their journals when they come back."""
    writer = bus.writer(answers, None)
    await writer.open()
    await bus.requests.send(tenant, Halt())
    await forget_all(killable)
    async with asyncio.timeout(60), other.journals() as journals:
        while await journals.names([tenant]) != {str(answers), trader_actions(tenant)}:
            await asyncio.sleep(0.01)


async def test_a_journal_that_has_expired_is_not_named(
    bus: Bus, server: EmbeddedServer, answers: StreamName, tenant: Tenant
) -> None:
    """An answer's journal leaves the index with its time; the next that is registered clears it away."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.zadd(journals_index(tenant), {"stream.gone": 1})
        async with bus.journals() as journals:
            assert await journals.names([tenant]) == set()
        await bus.writer(answers, None).open()
        assert await client.zrange(journals_index(tenant), 0, -1) == [str(answers).encode()]
