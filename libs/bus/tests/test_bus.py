"""The bus as a whole."""

import asyncio
from typing import Any

import pytest

from millrace_bus import Bus, EmbeddedServer, Unreachable
from millrace_core.errors import InvalidName
from millrace_core.names import StreamName
from millrace_core.requests import Halt


async def test_streams_are_listed(bus: Bus, name: StreamName, answers: StreamName, published: Any) -> None:
    """Streams of some tenants are listed, sorted, without snapshots and requests to trade."""
    await published.writer.open()
    writer = bus.writer(answers, None)
    await writer.open()
    await bus.requests.send(name.tenant, Halt())
    assert await bus.stream_names([name.tenant]) == [answers, name]
    assert {answers, name} <= set(await bus.stream_names())


async def test_connecting_does_not_wait(killable: EmbeddedServer) -> None:
    """A bus is there before its Redis; `ready` tells whether Redis answers."""
    await killable.kill()
    async with Bus.connect(killable.url) as bus:
        with pytest.raises(Unreachable, match=str(killable.port)):
            await bus.ready(0.1)
        await killable.restart()
        await bus.ready(10)


async def test_a_wrong_url_is_refused_at_once() -> None:
    """It says what would be right."""
    with pytest.raises(InvalidName, match="rediss://"):
        async with Bus.connect("localhost"):
            pass


async def test_leaving_ends_everything(server: EmbeddedServer, name: StreamName, make_book: Any, other: Bus) -> None:
    """What was handed in is sent, writers say that they close, and no task is left."""
    before = asyncio.all_tasks()
    async with Bus.connect(server.url) as bus:
        published = make_book(bus, name)
        await published.writer.open()
        bus.follow(name, lambda update: None)
        bus.request_reader(name.tenant, consumer="EXECUTOR")
        published.bid(10.0, 1.0)
    assert published.writer.state == "closed"
    assert asyncio.all_tasks() <= before
    follower = other.follow(name, lambda update: None)
    await follower.ready()
    assert follower.last == published.writer.last
    assert follower.status == "closed"
