"""Configurations on a real server."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from millrace_bus import Bus, EmbeddedServer
from millrace_bus.agents import configs as configs_module
from millrace_bus.agents.notifications import SETTING, missing_flags
from millrace_core.names import AgentId, Tenant, config_key


async def _next(changes: AsyncIterator[bytes | None]) -> bytes | None:
    async with asyncio.timeout(4):
        return await anext(changes)


async def test_a_configuration_is_followed(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """It comes now and at each change, whatever program makes it, and well before the poll."""
    agent = AgentId(tenant)
    changes = bus.watch_config(agent)
    assert await _next(changes) is None
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set(config_key(agent), b"one")
        assert await _next(changes) == b"one"
    await bus.put_config(agent, "two")
    assert await _next(changes) == b"two"
    assert await bus.get_config(agent) == b"two"


async def test_of_two_that_replace_a_configuration_one_succeeds(bus: Bus, other: Bus, tenant: Tenant) -> None:
    """It is written only over what was expected, also where nothing was; both at once never succeed."""
    agent = AgentId(tenant)
    assert await bus.replace_config(agent, None, b"one")
    assert not await bus.replace_config(agent, None, b"two")
    tries = (each.replace_config(agent, b"one", text) for each, text in ((bus, b"mine"), (other, b"theirs")))
    assert sorted(await asyncio.gather(*tries)) == [False, True]
    assert await bus.get_config(agent) in (b"mine", b"theirs")


async def test_a_change_during_an_outage_is_noticed(killable: EmbeddedServer, bus: Bus, tenant: Tenant) -> None:
    """An agent that watches learns what was written while it was cut off."""
    agent = AgentId(tenant)
    await bus.put_config(agent, "one")
    changes = bus.watch_config(agent)
    assert await _next(changes) == b"one"
    await killable.kill()
    await killable.restart()
    await bus.put_config(agent, "two")
    assert await _next(changes) == b"two"


async def test_what_notifications_lose_the_poll_finds(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, server: EmbeddedServer, tenant: Tenant
) -> None:
    """A removed key is not announced; it is noticed all the same."""
    monkeypatch.setattr(configs_module, "POLL_S", 0.1)
    agent = AgentId(tenant)
    await bus.put_config(agent, "one")
    changes = bus.watch_config(agent)
    assert await _next(changes) == b"one"
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.delete(config_key(agent))
    assert await _next(changes) is None


async def test_all_configurations_are_found_without_a_scan(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """One that is put is registered; one that a person sets is, by its notification or when its agent starts."""
    put, typed, watched = (AgentId(f"{tenant}{each}") for each in ("put", "typed", "watched"))
    await bus.put_config(put, "one")
    found: dict[str, bytes | None] = {}
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set(config_key(watched), b"one")
        watching = bus.watch_config(watched)
        assert await _next(watching) == b"one"
        changes = bus.config_changes()
        async with asyncio.timeout(60):
            while {put, watched} - found.keys():
                agent, text = await anext(changes)
                found[agent] = text
            while await client.pubsub_numpat() < 2:
                await asyncio.sleep(0.01)
            await client.set(config_key(typed), b"one")
            while typed not in found:
                agent, text = await anext(changes)
                found[agent] = text
        await changes.aclose()
    assert [found[agent] for agent in (put, typed, watched)] == [b"one"] * 3


async def test_redis_is_set_to_announce_changes(bus: Bus, server: EmbeddedServer, tenant: Tenant) -> None:
    """A server that announces nothing is set right, and keeps what it announces besides; so is one that lost it."""
    agent = AgentId(tenant)
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.config_set(SETTING, "Ex")
        changes = bus.watch_config(agent)
        assert await _next(changes) is None
        watching = asyncio.ensure_future(anext(changes))
        async with asyncio.timeout(60):
            while missing_flags(str((await client.config_get(SETTING))[SETTING])):
                await asyncio.sleep(0.01)
        assert {*"ExK$"} <= {*(await client.config_get(SETTING))[SETTING]}
        await client.set(config_key(agent), b"one")
        assert await asyncio.wait_for(watching, configs_module.POLL_S - 1) == b"one"


@pytest.mark.parametrize(("setting", "warnings"), [("", 1), ("K$", 0)], ids=["silent", "announcing"])
async def test_a_redis_that_announces_nothing_and_may_not_be_set_right_is_warned_of_once(
    killable: EmbeddedServer,
    tenant: Tenant,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    warnings: int,
) -> None:
    """As where CONFIG is not allowed; configurations are followed all the same. One that announces needs no warning."""
    agent, user = AgentId(tenant), f"user-{tenant}"
    if not setting:
        monkeypatch.setattr(configs_module, "POLL_S", 0.1)
    async with redis.asyncio.Redis.from_url(killable.url) as client:
        await client.config_set(SETTING, setting)
        await client.acl_setuser(
            user, enabled=True, passwords=["+pass"], keys=["*"], channels=["*"], commands=["+@all", "-config"]
        )
        url = killable.url.replace("redis://", f"redis://{user}:pass@")
        async with Bus.connect(url, name="restricted") as restricted:
            watched = [restricted.watch_config(agent), restricted.watch_config(AgentId(f"{agent}2"))]
            assert [await _next(each) for each in watched] == [None, None]
            for text in (b"one", b"two"):
                for each in (agent, AgentId(f"{agent}2")):
                    await client.set(config_key(each), text)
                assert [await _next(each) for each in watched] == [text, text]
    said = [record.getMessage() for record in caplog.records if SETTING in record.getMessage()]
    assert len(said) == warnings
    assert all("K$" in line for line in said)


@pytest.mark.parametrize(("present", "missing"), [("", "K$"), ("KEA", ""), ("EA", "K"), ("K$", ""), ("gxK", "$")])
def test_only_what_is_missing_is_added(present: str, missing: str) -> None:
    """`A` stands for all classes of events."""
    assert missing_flags(present) == missing
