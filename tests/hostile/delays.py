"""How long good messages take to a client of the API and into the database, in quiet and beside hostile inputs."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

import msgspec
import picows
from tests.hostile.services import running

from millrace_api.access.tokens import new_token
from millrace_bus.server.ports import free_port
from millrace_core.clock import now_ms
from millrace_core.ids import BEGINNING, MessageId
from millrace_core.names import StreamName
from millrace_store import Store

Phase = Literal["quiet", "hostile"]
Way = Literal["live", "stored"]
_LOOK_EVERY_S: Final = 0.005


class _Head(msgspec.Struct):
    id: str | None = None


class Delays:
    """Takes the time of each message of one stream when it is written, when a client has it, and when it is stored."""

    def __init__(self, name: StreamName) -> None:
        self.phase: Phase = "quiet"
        self.taken_ms: defaultdict[tuple[Phase, Way], list[float]] = defaultdict(list)
        self._name = name
        self._written: dict[Way, dict[MessageId, tuple[Phase, float]]] = {"live": {}, "stored": {}}

    def written(self, at: MessageId) -> None:
        """Note that a message was written just now."""
        for waiting in self._written.values():
            waiting[at] = (self.phase, time.perf_counter())

    @asynccontextmanager
    async def watched(self, redis_url: str, database_url: str) -> AsyncIterator[None]:
        """Follow the stream as a client of the API, and look at how far it is stored, for a block."""
        port = free_port(0)
        settings = {"redis_url": redis_url, "database_url": database_url, "port": str(port)}
        async with Store.open(database_url) as store, running("millrace_api", "API", **settings):
            token, record = new_token(self._name.tenant, "delays", "read", now_ms())
            await store.access.add_token(record)
            await self._follow(port, str(token))
            looking = asyncio.create_task(self._look(store))
            try:
                yield
            finally:
                looking.cancel()

    async def _follow(self, port: int, token: str) -> None:
        class Client(picows.WSListener):
            def on_ws_frame(_, transport: picows.WSTransport, frame: picows.WSFrame) -> None:  # noqa: N805
                if frame.msg_type == picows.WSMsgType.TEXT:
                    head = msgspec.json.decode(frame.get_payload_as_bytes(), type=_Head)
                    if head.id is not None:
                        self._reached("live", MessageId.parse(head.id))

        headers = {"Authorization": f"Bearer {token}"}
        async with asyncio.timeout(60):
            while True:
                try:
                    url = f"ws://127.0.0.1:{port}/api/v1/live"
                    transport, _ = await picows.ws_connect(Client, url, extra_headers=headers)
                    break
                except OSError:  # it does not listen yet
                    await asyncio.sleep(0.1)
        command = msgspec.json.encode({"op": "subscribe", "stream": str(self._name)})
        transport.send(picows.WSMsgType.TEXT, command)

    async def _look(self, store: Store) -> None:
        while True:
            positions = await store.operations.positions()
            self._reached("stored", positions.get(str(self._name), BEGINNING))
            await asyncio.sleep(_LOOK_EVERY_S)

    def _reached(self, way: Way, at: MessageId) -> None:
        """Take the time of all messages up to one."""
        now, waiting = time.perf_counter(), self._written[way]
        for each in [each for each in waiting if each <= at]:
            phase, written = waiting.pop(each)
            self.taken_ms[phase, way].append((now - written) * 1_000)
