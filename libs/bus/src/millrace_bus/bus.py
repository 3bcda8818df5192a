"""The bus: everything that a package does with Redis, over connections that always come back."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

from millrace_bus.agents.agents import Agents
from millrace_bus.agents.config_texts import config_changes
from millrace_bus.connection.address import Address
from millrace_bus.connection.calls import Calls
from millrace_bus.connection.connection import Wire
from millrace_bus.connection.control import Control, control_client
from millrace_bus.connection.outbox import Outbox
from millrace_bus.connection.reconnecting import Link
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_bus.orders.merger import Merging
from millrace_bus.orders.orders import Orders
from millrace_bus.reading.follower import Follower
from millrace_bus.reading.following import Following, Listener
from millrace_bus.reading.journals import Journals
from millrace_bus.reading.published import Resume
from millrace_bus.requests.halts import Halts
from millrace_bus.requests.intents import Intents
from millrace_bus.requests.reader import RequestReader
from millrace_bus.requests.sender import Requests
from millrace_bus.writing.writer import StreamWriter, WriterState
from millrace_core.errors import InvalidName
from millrace_core.heartbeat import Heartbeat
from millrace_core.ids import MessageId
from millrace_core.names import AgentId, StreamName, Tenant, is_snapshot

_LEAVE_TIMEOUT_S = 1.0


class Bus:
    """Everything that a package does with Redis; made by `connect`.

    One connection writes, one hears, one reads journals, one merges orders, and a few are for the rest; each is
    made when first needed.
    """

    def __init__(self, url: str, address: Address, name: str, redis: Control) -> None:
        self.url = url
        """Of the server, password and all: for a process of our own that is to connect there too."""
        self._address, self._name, self._redis = address, name, redis
        self._outbox = Outbox()
        self._publishing = Link(address, f"{name}.publish", on_up=self._meet, on_down=self._outbox.detach)
        self._calls = Calls(self._publishing, self._outbox)
        self._reading = Link(address, f"{name}.read")
        self._subscriptions = Subscriptions(address, f"{name}.subscribe")
        self._followings: dict[StreamName, Following] = {}
        self._apart: set[Following] = set()
        self._made: list[StreamWriter | RequestReader] = []
        """What is closed on leaving, unless its owner has done so."""
        self._agents = Agents(redis, self._subscriptions)
        self.requests = Requests(self._outbox)
        """Requests to trade, to be published."""
        self._merging = Merging(Link(address, f"{name}.orders"))
        self.orders = Orders(self._merging, self._calls)
        """Orders, each the join of what is known of it."""
        self.intents = Intents(self._calls)
        """The executor's ledger."""
        self.halts = Halts(redis)
        """What is halted."""

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, *, name: str = "millrace") -> AsyncGenerator["Bus", None]:
        """Return the bus of a Redis server: `redis://` or `rediss://[user:password@]host[:port][/db]`.

        Returns at once, whether or not the server can be reached: connections are made, and made again after
        any outage, in the background. `name` is what `CLIENT LIST` shows. On leaving, what was handed in is
        still sent where that is possible at once.

        Raises:
            InvalidName: the URL has another form.
        """
        address = Address.parse(url)
        redis = control_client(address, f"{name}.control")
        bus = cls(url, address, name, redis)
        bus._publishing.start()
        try:
            yield bus
        finally:
            await bus._leave()

    async def ready(self, timeout_s: float | None = None) -> None:
        """Wait until Redis answers.

        Raises:
            Unreachable: it did not within `timeout_s`; the text says why (refused, wrong password, …).
        """
        await self._publishing.up(timeout_s)

    def writer(
        self,
        name: StreamName,
        take_snapshot: Callable[[MessageId], Any] | None,
        *,
        retention: int = 10_000,
        snapshot_interval_s: float = 60.0,
        on_state: Callable[[WriterState], None] | None = None,
        resume: Resume | None = None,
    ) -> StreamWriter:
        """Return the writer of a stream, still to be opened.

        `take_snapshot` gives the snapshot's data (a struct of `millrace_core.market`, or a dict with `asOf`) as of
        the id that it is handed: everything up to that message and nothing later; None for a stream of answers.
        `on_state` is told each change of the writer's state.
        `resume`, for streams with snapshots, is told before each epoch what all writers have published so far, so that
        the epoch's messages go on from there and none is published twice or left out.
        """
        writer = StreamWriter(
            name,
            take_snapshot,
            self._publishing,
            self._outbox,
            retention=retention,
            snapshot_interval_s=snapshot_interval_s,
            on_state=on_state,
            resume=resume,
        )
        self._keep(writer)
        return writer

    def follow(self, name: StreamName, listener: Listener, *, from_start: bool = False) -> Follower:
        """Follow a stream; the listener is called synchronously, in order, from the event loop.

        Starts at the newest snapshot; a stream of answers at its newest entry, or at its oldest with `from_start`.
        A stream that does not exist yet is waited for. A listener that raises is reported to the loop's exception
        handler and not called again.
        """
        if from_start:
            # What was long ago concerns this listener alone.
            following = Following(name, self._subscriptions, self._reading, from_start=True)
            self._apart.add(following)
        elif (present := self._followings.get(name)) is not None:
            following = present
        else:
            following = Following(name, self._subscriptions, self._reading, from_start=False)
            self._followings[name] = following
        return Follower(following, listener, self._release)

    def request_reader(
        self, tenants: Collection[Tenant], *, consumer: str, claim_idle_ms: int = 30_000
    ) -> RequestReader:
        """Read the requests of some tenants as one consumer of the group `executor`.

        Entries that another consumer has left pending for `claim_idle_ms` are taken over.
        """
        # A connection of its own, because it blocks there.
        link = Link(self._address, f"{self._name}.requests")
        reader = RequestReader(tenants, consumer, claim_idle_ms, link, self._subscriptions, self._calls)
        self._keep(reader)
        return reader

    def journals(self) -> Journals:
        """Read journals from known positions, over a connection of their own; to be used with `async with`."""
        return Journals(Link(self._address, f"{self._name}.journals"), self._redis)

    def config_changes(self) -> AsyncGenerator[tuple[AgentId, bytes | None], None]:
        """Return each agent's configuration now and at each change; None once it is removed. Survives outages."""
        return config_changes(self._redis, self._subscriptions)

    def watch_config(self, agent: AgentId) -> AsyncIterator[bytes | None]:
        """Return an agent's configuration now and at each change; None while there is none. Survives outages."""
        return self._agents.watch_config(agent)

    async def put_config(self, agent: AgentId, text: str | bytes) -> None:
        """Write an agent's configuration."""
        await self._agents.put_config(agent, text)

    async def replace_config(self, agent: AgentId, expected: bytes | None, text: bytes) -> bool:
        """Write an agent's configuration if it is still what is expected; tell whether it is written now."""
        return await self._agents.replace_config(agent, expected, text)

    async def get_config(self, agent: AgentId) -> bytes | None:
        """Return an agent's configuration; None where there is none."""
        return await self._agents.get_config(agent)

    async def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Leave an agent's heartbeat for 15 s. During an outage it waits for Redis."""
        await self._agents.heartbeat(heartbeat)

    async def end_heartbeat(self, agent: AgentId) -> None:
        """Remove an agent's heartbeat: it ended on purpose."""
        await self._agents.end_heartbeat(agent)

    async def heartbeats(self) -> list[Heartbeat]:
        """Return the heartbeat of every agent that is alive, by id."""
        return await self._agents.heartbeats()

    async def scan_streams(self, pattern: str = "stream.*") -> list[StreamName]:
        """Return the streams whose name matches a glob pattern, sorted; snapshots are not listed beside them."""
        keys = [key.decode() async for key in self._redis.scan_iter(match=pattern, count=1_000, _type="STREAM")]
        return sorted({name for key in keys if (name := _stream(key)) is not None}, key=str)

    async def _meet(self, wire: Wire) -> None:
        """Go on where the last connection left off; the writers do so each for itself."""
        lost = await self.requests.meet(wire)
        self._outbox.attach(wire)
        self.requests.again(lost)

    async def _release(self, following: Following) -> None:
        self._apart.discard(following)
        if self._followings.get(following.name) is following:
            del self._followings[following.name]
        await following.close()

    def _keep(self, made: StreamWriter | RequestReader) -> None:
        self._made = [other for other in self._made if not other.is_closed]
        self._made.append(made)

    async def _leave(self) -> None:
        await asyncio.gather(*(made.close() for made in self._made))
        for following in (*self._followings.values(), *self._apart):
            await following.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_TIMEOUT_S):
                await self.requests.settled()
        await self._merging.close()
        self._outbox.flush()
        for link in (self._subscriptions, self._reading, self._publishing):
            await link.close()
        await self._redis.aclose()


def _stream(key: str) -> StreamName | None:
    if is_snapshot(key):
        return None
    try:
        return StreamName.parse(key)
    except InvalidName:
        return None
