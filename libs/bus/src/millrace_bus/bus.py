"""The bus: everything that a package does with Redis, over connections that reconnect by themselves."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from millrace_bus.agents.alert_memory import AlertMemory
from millrace_bus.agents.configs import Configs
from millrace_bus.agents.heartbeats import Heartbeats
from millrace_bus.agents.plugins import Plugins
from millrace_bus.agents.restarts import Restarts
from millrace_bus.agents.strategy_records import StrategyRecords
from millrace_bus.budget import SharedBudget
from millrace_bus.connection.address import Address
from millrace_bus.connection.calls import Calls
from millrace_bus.connection.command_pool import CommandPool
from millrace_bus.connection.connection import Connection
from millrace_bus.connection.outbox import Outbox
from millrace_bus.connection.reconnecting import ReconnectingConnection
from millrace_bus.connection.subscriptions import PatternSubscriber, Subscriptions
from millrace_bus.orders.merger import OrderMerger
from millrace_bus.orders.orders import OrderHashes
from millrace_bus.reading.follower import FollowedStream, Follower, OnFailed, UpdateListener
from millrace_bus.reading.inspection import StoredValue, inspect
from millrace_bus.reading.journal_index import known_tenants, registering, stream_names
from millrace_bus.reading.journals import Journals
from millrace_bus.requests.halts import Halts
from millrace_bus.requests.intents import Intents
from millrace_bus.requests.lease import Leases
from millrace_bus.requests.reader import RequestReader
from millrace_bus.requests.sender import Requests
from millrace_bus.server.state import ServerState, read_server_state
from millrace_bus.writing.numbered import BeforeEpoch
from millrace_bus.writing.writer import StreamWriter, WriterState
from millrace_core.budget import DEFAULT_EGRESS, RequestBudget
from millrace_core.heartbeat import Heartbeat
from millrace_core.ids import MessageId
from millrace_core.names import AgentId, StreamName, Tenant
from millrace_core.plugins import PluginDescription

_LEAVE_TIMEOUT_S = 1.0


class Bus:
    """Everything that a package does with Redis; made by `connect`.

    One connection writes, one is subscribed to channels, one reads journals, one merges orders, and a few are for the
    rest; each is made when first needed.
    """

    def __init__(self, url: str, address: Address, name: str, redis: CommandPool, egress: str) -> None:
        self.url = url
        """URL of the server, with the password, for subprocesses that connect too."""
        self._address, self._name, self._redis = address, name, redis
        self._outbox = Outbox()
        self._publishing = ReconnectingConnection(
            address, f"{name}.publish", on_up=self._meet, on_down=self._outbox.detach
        )
        self._calls = Calls(self._publishing, self._outbox)
        self._reading = ReconnectingConnection(address, f"{name}.read")
        self._subscriptions = Subscriptions(address, f"{name}.subscribe")
        self._followed: dict[tuple[StreamName, bool], FollowedStream] = {}
        """By name, and whether numbers are exact."""
        self._apart: set[FollowedStream] = set()
        self._open_writers: set[StreamWriter] = set()
        self._open_readers: set[RequestReader] = set()
        self._configs = Configs(redis, self._subscriptions)
        self._heartbeats = Heartbeats(redis)
        self._plugins = Plugins(redis)
        self._restarts = Restarts(redis, self._subscriptions)
        self.alert_memory = AlertMemory(redis)
        """What agents of alerts remember over a restart."""
        self.strategy_records = StrategyRecords(redis)
        """What strategies keep over restarts, and show of themselves."""
        self.requests = Requests(self._outbox)
        """Requests to trade, to be published."""
        self._merger = OrderMerger(ReconnectingConnection(address, f"{name}.orders"))
        self.orders = OrderHashes(self._merger, self._calls)
        """OrderHashes, each joined from all reports."""
        self.intents = Intents(self._calls)
        """The executor's intents."""
        self.leases = Leases(self._calls)
        """The leases of executors."""
        self.halts = Halts(redis.call)
        """Halts."""
        self._budget = SharedBudget(address, f"{name}.budget")
        self._egress = egress

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, *, name: str = "millrace", egress: str = DEFAULT_EGRESS
    ) -> AsyncGenerator["Bus", None]:
        """Return the bus of a Redis server: `redis://` or `rediss://[user:password@]host[:port][/db]`.

        Returns at once, whether or not the server can be reached: connections are made, and made again after
        any outage, in the background. `name` is what `CLIENT LIST` shows. `egress` is the label of the address from
        which requests to exchanges leave. On leaving, pending messages are sent if that is possible at once.

        Raises:
            InvalidName: the URL has another form.
        """
        address = Address.parse(url)
        bus = cls(url, address, name, CommandPool(address, f"{name}.control"), egress)
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
        resume: BeforeEpoch | None = None,
        on_lost: Callable[[], None] | None = None,
    ) -> StreamWriter:
        """Return the writer of a stream, still to be opened.

        `take_snapshot` returns the snapshot's data (a struct of `millrace_core.market`, or a dict with `asOf`) as of
        the id that it is called with: everything up to that message and nothing later; None for a stream of answers,
        which expires a day after its writer is gone.
        `on_state` is called with each change of the writer's state.
        `resume`, for streams with snapshots, is called before each epoch with what all writers have published so far,
        so that the new epoch continues from there and no message is published twice or left out.
        `on_lost` is called when Redis is found to have lost its data over a connection that stayed.
        """
        return StreamWriter(
            name,
            take_snapshot,
            self._publishing,
            self._outbox,
            retention=retention,
            snapshot_interval_s=snapshot_interval_s,
            on_state=on_state,
            resume=resume,
            on_lost=on_lost,
            open_writers=self._open_writers,
        )

    def follow(
        self,
        name: StreamName,
        listener: UpdateListener,
        *,
        from_start: bool = False,
        exact: bool = False,
        on_failed: OnFailed | None = None,
    ) -> Follower:
        """Follow a stream; the listener is called synchronously, in order, from the event loop.

        Starts at the newest snapshot; a stream of answers at its newest entry, or at its oldest with `from_start`.
        A stream that does not exist yet is waited for. Numbers are floats; with `exact` they keep digits that a float
        would not print.

        A listener that raises is not called again: `on_failed`, or else the loop's exception handler, is called with
        the error. An unforeseen error in following is handled the same way.
        """
        if from_start:
            # What was long ago concerns this listener alone.
            stream = self._follow(name, from_start=True, exact=exact)
            self._apart.add(stream)
        else:
            present = self._followed.get((name, exact))
            if present is None or present.is_over:
                present = self._followed[name, exact] = self._follow(name, from_start=False, exact=exact)
            stream = present
        return Follower(stream, listener, on_failed, self._release)

    def listen(self, pattern: str, subscriber: PatternSubscriber) -> Callable[[], None]:
        """Pass on every message on the channels of a pattern as it is, until the returned function is called.

        Nothing is recovered: who must not miss a message reads the journals too.
        """
        return partial(self._subscriptions.remove, self._subscriptions.add_pattern(pattern, subscriber))

    def _follow(self, name: StreamName, *, from_start: bool, exact: bool) -> FollowedStream:
        return FollowedStream(name, self._subscriptions, self._reading, from_start=from_start, exact=exact)

    def request_reader(
        self, tenant: Tenant, *, consumer: str, may_act: Callable[[], Awaitable[None]] | None = None
    ) -> RequestReader:
        """Read a tenant's requests as the only one who does, under a name that no other reader ever had.

        `may_act` is awaited before anything that was typed by hand is written down; it raises if another executor has
        taken the reader's place. Without it nobody else can.
        """
        # A connection of its own, because it blocks there.
        reconnecting = ReconnectingConnection(self._address, f"{self._name}.requests")
        return RequestReader(
            tenant,
            consumer,
            may_act or _nobody_else,
            reconnecting,
            self._subscriptions,
            self._calls,
            self._open_readers,
        )

    @asynccontextmanager
    async def journals(self) -> AsyncGenerator[Journals, None]:
        """Read journals from known positions, over a connection of their own, which is closed on leaving."""
        async with Journals(ReconnectingConnection(self._address, f"{self._name}.journals")) as journals:
            yield journals

    async def tenants(self) -> list[Tenant]:
        """Return the tenants that have journals, sorted."""
        return await known_tenants(self._redis.call)

    async def stream_names(self, tenants: Iterable[Tenant] | None = None) -> list[StreamName]:
        """Return the streams of some tenants, or of all, sorted; snapshots are not listed beside them."""
        return await stream_names(self._redis.call, tenants)

    async def register_journals(self, tenant: Tenant, *names: str) -> None:
        """Enter journals into the index: needed only for those that are not written by this package."""
        for command in registering(tenant, *names):
            await self._calls.call(*command)

    async def inspect(self, key: str, limit: int) -> StoredValue | None:
        """Return what a key holds, at most `limit` entries of it; None if there is no such key."""
        return await inspect(self._redis.call, key, limit)

    def config_changes(self) -> AsyncGenerator[tuple[AgentId, bytes | None], None]:
        """Return each agent's configuration now and at each change; None once it is removed. Survives outages."""
        return self._configs.changes()

    def watch_config(self, agent: AgentId) -> AsyncIterator[bytes | None]:
        """Return an agent's configuration, or None, now and at each change. Survives outages."""
        return self._configs.watch(agent)

    def budget(self, tenant: Tenant) -> RequestBudget:
        """Return a tenant's access to the request budgets of this process's address."""
        return RequestBudget(self._budget, self._egress, tenant)

    async def put_config(self, agent: AgentId, text: str | bytes) -> None:
        """Write an agent's configuration."""
        await self._configs.put(agent, text)

    async def replace_config(self, agent: AgentId, expected: bytes | None, text: bytes) -> bool:
        """Write an agent's configuration if it still equals the expected one; tell whether it was written."""
        return await self._configs.replace(agent, expected, text)

    async def all_configs(self) -> dict[AgentId, bytes]:
        """Return the configuration of every agent that has one."""
        return await self._configs.all()

    async def get_config(self, agent: AgentId) -> bytes | None:
        """Return an agent's configuration, or None."""
        return await self._configs.get(agent)

    async def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Leave an agent's heartbeat for 15 s, unless a process of the agent that started later has left one.

        During an outage it waits for Redis.

        Raises:
            CommandRefused: Redis does not write it, as when it is out of memory or read only.
        """
        await self._heartbeats.send(heartbeat)

    async def end_heartbeat(self, agent: AgentId, started_at: int) -> None:
        """Remove the heartbeat of a process that ended on purpose; that of one which started later stays."""
        await self._heartbeats.end(agent, started_at)

    async def heartbeats(self) -> list[Heartbeat]:
        """Return the heartbeat of every agent that is alive, by id."""
        return await self._heartbeats.all()

    async def publish_plugins(self, agent: AgentId, plugins: Sequence[PluginDescription]) -> None:
        """Leave the strategies that an agent can run for 15 s."""
        await self._plugins.publish(agent, plugins)

    async def plugins(self, agent: AgentId) -> list[PluginDescription] | None:
        """Return the strategies that an agent can run; None if that is not known."""
        return await self._plugins.get(agent)

    async def request_restart(self, agent: AgentId, unit: str) -> bool:
        """Ask an agent to run a unit afresh; tell whether it heard that."""
        return await self._restarts.request(agent, unit)

    def restart_requests(self, agent: AgentId) -> AsyncGenerator[str, None]:
        """Return the units that an agent is asked to run afresh, as the requests come. Survives outages."""
        return self._restarts.requests(agent)

    async def publish(self, channel: str, text: str) -> int:
        """Publish a text on a channel, in no journal; return how many subscribers received it."""
        return int(await self._redis.call("PUBLISH", channel, text))

    async def server_state(self) -> ServerState:
        """Return what the server says of itself and of its settings."""
        return await read_server_state(self._redis.call)

    async def _meet(self, connection: Connection) -> None:
        """Continue where the last connection ended; each writer does so for itself."""
        lost = await self.requests.meet(connection)
        self._outbox.attach(connection)
        self.requests.again(lost)

    async def _release(self, stream: FollowedStream) -> None:
        self._apart.discard(stream)
        if self._followed.get((stream.name, stream.is_exact)) is stream:
            del self._followed[stream.name, stream.is_exact]
        await stream.close()

    async def _leave(self) -> None:
        await asyncio.gather(*[reader.close() for reader in self._open_readers])
        await asyncio.gather(*[writer.close() for writer in self._open_writers])
        for stream in (*self._followed.values(), *self._apart):
            await stream.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_TIMEOUT_S):
                await self.requests.all_acknowledged()
        self.requests.close()
        await self._merger.close()
        self._outbox.flush()
        await self._budget.close()
        for reconnecting in (self._subscriptions, self._reading, self._publishing):
            await reconnecting.close()
        await self._redis.close()


async def _nobody_else() -> None:
    """Return: no other reader takes the place of one that knows no lease."""
