import re
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.ids import MessageId
from millrace_core.names import TENANTS_INDEX, Tenant, journals_index
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reading import intake
from millrace_dbsync.reading.intake import Intake


def plan(batch_messages: int = 10_000) -> TenantPlan:
    return TenantPlan(Tenant("Ann"), ("stream.Ann.*",), True, 0.05, batch_messages, 50)


async def test_a_batch_is_no_larger_than_a_batch(bus: Bus, feed: Any) -> None:
    """However much waits, what is read together is bounded, and nothing is left out or read twice."""
    feed.write(3_000)
    await feed.drained()
    read: list[MessageId] = []
    async with bus.journals() as journals:
        reading = Intake(plan(batch_messages=500), journals, {})
        while len(read) < feed.trades.last.seq:
            batch = await reading.next()
            assert 0 < batch.count <= 500 + 8 * len(batch.pages)
            assert batch.count == sum(map(len, batch.pages.values()))
            read += [entry.id for entry in batch.pages.get(str(feed.trades_name), [])]
    assert read == [MessageId(feed.trades.last.epoch, seq) for seq in range(1, feed.trades.last.seq + 1)]


async def test_reading_goes_on_from_what_is_stored(bus: Bus, feed: Any) -> None:
    """Positions of the database are where reading begins."""
    feed.write(100)
    await feed.drained()
    last = feed.trades.last
    stored = {str(feed.trades_name): MessageId(last.epoch, last.seq - 3)}
    async with bus.journals() as journals:
        batch = await Intake(plan(), journals, stored).next()
    assert [entry.id.seq for entry in batch.pages[str(feed.trades_name)]] == [last.seq - 2, last.seq - 1, last.seq]
    assert batch.gaps == []


async def test_without_journals_reading_waits(bus: Bus) -> None:
    """A tenant of whom nothing is written yet costs nothing: an empty batch after a wait."""
    async with bus.journals() as journals:
        reading = Intake(plan(), journals, {})
        assert (await reading.next()).count == 0
        assert reading.positions == {}


async def test_a_quiet_stream_beside_a_busy_one_is_read_as_soon(bus: Bus, feed: Any, make_feed: Any) -> None:
    """One page of every journal comes before a second page of any."""
    quiet = make_feed(bus, "ETH/USDT")
    await quiet.open()
    feed.write(5_000)
    quiet.write(1)
    await feed.drained()
    await quiet.drained()
    async with bus.journals() as journals:
        batch = await Intake(plan(batch_messages=1_000), journals, {}).next()
    assert str(quiet.trades_name) in batch.pages
    await quiet.close()


async def test_a_journal_that_is_gone_is_forgotten_once_it_is_stored(
    bus: Bus, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it is remembered, so that one that comes back is read on from where reading was."""
    monkeypatch.setattr(intake, "_LOOK_EVERY_S", 0.0)
    feed.write(10)
    await feed.drained()
    name, last = str(feed.trades_name), feed.trades.last
    stored: dict[str, MessageId] = {}
    async with bus.journals() as journals:
        reading = Intake(plan(), journals, stored)
        await reading.next()
        await bus._publishing.call("ZREM", journals_index(Tenant("Ann")), name)
        await reading.next()
        assert reading.positions[name] >= last
        stored[name] = reading.positions[name]
        await reading.next()
        assert name not in reading.positions
        await bus.register_journals(Tenant("Ann"), name)
        feed.write(1)
        await feed.drained()
        batch = await reading.next()
    assert batch.pages[name].ids[0].follows(stored[name])
    assert batch.gaps == []


async def test_only_the_tenants_own_journals_are_looked_for(
    bus: Bus, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many tenants somebody has invented, they cost nothing."""
    await feed.drained()
    await bus._publishing.call("SADD", TENANTS_INDEX, *(f"invented{n}" for n in range(1_000)))
    before = await commands(bus)
    async with bus.journals() as journals:
        await Intake(plan(), journals, {}).next()
    assert await commands(bus) - before == 1


async def commands(bus: Bus) -> int:
    """Return how often indexes were asked for journals."""
    found = re.search(rb"cmdstat_zrangebyscore:calls=(\d+)", await bus._publishing.call("INFO", "commandstats"))
    return int(found[1]) if found else 0
