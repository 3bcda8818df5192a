"""The bus: everything that a package does with Redis, over connections that always come back."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

from millrace_bus.follower import Follower
from millrace_bus.halts import Halts
from millrace_bus.ledger import Intents
from millrace_bus.orders import Orders
from millrace_bus.request_reader import RequestReader
from millrace_bus.requests import Requests
from millrace_bus.updates import Update
from millrace_bus.writer import StreamWriter, WriterState
from millrace_core.heartbeat import Heartbeat
from millrace_core.ids import MessageId
from millrace_core.names import AgentId, StreamName, Tenant


class Bus:
    """Everything that a package does with Redis; made by `connect`."""

    requests: Requests
    orders: Orders
    intents: Intents
    halts: Halts

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, *, name: str = "millrace") -> AsyncIterator["Bus"]:
        """Give the bus of a Redis server: `redis://` or `rediss://[user:password@]host[:port][/db]`.

        Returns at once, whether or not the server can be reached: connections are made, and made again after
        any outage, in the background. `name` is what `CLIENT LIST` shows. On leaving, what was handed in is
        still sent where that is possible at once.
        """
        raise NotImplementedError
        yield

    async def ready(self, timeout_s: float | None = None) -> None:
        """Wait until Redis answers.

        Raises:
            Unreachable: it did not within `timeout_s`; the text says why (refused, wrong password, …).
        """
        raise NotImplementedError

    def writer(
        self,
        name: StreamName,
        take_snapshot: Callable[[MessageId], Any] | None,
        *,
        retention: int = 10_000,
        snapshot_interval_s: float = 60.0,
        on_state: Callable[[WriterState], None] | None = None,
    ) -> StreamWriter:
        """Give the writer of a stream, still to be opened.

        `take_snapshot` gives the snapshot's data (a struct of `millrace_core.market`, or a dict with `asOf`) as of
        the id that it is handed: everything up to that message and nothing later; None for a stream of answers.
        `on_state` is told each change of the writer's state.
        """
        raise NotImplementedError

    def follow(self, name: StreamName, listener: Callable[[Update], None], *, from_start: bool = False) -> Follower:
        """Follow a stream; the listener is called synchronously, in order, from the event loop.

        Starts at the newest snapshot; a stream of answers at its newest entry, or at its oldest with `from_start`.
        A stream that does not exist yet is waited for. A listener that raises is reported to the loop's exception
        handler and not called again.
        """
        raise NotImplementedError

    def request_reader(
        self, tenants: Collection[Tenant], *, consumer: str, claim_idle_ms: int = 30_000
    ) -> RequestReader:
        """Read the requests of some tenants as one consumer of the group `executor`.

        Entries that another consumer has left pending for `claim_idle_ms` are taken over.
        """
        raise NotImplementedError

    def watch_config(self, agent: AgentId) -> AsyncIterator[bytes | None]:
        """Give an agent's configuration now and at each change; None while there is none. Survives outages."""
        raise NotImplementedError

    async def put_config(self, agent: AgentId, text: str | bytes) -> None:
        """Write an agent's configuration."""
        raise NotImplementedError

    async def get_config(self, agent: AgentId) -> bytes | None:
        """Give an agent's configuration; None where there is none."""
        raise NotImplementedError

    async def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Leave an agent's heartbeat for 15 s. During an outage it waits for Redis."""
        raise NotImplementedError

    async def end_heartbeat(self, agent: AgentId) -> None:
        """Remove an agent's heartbeat: it ended on purpose."""
        raise NotImplementedError

    async def heartbeats(self) -> list[Heartbeat]:
        """Give the heartbeat of every agent that is alive, by id."""
        raise NotImplementedError

    async def scan_streams(self, pattern: str = "stream.*") -> list[StreamName]:
        """Give the streams whose name matches a glob pattern, sorted; snapshots are not listed beside them."""
        raise NotImplementedError
