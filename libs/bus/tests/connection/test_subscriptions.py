"""Channels on a real server."""

import asyncio
from typing import Any

import redis.asyncio

from millrace_bus import EmbeddedServer
from millrace_bus.connection.address import Address
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_core.names import Tenant


class _Subscriber:
    def __init__(self) -> None:
        self.said: list[Any] = []
        self.more = asyncio.Event()

    def _say(self, what: Any) -> None:
        self.said.append(what)
        self.more.set()

    def subscribed(self) -> None:
        self._say("subscribed")

    def on_message(self, data: bytes | None) -> None:
        self._say(data)

    def disconnected(self) -> None:
        self._say("disconnected")

    async def until(self, *said: Any) -> None:
        async with asyncio.timeout(60):
            while self.said != list(said):
                self.more.clear()
                await self.more.wait()


def _subscriptions(server: EmbeddedServer) -> Subscriptions:
    return Subscriptions(Address("127.0.0.1", server.port), "test")


async def test_every_subscriber_gets_messages_once_it_is_subscribed(server: EmbeddedServer, tenant: Tenant) -> None:
    """Also the second of a channel; and one that was removed gets none."""
    subscriptions, first, second = _subscriptions(server), _Subscriber(), _Subscriber()
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
    subscriptions, subscriber = _subscriptions(server), _Subscriber()
    async with redis.asyncio.Redis.from_url(server.url) as client:
        for _ in range(5):
            subscriptions.remove(subscriptions.add(tenant, _Subscriber()))
        subscriptions.add(tenant, subscriber)
        await subscriber.until("subscribed")
        await client.publish(tenant, "a")
        await subscriber.until("subscribed", b"a")
    await subscriptions.close()


async def test_an_outage_is_noticed_and_ends(killable: EmbeddedServer, tenant: Tenant) -> None:
    """A subscriber learns when it may miss messages, and from when on it misses none."""
    subscriptions, subscriber, changes = _subscriptions(killable), _Subscriber(), _Subscriber()
    subscriptions.add(tenant, subscriber)
    subscriptions.watch_pattern(f"{tenant}*", changes.on_message)
    await subscriber.until("subscribed")
    await changes.until(None)
    await killable.kill()
    await killable.restart()
    await subscriber.until("subscribed", "disconnected", "subscribed")
    await changes.until(None, None)
    async with redis.asyncio.Redis.from_url(killable.url) as client:
        await client.publish(tenant, "a")
    await subscriber.until("subscribed", "disconnected", "subscribed", b"a")
    await changes.until(None, None, tenant.encode())
    await subscriptions.close()
