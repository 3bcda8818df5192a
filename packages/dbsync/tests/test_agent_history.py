import asyncio
import json
from typing import Any

import redis.asyncio

from millrace_bus import Bus, EmbeddedServer
from millrace_core.names import AgentId


async def until_rows(dbsync: Any, query: str, count: int) -> list[tuple[Any, ...]]:
    async with asyncio.timeout(60):
        while True:
            try:
                found: list[tuple[Any, ...]] = await dbsync.rows.fetch(query)
            except Exception:  # noqa: BLE001 - the tables may not be there yet, each database says so in its own way
                found = []
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)


async def test_every_configuration_is_kept_once(dbsync: Any, bus: Bus) -> None:
    """Each change is a row; an unchanged state or configuration is not, also after a restart."""
    other = AgentId("OTHER")
    await dbsync.start()
    query = "SELECT data FROM configs WHERE agent_id = 'OTHER' ORDER BY at_ms"
    for number in range(3):
        await bus.put_config(other, json.dumps({"n": number}))
        await until_rows(dbsync, query, number + 1)
    lives = "SELECT 1 FROM agent_states WHERE agent_id = 'DBSYNC' AND state = 'running'"
    # The first life must have been seen before it ends: agents are looked at every 2 s only.
    await until_rows(dbsync, lives, 1)
    await dbsync.stop()
    await dbsync.start()
    await until_rows(dbsync, lives, 2)
    assert await dbsync.rows.fetch(query) == [(json.dumps({"n": number}),) for number in range(3)]


async def test_plain_secrets_are_not_kept(dbsync: Any, bus: Bus) -> None:
    """Whoever reads the database, or a backup of it, gets no key of an account."""
    await dbsync.start()
    account = {"apiKey": "k", "secret": "plain-s3cr3t"}
    await bus.put_config(AgentId("OTHER"), json.dumps({"exchanges": {"Ann": {"kucoin": account}}}))
    ((text,),) = await until_rows(dbsync, "SELECT data FROM configs WHERE agent_id = 'OTHER'", 1)
    assert json.loads(text)["exchanges"]["Ann"]["kucoin"] == {"apiKey": "***", "secret": "***"}


async def test_what_agents_say_is_kept(dbsync: Any) -> None:
    """An agent's state is there soon after it changed."""
    await dbsync.start()
    found = await until_rows(dbsync, "SELECT kind, state FROM agent_states WHERE state = 'running'", 1)
    assert found[0] == ("dbsync", "running")


async def test_what_cannot_be_kept_keeps_nothing_else_away(dbsync: Any, bus: Bus, server: EmbeddedServer) -> None:
    """Another program may leave anything that reads like one."""
    heartbeat = {"kind": "x", "state": "running", "pid": 1, "startedAt": 0, "sentAt": 1, "version": "1"}
    spoilt = [{"id": "A", "sentAt": 2**63}, {"id": "B", "sentAt": 2**70}, {"id": "C", "kind": "\0"}, {"id": "D"}]
    async with redis.asyncio.Redis.from_url(server.url) as client:
        for each in spoilt:
            await client.set(f"agent.{each['id']}", json.dumps({**heartbeat, **each}))
            await client.sadd("index.agents", str(each["id"]))
        await client.set("stream.config.X\0", b'"\0\xff')
        await client.sadd("index.configs", "X\0")
        await dbsync.start()
        await until_rows(dbsync, "SELECT 1 FROM configs WHERE agent_id <> 'DBSYNC'", 1)
        await until_rows(dbsync, "SELECT 1 FROM agent_states WHERE agent_id IN ('C', 'D')", 2)
        await until_rows(dbsync, "SELECT 1 FROM agent_states WHERE agent_id = 'DBSYNC' AND state = 'running'", 1)
