"""One client's connection: writing in bursts, pings and pongs, and the limits that it lives under.

aiohttp does the handshake and the reading; what goes out are frames of our own, written to the transport directly,
so that an event is encoded and framed once for all of its subscribers.

The default limits are those of https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, "WebSocket
Limits".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from millrace_simulator.streaming.frames import CloseCode, ping_frame, pong_frame


@dataclass(frozen=True, slots=True)
class ConnectionRules:
    """Limits of a connection; the defaults are Binance's, the inbound burst more generous."""

    ping_interval_s: float | None = 20.0
    """The server pings this often; None leaves pinging to the client."""
    pong_timeout_s: float = 60.0
    """A ping must be answered, with its payload, within this time."""
    idle_timeout_s: float | None = None
    """A client that sends no message for this long is cut off; None lets it be silent."""
    lifetime_s: float = 24 * 3600.0
    """A connection ends at this age."""
    inbound_per_s: float = 5.0
    """Messages that a client may send, pings and pongs among them, on average."""
    inbound_burst: float = 50.0
    """Messages that a client may send at once after a pause."""
    max_streams: int = 1024
    """Market streams that one connection may listen to."""
    max_backlog: int = 8 << 20
    """Bytes written but not yet taken by the client; a slower one is cut off."""
    max_message: int = 1 << 20
    """Bytes of the longest message taken from a client."""
    close_timeout_s: float = 0.5
    """How long the client may take over the closing handshake."""


class ClientConnection:
    """A connected client.

    `send` never blocks: what one turn of the event loop sends goes out as one write, in order.
    """

    def __init__(self, rules: ConnectionRules) -> None:
        self._loop = asyncio.get_running_loop()
        self._rules = rules
        self._ws = web.WebSocketResponse(
            autoping=False, compress=False, timeout=rules.close_timeout_s, max_msg_size=rules.max_message
        )
        self._transport: asyncio.Transport | None = None
        self._pending: list[bytes] = []
        self._unanswered: set[bytes] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ending: asyncio.Task[None] | None = None
        self._allowance = rules.inbound_burst
        self._allowance_at = self._loop.time()

    async def open(self, request: web.Request) -> web.WebSocketResponse:
        """Shake hands; from here on what is sent goes out."""
        await self._ws.prepare(request)
        self._transport = request.transport
        self._schedule_ping()
        self._await_message()
        self._schedule("age", self._rules.lifetime_s, lambda: self.end(CloseCode.GOING_AWAY, "Connection expired"))
        return self._ws

    async def listen(self, handle: Callable[[str], None], *, limit_messages: bool) -> None:
        """Hand every message to `handle` until either side ends the connection.

        With `limit_messages` they count against the limit on inbound messages, as pings and pongs always do.
        """
        try:
            while True:
                message = await self._ws.receive()
                if message.type is WSMsgType.TEXT:
                    self._await_message()
                    if limit_messages and not self._admit():
                        break
                    handle(message.data)
                elif not self._take_control(message.type, message.data):
                    break
            if self._ending is not None:
                await self._ending
        finally:
            self._stop()

    def send(self, frame: bytes) -> None:
        """Queue a frame, written at the end of this turn of the event loop."""
        self._pending.append(frame)
        if len(self._pending) == 1:
            self._loop.call_soon(self._flush)

    def end(self, code: CloseCode, reason: str) -> None:
        """Start closing the connection; queued frames are sent first."""
        if self._ending is None:
            self._ending = self._loop.create_task(self.close(code, reason))

    def abort(self) -> None:
        """End the connection as a broken line does: what is queued is lost."""
        self._pending.clear()
        if self._transport is not None:
            self._transport.abort()

    async def close(self, code: CloseCode, reason: str) -> None:
        """End the connection in order: what is queued, the closing handshake, then the transport."""
        self._flush()
        self._stop()
        await self._ws.close(code=code, message=reason.encode())

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        transport = self._transport
        if not pending or transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > self._rules.max_backlog:
            transport.abort()
            return
        transport.write(pending[0] if len(pending) == 1 else b"".join(pending))

    def _stop(self) -> None:
        self._transport = None
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _take_control(self, kind: WSMsgType, payload: bytes) -> bool:
        if kind is WSMsgType.PING:
            self.send(pong_frame(bytes(payload)))
            return self._admit()
        if kind is WSMsgType.PONG:
            self._take_pong(bytes(payload))
            return self._admit()
        return False

    def _take_pong(self, payload: bytes) -> None:
        # An unsolicited pong is allowed but keeps nothing alive: only a payload of our own counts.
        if payload in self._unanswered:
            self._unanswered.clear()
            self._timers.pop("pong").cancel()

    def _admit(self) -> bool:
        now = self._loop.time()
        refill = (now - self._allowance_at) * self._rules.inbound_per_s
        self._allowance = min(self._rules.inbound_burst, self._allowance + refill) - 1.0
        self._allowance_at = now
        if self._allowance < 0.0:
            self.end(CloseCode.POLICY_VIOLATION, "Too many messages")
        return self._allowance >= 0.0

    def _ping(self) -> None:
        payload = str(time.time_ns() // 1_000_000).encode()
        self._unanswered.add(payload)
        self.send(ping_frame(payload))
        if "pong" not in self._timers:
            self._schedule("pong", self._rules.pong_timeout_s, lambda: self._give_up("Pong timeout"))
        self._schedule_ping()

    def _schedule_ping(self) -> None:
        if self._rules.ping_interval_s is not None:
            self._schedule("ping", self._rules.ping_interval_s, self._ping)

    def _await_message(self) -> None:
        if self._rules.idle_timeout_s is None or self._transport is None:
            return
        if (waiting := self._timers.get("idle")) is not None:
            waiting.cancel()
        self._schedule("idle", self._rules.idle_timeout_s, lambda: self._give_up("Ping timeout"))

    def _give_up(self, reason: str) -> None:
        self.end(CloseCode.POLICY_VIOLATION, reason)

    def _schedule(self, name: str, delay_s: float, action: Callable[[], None]) -> None:
        self._timers[name] = self._loop.call_later(delay_s, action)


async def close_all(connections: Iterable[ClientConnection]) -> None:
    """End all these connections in order, because the server shuts down."""
    await asyncio.gather(*(each.close(CloseCode.GOING_AWAY, "Server is shutting down") for each in connections))
