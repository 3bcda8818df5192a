"""A connection that always comes back."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from millrace_bus import Disconnected, EmbeddedServer, TaskFailed, Unreachable
from millrace_bus.connection import reconnecting as reconnecting_module
from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import Connection
from millrace_bus.connection.reconnecting import ReconnectingConnection


async def test_it_comes_back(killable: EmbeddedServer) -> None:
    """After each outage there is a new connection; `on_up` is called before it can be used."""
    met: list[Connection] = []
    downs: list[int] = []

    async def meet(connection: Connection) -> None:
        assert reconnecting.connection is None
        met.append(connection)

    reconnecting = ReconnectingConnection(
        Address("127.0.0.1", killable.port), "test", on_up=meet, on_down=lambda: downs.append(1)
    )
    for outage in range(3):
        assert await reconnecting.call("PING") == b"PONG"
        assert len(met) == outage + 1
        await killable.kill()
        await killable.restart()
        await reconnecting.up(10)
    await reconnecting.close()
    assert len(downs) == 4


async def test_a_call_that_is_cut_off_is_not_repeated(killable: EmbeddedServer) -> None:
    """It may have been carried out: that is the caller's to judge."""
    reconnecting = ReconnectingConnection(Address("127.0.0.1", killable.port), "test")
    call = asyncio.ensure_future(reconnecting.call("BLPOP", "nothing", 0))
    await reconnecting.up(10)
    await asyncio.sleep(0)
    await killable.kill()
    with pytest.raises(Disconnected):
        await call
    await reconnecting.close()


async def test_it_says_why_there_is_no_connection(tmp_path: Path) -> None:
    """A port that is closed, or a wrong password: the error says which, and the system's own words."""
    async with await EmbeddedServer.start(tmp_path, password="right") as server:
        reconnecting = ReconnectingConnection(Address("127.0.0.1", server.port, password="wrong"), "test")
        with pytest.raises(Unreachable, match=r"refuses this user or password .WRONGPASS.$"):
            await reconnecting.up(0.3)
        await reconnecting.close()
        reconnecting = ReconnectingConnection(Address("127.0.0.1", server.port), "test")
        with pytest.raises(Unreachable, match=r"wants a password .NOAUTH.: its address is redis://"):
            await reconnecting.up(0.3)
        await reconnecting.close()
    reconnecting = ReconnectingConnection(Address("127.0.0.1", server.port), "test")
    with pytest.raises(Unreachable, match="Connect"):
        await reconnecting.up(0.3)
    await reconnecting.close()


async def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, killable: EmbeddedServer) -> None:
    """One that takes connections and answers nothing is as good as dead, and used again when it answers."""
    monkeypatch.setattr(reconnecting_module, "PING_AFTER_S", 0.1)
    reconnecting = ReconnectingConnection(Address("127.0.0.1", killable.port), "test")
    first = await reconnecting.up(10)
    assert killable.pid
    os.kill(killable.pid, signal.SIGSTOP)
    async with asyncio.timeout(60):
        await first.lost
    os.kill(killable.pid, signal.SIGCONT)
    assert await reconnecting.up(10) is not first
    await reconnecting.close()


async def test_a_hook_that_hangs_does_not_hold_the_connection(
    monkeypatch: pytest.MonkeyPatch, server: EmbeddedServer
) -> None:
    """`on_up` has a limit; after it, a new connection is made and the hook called again."""
    monkeypatch.setattr(reconnecting_module, "ON_UP_TIMEOUT_S", 0.1)
    tries: list[Connection] = []

    async def hang_once(connection: Connection) -> None:
        tries.append(connection)
        if len(tries) == 1:
            await asyncio.Event().wait()

    reconnecting = ReconnectingConnection(Address("127.0.0.1", server.port), "test", on_up=hang_once)
    assert await reconnecting.up(5) is tries[1]
    await reconnecting.close()


async def test_an_unforeseen_error_reaches_everyone_who_waits(server: EmbeddedServer) -> None:
    """An unforeseen error of `on_up` is not an outage: it would be raised again at every reconnect, unseen."""

    async def break_down(connection: Connection) -> None:
        raise ZeroDivisionError("unforeseen")

    reconnecting = ReconnectingConnection(Address("127.0.0.1", server.port), "test", on_up=break_down)
    for _ in range(2):
        with pytest.raises(TaskFailed, match="unforeseen"):
            await reconnecting.up(5)
    await reconnecting.close()


async def test_a_connection_that_is_lost_at_once_is_not_made_without_a_pause(server: EmbeddedServer) -> None:
    """A hook that Redis refuses is tried again ever more slowly, not in a busy loop."""
    tries: list[float] = []

    async def refused(connection: Connection) -> None:
        tries.append(time.monotonic())
        await connection.call("NO-SUCH-COMMAND")

    reconnecting = ReconnectingConnection(Address("127.0.0.1", server.port), "test", on_up=refused)
    with pytest.raises(Unreachable):
        await reconnecting.up(0.5)
    await reconnecting.close()
    assert 2 <= len(tries) <= 8
