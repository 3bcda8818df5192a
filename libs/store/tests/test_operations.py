"""How the platform does: what it lost, how long things took, what its agents said."""

from collections.abc import Callable
from typing import Any

import pytest

from millrace_core.heartbeat import Heartbeat
from millrace_core.latency import Histogram
from millrace_core.market import Trade
from millrace_core.messages import Status
from millrace_core.names import AgentId, StreamName, Symbol, Tenant
from millrace_store import Scope, Store

SCOPE = Scope(Tenant("T"))


async def test_gaps_are_kept_once_and_found(store: Store, name: Callable[..., StreamName]) -> None:
    """A gap has one row with its count, however often it is found; newest first, by tenant, symbol and time."""
    stream = str(name("watchTrades"))
    for _ in range(2):
        async with store.batch() as batch:
            batch.gap(stream, 5, 10, 12, 1_000, "trimmed")
            batch.gap(str(name("watchTrades", "BTC/USDT")), 5, 1, 1, 2_000, "deleted")
            batch.gap(str(name("watchTrades", tenant="OTHER")), 5, 1, 1, 2_000, "deleted")
    rows = (await store.operations.gaps(SCOPE)).rows
    assert [(row.first_seq, row.last_seq, row.missing) for row in rows] == [(1, 1, 1), (10, 12, 3)]
    assert (rows[1].stream, rows[1].epoch, rows[1].found_ms, rows[1].reason) == (stream, 5, 1_000, "trimmed")
    assert len((await store.operations.gaps(SCOPE._replace(symbol=Symbol("KCS/USDT")))).rows) == 1
    assert len((await store.operations.gaps(SCOPE._replace(until_ms=2_000))).rows) == 1
    first = await store.operations.gaps(SCOPE, limit=1)
    assert (await store.operations.gaps(SCOPE, cursor=first.next_cursor)).rows == rows[1:]


async def test_latencies_add_up(
    store: Store, journal: Any, name: Callable[..., StreamName], trades: Callable[..., list[Trade]]
) -> None:
    """Durations of one minute from several batches are one histogram, and longer intervals merge minutes."""
    stream = journal(name("watchTrades"))
    for minute in (0, 0, 1):
        histogram = Histogram()
        for _ in range(10):
            histogram.record(1_000 * (minute + 1))
        async with store.batch() as batch:
            batch.trades(stream.next(), trades(stream.epoch, (1.0, 1.0)))
            batch.latency(stream.name, "received→published", 600_000 + 60_000 * minute, histogram)
    first, second = await store.operations.latencies(SCOPE)
    assert (first.count, second.count) == (20, 10)
    assert first.p50 == pytest.approx(1_000, rel=0.05)
    assert second.p99 == pytest.approx(2_000, rel=0.05)
    (both,) = await store.operations.latencies(SCOPE, interval_ms=300_000)
    assert (both.count, both.at_ms, both.hop, both.stream) == (30, 600_000, "received→published", stream.name)
    assert await store.operations.latencies(Scope(Tenant("OTHER"))) == []


async def test_streams_show_how_far_they_are(store: Store, journal: Any, name: Callable[..., StreamName]) -> None:
    """Positions by name, and how many messages of each there are."""
    stream = journal(name("watchTicker"))
    async with store.batch() as batch:
        for _ in range(3):
            batch.status(stream.next(), Status("live"))
        batch.position(stream.name, stream.next().id)
    (row,) = await store.operations.streams(SCOPE)
    assert (row.stream, row.position, row.messages) == (stream.name, f"{stream.epoch}-4", 3)
    assert await store.operations.positions() == {stream.name: (stream.epoch, 4)}
    assert await store.operations.streams(SCOPE._replace(symbol=Symbol("BTC/USDT"))) == []


async def test_agents_and_what_they_were(store: Store) -> None:
    """The newest that each agent said, and all that one said, newest first."""
    for sent_at in (1_000, 2_000):
        for agent in ("GATHERER", "EXECUTOR"):
            async with store.batch() as batch:
                beat = Heartbeat(agent, agent.lower(), "running", 1, 0, sent_at, "0.1")
                batch.agent(beat)
                batch.agent(beat)
    assert [(row.agent_id, row.at_ms) for row in await store.operations.agents()] == [
        ("EXECUTOR", 2_000),
        ("GATHERER", 2_000),
    ]
    history = await store.operations.agent_history(AgentId("GATHERER"), limit=1)
    rest = await store.operations.agent_history(AgentId("GATHERER"), cursor=history.next_cursor)
    assert [row.at_ms for row in history.rows + rest.rows] == [2_000, 1_000]
    assert history.rows[0].heartbeat["kind"] == "gatherer"


async def test_configurations_are_kept_when_they_change(store: Store) -> None:
    """The same revision again adds nothing; one that comes back after another does, and comes after it by any clock."""
    for at_ms, revision in ((1, "a"), (2, "a"), (3, "b"), (2, "a"), (1, "a")):
        async with store.batch() as batch:
            batch.config(AgentId("GATHERER"), revision, at_ms, f'{{"n":"{revision}"}}', "Ann")
    rows = (await store.operations.configs(AgentId("GATHERER"))).rows
    assert [(row.at_ms, row.revision) for row in rows] == [(4, "a"), (3, "b"), (1, "a")]
    assert (rows[0].text, rows[0].author) == ('{"n":"a"}', "Ann")


async def test_dead_letters_are_given_as_they_came(store: Store, journal: Any, name: Callable[..., StreamName]) -> None:
    """Bytes of any kind and the reason, over every name on which a tenant's messages travel."""
    places = [journal(one).next() for one in (name("watchTrades"), name("watchTrades").snapshot, "T.traderActions")]
    async with store.batch() as batch:
        for place in places:
            batch.dead_letter(place, "no JSON", b"\x00\xff'")
    rows = (await store.operations.dead_letters(SCOPE)).rows
    assert {row.stream for row in rows} == {place.name for place in places}
    assert {(row.reason, row.raw) for row in rows} == {("no JSON", b"\x00\xff'")}
