"""What clients send over WebSockets."""

import asyncio
import time
from typing import Any

import picows
import pytest

from millrace_api.live.commands import Commands

RATE = 5


async def test_commands_are_carried_out_at_their_tenants_rate(api: Any, tenant: Any, other: Any, connect: Any) -> None:
    """However fast they come, by however many sockets, pings too; another tenant's are carried out meanwhile."""
    limits = api.services.config.tenant_limits.model_copy(update={"commands_per_second": RATE})
    api.services.configure(api.services.config.model_copy(update={"tenant_limits": limits}))
    token = await api.token(tenant, "read")
    begun_s = time.monotonic()
    flooding = [await connect(token) for _ in range(3)]
    for socket in flooding:
        for number in range(3_000):
            socket.transport.send_ping(b"x")
            socket.say(op="unsubscribe", stream=f"stream.{tenant}.kucoin.watchTrades.A{number}/B")
    quiet = await connect(await api.token(other, "read"))
    quiet.say(op="unsubscribe", stream=f"stream.{other}.kucoin.watchTrades.A/B")
    await quiet.until(lambda: quiet.received)
    await flooding[0].until(lambda: len(flooding[0].received) > 1)
    answered = sum(len(socket.received) for socket in flooding)
    assert answered <= RATE + RATE * (time.monotonic() - begun_s)
    names = [each["stream"] for each in flooding[0].received]
    assert names == [f"stream.{tenant}.kucoin.watchTrades.A{number}/B" for number in range(len(names))]


async def test_who_floods_for_long_is_disconnected(
    api: Any, tenant: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of what waits is kept, however much there is, and although the client reads nothing of it."""
    monkeypatch.setattr("millrace_api.live.commands.FLOODED_S", 0.5)
    limits = api.services.config.tenant_limits.model_copy(update={"commands_per_second": RATE})
    api.services.configure(api.services.config.model_copy(update={"tenant_limits": limits}))
    drop, dropped = Commands.drop, asyncio.Queue[int]()

    def noted(self: Commands) -> None:
        waiting = len(self._waiting)
        drop(self)
        if waiting:
            dropped.put_nowait(len(self._waiting))

    monkeypatch.setattr(Commands, "drop", noted)
    socket = await connect(await api.token(tenant, "read"))
    for number in range(1_000):
        socket.say(op="unsubscribe", stream=f"stream.{tenant}.kucoin.watchTrades.A{number}/B")
    await socket.until(lambda: socket.closed)
    assert socket.closed == (1008, "commands came too fast for 0 s")
    async with asyncio.timeout(30):
        assert await dropped.get() == 0


async def test_every_ping_is_answered(api: Any, tenant: Any, connect: Any) -> None:
    """A client may ask whether the API is there."""
    socket = await connect(await api.token(tenant, "read"))
    pongs: list[bytes] = []
    remembered = socket.on_ws_frame

    def on_frame(transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.PONG:
            pongs.append(frame.get_payload_as_bytes())
        remembered(transport, frame)

    socket.on_ws_frame = on_frame
    for payload in (b"1", b"2"):
        socket.transport.send_ping(payload)
    await socket.until(lambda: len(pongs) == 2)
    assert pongs == [b"1", b"2"]
