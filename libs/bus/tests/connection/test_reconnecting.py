"""A connection that always comes back."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from millrace_bus import Disconnected, EmbeddedServer, Unreachable
from millrace_bus import link as link_module
from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import Wire
from millrace_bus.connection.reconnecting import Link


async def test_it_comes_back(killable: EmbeddedServer) -> None:
    """After each outage there is a new wire, made known before anybody can use it."""
    met: list[Wire] = []
    downs: list[int] = []

    async def meet(wire: Wire) -> None:
        assert link.wire is None
        met.append(wire)

    link = Link(Address("127.0.0.1", killable.port), "test", on_up=meet, on_down=lambda: downs.append(1))
    for outage in range(3):
        assert await link.call("PING") == b"PONG"
        assert len(met) == outage + 1
        await killable.kill()
        await killable.restart()
        await link.up(10)
    await link.close()
    assert len(downs) == 4


async def test_a_call_that_is_cut_off_is_not_repeated(killable: EmbeddedServer) -> None:
    """It may have been carried out: that is the caller's to judge."""
    link = Link(Address("127.0.0.1", killable.port), "test")
    call = asyncio.ensure_future(link.call("BLPOP", "nothing", 0))
    await link.up(10)
    await asyncio.sleep(0)
    await killable.kill()
    with pytest.raises(Disconnected):
        await call
    await link.close()


async def test_it_says_why_there_is_no_connection(tmp_path: Path) -> None:
    """Refused, or a wrong password: the error has the words of whoever refused."""
    async with await EmbeddedServer.start(tmp_path, password="right") as server:
        link = Link(Address("127.0.0.1", server.port, password="wrong"), "test")
        with pytest.raises(Unreachable, match="WRONGPASS"):
            await link.up(0.3)
        await link.close()
    link = Link(Address("127.0.0.1", server.port), "test")
    with pytest.raises(Unreachable, match="Connect"):
        await link.up(0.3)
    await link.close()


async def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, killable: EmbeddedServer) -> None:
    """One that takes connections and answers nothing is as good as dead, and used again when it answers."""
    monkeypatch.setattr(link_module, "PULSE_S", 0.1)
    link = Link(Address("127.0.0.1", killable.port), "test")
    first = await link.up(10)
    assert killable.pid
    os.kill(killable.pid, signal.SIGSTOP)
    async with asyncio.timeout(10):
        await first.lost
    os.kill(killable.pid, signal.SIGCONT)
    assert await link.up(10) is not first
    await link.close()
