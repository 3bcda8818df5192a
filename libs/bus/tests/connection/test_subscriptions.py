"""Channels on a real server."""

import asyncio
from typing import Any

import redis.asyncio

from millrace_bus import EmbeddedServer
from millrace_bus.connection.address import Address
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_core.names import Tenant


class _Hearer:
    def __init__(self) -> None:
        self.said: list[Any] = []
        self.more = asyncio.Event()

    def _say(self, what: Any) -> None:
        self.said.append(what)
        self.more.set()

    def subscribed(self) -> None:
        self._say("subscribed")

    def heard(self, data: bytes) -> None:
        self._say(data)

    def deaf(self) -> None:
        self._say("deaf")

    async def until(self, *said: Any) -> None:
        async with asyncio.timeout(10):
            while self.said != list(said):
                self.more.clear()
                await self.more.wait()


def _subscriptions(server: EmbeddedServer) -> Subscriptions:
    return Subscriptions(Address("127.0.0.1", server.port), "test")


async def test_every_hearer_hears_once_it_is_subscribed(server: EmbeddedServer, tenant: Tenant) -> None:
    """Also the second of a channel; and one that was removed hears no more."""
    subscriptions, first, second = _subscriptions(server), _Hearer(), _Hearer()
    async with redis.asyncio.Redis.from_url(server.url) as client:
        one = subscriptions.add(tenant, first)
        await first.until("subscribed")
        await client.publish(tenant, "a")
        await first.until("subscribed", b"a")
        subscriptions.add(tenant, second)
        await second.until("subscribed")
        subscriptions.remove(one)
        subscriptions.remove(one)
        await client.publish(tenant, "b")
        await second.until("subscribed", b"b")
    assert first.said == ["subscribed", b"a"]
    await subscriptions.close()


async def test_adding_again_after_removing_misses_nothing(server: EmbeddedServer, tenant: Tenant) -> None:
    """A confirmation that an unsubscription follows does not count."""
    subscriptions, hearer = _subscriptions(server), _Hearer()
    async with redis.asyncio.Redis.from_url(server.url) as client:
        for _ in range(5):
            subscriptions.remove(subscriptions.add(tenant, _Hearer()))
        subscriptions.add(tenant, hearer)
        await hearer.until("subscribed")
        await client.publish(tenant, "a")
        await hearer.until("subscribed", b"a")
    await subscriptions.close()


async def test_an_outage_is_told_and_ends(killable: EmbeddedServer, tenant: Tenant) -> None:
    """A hearer learns when it may miss messages, and from when on it misses none."""
    subscriptions, hearer, rings = _subscriptions(killable), _Hearer(), list[int]()
    subscriptions.add(tenant, hearer)
    subscriptions.add_pattern(f"{tenant}*", lambda: rings.append(1))
    await hearer.until("subscribed")
    await killable.kill()
    await killable.restart()
    await hearer.until("subscribed", "deaf", "subscribed")
    async with redis.asyncio.Redis.from_url(killable.url) as client:
        await client.publish(tenant, "a")
    await hearer.until("subscribed", "deaf", "subscribed", b"a")
    assert len(rings) >= 2
    await subscriptions.close()
