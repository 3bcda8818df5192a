"""The hub: followed streams, connected clients, and their access rights."""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Coroutine

import structlog

from millrace_api.access.authentication import Authenticator
from millrace_api.access.budget import AT_ONCE
from millrace_api.access.principal import Principal
from millrace_api.access.sharing import may_read
from millrace_api.live import messages
from millrace_api.live.client import (
    GOING_AWAY,
    INTERNAL_ERROR,
    MAX_SUBSCRIPTIONS,
    Client,
    ClientSubscription,
)
from millrace_api.live.messages import Command, Subscribe
from millrace_api.live.near import NearStreams
from millrace_api.live.replay import replay
from millrace_api.live.topic import Topic
from millrace_api.metrics import Metrics
from millrace_api.problems import ApiError
from millrace_bus import Bus, Journals
from millrace_core.errors import InvalidName
from millrace_core.ids import MessageId
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import StreamName, Tenant, is_snapshot
from millrace_core.near_names import question

SWEEP_S = 5.0
SILENT_S = 5.0
"""How long a stream may take to begin."""
_RECONNECT = "internal error: reconnect and subscribe with `since`"

log = structlog.get_logger()


class Hub:
    """Followed streams and connected clients."""

    def __init__(
        self,
        bus: Bus,
        metrics: Metrics,
        authenticator: Authenticator,
        max_clients: int,
        max_clients_per_token: int,
    ) -> None:
        self._bus = bus
        self._metrics = metrics
        self._max_clients, self._max_clients_per_token = max_clients, max_clients_per_token
        self._topics: dict[StreamName, Topic] = {}
        self._clients: set[Client] = set()
        self._by_token: Counter[str] = Counter()
        self._subscriptions: Counter[Tenant] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._resources = contextlib.AsyncExitStack()
        self._journals: Journals | None = None
        self.budget = authenticator.budget
        self._turns: defaultdict[Tenant, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        """In which the pages of journals are read that each tenant's clients missed."""
        self._refusals, self._holdings = authenticator.refusals, authenticator.holdings
        self._near = NearStreams(bus)

    def set_limits(self, max_clients: int, max_clients_per_token: int) -> None:
        """Apply other limits; connected clients stay."""
        self._max_clients, self._max_clients_per_token = max_clients, max_clients_per_token

    def check_room(self, principal: Principal) -> None:
        """Check that one more client of a token may connect.

        Raises:
            ApiError: there are too many.
        """
        if len(self._clients) >= self._max_clients or self._by_token[principal.token_id] >= self._max_clients_per_token:
            raise ApiError(429, "connection limit reached: close a connection first", headers={"Retry-After": "5"})
        self.budget.check(principal.tenant, "WebSockets")

    def join(self, client: Client) -> None:
        """Add a client that has connected."""
        self._clients.add(client)
        self._by_token[client.principal.token_id] += 1
        self.budget.take(client.principal.tenant, "WebSockets")
        self._holdings.hold(client.principal.token_id, client.end)
        self._metrics.live_clients.set(len(self._clients))

    def leave(self, client: Client) -> None:
        """Remove a client that has disconnected; harmless when it was removed before."""
        if client not in self._clients:
            return
        self._clients.remove(client)
        self._by_token[client.principal.token_id] -= 1
        self.budget.give_back(client.principal.tenant, "WebSockets")
        self._holdings.release(client.principal.token_id, client.end)
        self._metrics.live_clients.set(len(self._clients))
        client.is_closed = True
        client.drained()
        for name in tuple(client.subscriptions):
            self._unsubscribe(client, name)

    def execute(self, client: Client, text: bytes) -> None:
        """Carry out a client's command, or send it the reason why not."""
        try:
            command = messages.read_command(text)
        except UNREADABLE as error:
            client.reject(None, f'not a command, such as {{"op":"subscribe","stream":"stream.…"}}: {error}')
            return
        try:
            name = _name(command)
            since = MessageId.parse(command.since) if isinstance(command, Subscribe) and command.since else None
        except InvalidName as error:
            client.reject(command.stream, str(error))
            return
        if not may_read(client.principal, name):
            client.reject(command.stream, "this stream belongs to another tenant")
            self._refusals.note(client.principal, client.address, command.stream)
        elif isinstance(command, Subscribe):
            self._subscribe(client, name, since)
        else:
            self._unsubscribe(client, name)
            client.send(messages.note("unsubscribed", name))

    async def sweep(self) -> None:
        """Disconnect clients that stall, every `SWEEP_S`, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for client in tuple(self._clients):
                client.check_stalled()

    async def close(self) -> None:
        """Disconnect all clients and stop following their streams."""
        for client in tuple(self._clients):
            client.disconnect(GOING_AWAY, "the API is shutting down: reconnect in a moment")
            self.leave(client)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for topic in self._topics.values():
            await topic.close()
        self._topics.clear()
        await self._resources.aclose()

    def spawn(self, work: Coroutine[None, None, None], client: Client | None = None) -> "asyncio.Task[None]":
        """Run something in the background; when it fails, disconnect the client that waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, client))
        return task

    def _ended(self, task: "asyncio.Task[None]", client: Client | None) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("work for a live client failed", exc_info=error)
        if client is not None:
            client.disconnect(INTERNAL_ERROR, _RECONNECT)

    async def _replay(self, client: Client, subscription: ClientSubscription, since: MessageId) -> None:
        if self._journals is None:
            self._journals = await self._resources.enter_async_context(self._bus.journals())
        await replay(self._journals, client, subscription, since, self._turns[client.principal.tenant])

    def _subscribe(self, client: Client, name: StreamName, since: MessageId | None) -> None:
        if name in client.subscriptions:
            self._unsubscribe(client, name)
        if self._subscriptions[client.principal.tenant] >= self.budget.subscriptions:
            client.reject(str(name), f"your tenant may follow {self.budget.subscriptions:,} streams at a time")
            return
        if len(client.subscriptions) >= MAX_SUBSCRIPTIONS:
            client.reject(str(name), f"a connection may follow {MAX_SUBSCRIPTIONS} streams: open another")
            return
        topic = self._topics.get(name) or self._topics.setdefault(name, Topic(self._bus, name, self._topic_failed))
        subscription = ClientSubscription(client, topic)
        topic.subscribers.add(subscription)
        client.subscriptions[name] = subscription
        self._subscriptions[client.principal.tenant] += 1
        self._metrics.live_streams.set(len(self._topics))
        if since is None:
            subscription.start()
        elif not subscription.resume(since):
            subscription.replaying = self.spawn(self._replay(client, subscription, since), client)
        if name.has_snapshots and not topic.is_ready:
            subscription.silence = self.spawn(self._explain_silence(client, subscription))

    async def _explain_silence(self, client: Client, subscription: ClientSubscription) -> None:
        """Tell a client whose stream has not begun after `SILENT_S` that nobody writes it, and what is near."""
        await asyncio.sleep(SILENT_S)
        if subscription.topic.is_ready:
            return
        name = subscription.topic.name
        near = await self._near.to(name, client.principal)
        if not subscription.topic.is_ready:
            client.send(messages.note("waiting", name, detail=f"it has no writer{question(map(str, near))}"))

    def _unsubscribe(self, client: Client, name: StreamName) -> None:
        subscription = client.subscriptions.pop(name, None)
        if subscription is None:
            return
        self._subscriptions[client.principal.tenant] -= 1
        for task in (subscription.silence, subscription.replaying):
            if task is not None:
                task.cancel()
        subscription.topic.subscribers.discard(subscription)
        if not subscription.topic.subscribers:
            self._drop(subscription.topic)

    def _topic_failed(self, topic: Topic, error: Exception) -> None:
        """Disconnect a topic's clients and drop it: the next subscription follows the stream again."""
        log.error("a live stream failed", stream=str(topic.name), exc_info=error)
        for subscriber in tuple(topic.subscribers):
            subscriber.fail(_RECONNECT)
        self._drop(topic)

    def _drop(self, topic: Topic) -> None:
        if self._topics.get(topic.name) is topic:
            del self._topics[topic.name]
            self._metrics.live_streams.set(len(self._topics))
            self.spawn(topic.close())


def _name(command: Command) -> StreamName:
    if is_snapshot(command.stream):
        raise InvalidName(command.stream, "the stream's own name; snapshots are included")
    return StreamName.parse(command.stream)
