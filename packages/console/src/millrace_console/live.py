"""Live streams from the API: one WebSocket for each account, shared by all its pages.

A stream's state is kept once, however many pages show it. While the connection is broken its streams say so, and when
it stands again each begins with a whole state.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

import msgspec
from picows import WSAutoPingStrategy, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from millrace_console.accounts import Account
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.clock import now_ms
from millrace_core.errors import InvalidMessage
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import Status
from millrace_core.names import StreamName
from millrace_core.states import StreamState, state_of

PATH = "/api/v1/live"
RETRY = BackoffPolicy(first_s=0.2, limit_s=2.0)
MAX_FRAME = 32_000_000
_PING_S = 5.0
_LINGER_S = 5.0
"""How long a stream that no page shows stays subscribed, so that a reload finds it."""

Condition = Literal["starting", "live", "unverified", "stale", "waiting", "refused", "away"]
"""What may be said of a stream's state: `away` while the API's connection is broken, `waiting` without a writer."""


class _Frame(msgspec.Struct, frozen=True):
    """A message of a stream, or what the API says of it."""

    type: str
    stream: str | None = None
    id: str = ""
    timestamp: int | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    detail: str | None = None


_FRAME = msgspec.json.Decoder(_Frame)
_STATUS = msgspec.json.Decoder(Status)


class Stream:
    """One stream as it is now."""

    def __init__(self, name: StreamName) -> None:
        self.name = name
        self.state: StreamState = state_of(name.action, exact=True)
        self.condition: Condition = "starting"
        self.reason: str | None = None
        self.version = 0
        """Grows with each change, so that a page draws only what changed."""
        self.received_ms = 0
        """When the last message came."""
        self.exchange_ms: int | None = None
        """The exchange's own time of the last message."""
        self.events: list[dict[str, Any]] = []
        """The newest messages of a stream without a state, newest last."""

    @property
    def is_right(self) -> bool:
        """Tell whether the state may be shown as the present one."""
        return self.condition in ("live", "unverified")

    def say(self, condition: Condition, reason: str | None = None) -> None:
        """Note what may be said of the state."""
        if (condition, reason) != (self.condition, self.reason):
            self.condition, self.reason = condition, reason
            self.version += 1

    def take(self, frame: _Frame) -> None:
        """Take one message."""
        self.version += 1
        self.received_ms = now_ms()
        match frame.type:
            case "snapshot":
                self.state = state_of(self.name.action, exact=True)
                self.state.reset(frame.data)
                self.say("live")
            case "delta" | "response":
                found = self.state.apply(frame.data)
                if not self.name.has_snapshots and isinstance(found, dict):
                    self.events = [*self.events[-199:], found]
                self.exchange_ms = frame.timestamp or self.exchange_ms
            case "status":
                status = _STATUS.decode(frame.data)
                self.say("stale" if status.status == "closed" else status.status, status.reason)
            case "untrusted":
                self.say("stale", frame.detail or "messages are missing; the state is read again")
            case "waiting":
                self.say("waiting", frame.detail)
            case "live" | "resumed":
                self.say("live")
            case "error":
                self.say("refused", frame.detail)


class LiveConnection:
    """The streams of one account, over one WebSocket that is opened again whenever it breaks."""

    def __init__(self, api_url: str, account: Account, on_unneeded: Callable[[], None]) -> None:
        self._on_unneeded = on_unneeded
        self._url = api_url.replace("http", "ws", 1) + PATH
        self._account = account
        self._streams: dict[str, Stream] = {}
        self._watchers: dict[str, int] = {}
        self._transport: WSTransport | None = None
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, name: StreamName) -> Iterator[Stream]:
        """Return the stream; it is followed while any page is within."""
        key = str(name)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = Stream(name)
            self._send("subscribe", key)
        self._watchers[key] = self._watchers.get(key, 0) + 1
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"live {self._account.tenant}")
        try:
            yield stream
        finally:
            self._watchers[key] -= 1
            asyncio.get_running_loop().call_later(_LINGER_S, self._forget, key)

    async def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.disconnect()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _forget(self, key: str) -> None:
        if self._watchers.get(key) or self._streams.pop(key, None) is None:
            return
        self._watchers.pop(key, None)
        self._send("unsubscribe", key)
        if not self._streams:
            self._on_unneeded()

    def _send(self, operation: str, key: str) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, msgspec.json.encode({"op": operation, "stream": key}))

    async def _run(self) -> None:
        backoff = Backoff(RETRY)
        while True:
            try:
                transport, _ = await ws_connect(
                    lambda: _Listener(self),
                    self._url,
                    extra_headers={"Authorization": f"Bearer {self._account.token}"},
                    enable_auto_ping=True,
                    auto_ping_idle_timeout=_PING_S,
                    auto_ping_reply_timeout=_PING_S,
                    auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
                    max_frame_size=MAX_FRAME,
                )
            except (OSError, WSError, TimeoutError) as error:
                self.broke(f"the API does not answer ({type(error).__name__})")
            else:
                backoff.recovered()
                await transport.wait_disconnected()
            await asyncio.sleep(backoff.failed())

    def opened(self, transport: WSTransport) -> None:
        """Subscribe to everything again."""
        self._transport = transport
        for key, stream in self._streams.items():
            stream.say("starting")
            self._send("subscribe", key)

    def broke(self, reason: str = "the connection to the API is broken") -> None:
        """Say of every stream that it may be old."""
        self._transport = None
        for stream in self._streams.values():
            stream.say("away", reason)

    def received(self, frame: bytes) -> None:
        """Take one message of any stream."""
        read = _FRAME.decode(frame)
        if read.stream is None or (stream := self._streams.get(read.stream)) is None:
            return
        try:
            stream.take(read)
        except (InvalidMessage, *UNREADABLE) as error:
            stream.say("stale", f"a message cannot be read: {error}")
            self._send("unsubscribe", read.stream)
            self._send("subscribe", read.stream)


class _Listener(WSListener):
    def __init__(self, connection: LiveConnection) -> None:
        self._connection = connection
        self._parts = bytearray()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._connection.opened(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._connection.broke()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        if frame.msg_type in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            self._parts += frame.get_payload_as_memoryview()
            if frame.fin:
                whole, self._parts = bytes(self._parts), bytearray()
                self._connection.received(whole)


class Connections:
    """The live connections of all accounts that are signed in."""

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url
        self._by_token: dict[str, LiveConnection] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def of(self, account: Account) -> LiveConnection:
        """Return the account's connection."""
        token = account.token
        if token not in self._by_token:
            self._by_token[token] = LiveConnection(self._api_url, account, lambda: self._drop(token))
        return self._by_token[token]

    def _drop(self, token: str) -> None:
        # A revoked token would otherwise be tried for ever.
        if (connection := self._by_token.pop(token, None)) is not None:
            closing = asyncio.create_task(connection.close(), name="close a live connection")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """End all connections."""
        for connection in list(self._by_token.values()):
            with suppress(OSError):
                await connection.close()
