"""The hub: which streams are followed, for whom, and who may watch what."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine

import msgspec

from millrace_api.access.principal import Principal
from millrace_api.live import messages
from millrace_api.live.client import GOING_AWAY, MOST_SUBSCRIPTIONS, NOT_ALLOWED, Client
from millrace_api.live.messages import Command, Subscribe
from millrace_api.live.replay import replay
from millrace_api.live.subscription import Subscription
from millrace_api.live.topic import Topic
from millrace_api.metrics import Metrics
from millrace_api.problems import Refusal
from millrace_bus import Bus, Journals
from millrace_core.errors import InvalidName
from millrace_core.ids import MessageId
from millrace_core.names import PUBLIC, StreamName, is_snapshot

SWEEP_S = 5.0

Denied = Callable[[Principal, str, str], Coroutine[None, None, None]]
"""Told who wanted, from which address, which stream of another tenant."""
IsGood = Callable[[str], Awaitable[bool]]


class Hub:
    """Followed streams and connected clients."""

    def __init__(self, bus: Bus, metrics: Metrics, on_denied: Denied, most: int, most_per_token: int) -> None:
        self._bus = bus
        self._metrics = metrics
        self._most, self._most_per_token = most, most_per_token
        self._topics: dict[StreamName, Topic] = {}
        self._clients: set[Client] = set()
        self._by_token: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = contextlib.AsyncExitStack()
        self._journals: Journals | None = None
        self._on_denied = on_denied

    def set(self, most: int, most_per_token: int) -> None:
        """Put other limits in force; who is connected stays."""
        self._most, self._most_per_token = most, most_per_token

    def check_room(self, principal: Principal) -> None:
        """Check that one more client of a token may come.

        Raises:
            Refusal: there are too many.
        """
        if len(self._clients) >= self._most or self._by_token[principal.token_id] >= self._most_per_token:
            raise Refusal(429, "too many live connections: close one", headers={"Retry-After": "5"})

    def join(self, client: Client) -> None:
        """Take a client in."""
        self._clients.add(client)
        self._by_token[client.principal.token_id] += 1
        self._metrics.live_clients.set(len(self._clients))

    def leave(self, client: Client) -> None:
        """A client is gone."""
        if client not in self._clients:
            return
        self._clients.remove(client)
        self._by_token[client.principal.token_id] -= 1
        self._metrics.live_clients.set(len(self._clients))
        client.is_closed = True
        client.drained()
        for name in tuple(client.subscriptions):
            self._unsubscribe(client, name)

    def take(self, client: Client, text: bytes) -> None:
        """Carry out what a client says."""
        try:
            command = messages.read_command(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            client.refuse(None, f'not a command, such as {{"op":"subscribe","stream":"stream.…"}}: {error}')
            return
        try:
            name = _name(command)
            since = MessageId.parse(command.since) if isinstance(command, Subscribe) and command.since else None
        except InvalidName as error:
            client.refuse(command.stream, str(error))
            return
        if name.tenant not in (client.principal.tenant, PUBLIC):
            client.refuse(command.stream, "this stream is not one of your tenant's")
            self._spawn(self._on_denied(client.principal, client.address, command.stream))
        elif isinstance(command, Subscribe):
            self._subscribe(client, name, since)
        else:
            self._unsubscribe(client, name)
            client.send(messages.note("unsubscribed", name))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        """Do something beside."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def watch_over(self, is_good: IsGood) -> None:
        """Let go of clients that stall, or whose token is no longer in force, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for client in tuple(self._clients):
                client.check_stalled()
            for token_id in [token for token, clients in self._by_token.items() if clients]:
                if not await is_good(token_id):
                    self._dismiss(token_id)

    async def close(self) -> None:
        """Tell everybody to go, and follow nothing any more."""
        for client in tuple(self._clients):
            client.dismiss(GOING_AWAY, "the API ends: come back in a moment")
            self.leave(client)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for topic in self._topics.values():
            await topic.close()
        self._topics.clear()
        await self._held.aclose()

    async def _replay(self, client: Client, subscription: Subscription, since: MessageId) -> None:
        if self._journals is None:
            self._journals = self._bus.journals()
            await self._held.enter_async_context(self._journals)
        await replay(self._journals, client, subscription, since)

    def _dismiss(self, token_id: str) -> None:
        for client in tuple(self._clients):
            if client.principal.token_id == token_id:
                client.dismiss(NOT_ALLOWED, "this token is no longer in force")

    def _subscribe(self, client: Client, name: StreamName, since: MessageId | None) -> None:
        if name in client.subscriptions:
            self._unsubscribe(client, name)
        if len(client.subscriptions) >= MOST_SUBSCRIPTIONS:
            client.refuse(str(name), f"a connection holds {MOST_SUBSCRIPTIONS} streams at most: open another")
            return
        topic = self._topics.get(name) or self._topics.setdefault(name, Topic(self._bus, name))
        subscription = Subscription(client, topic)
        topic.subscriptions.add(subscription)
        client.subscriptions[name] = subscription
        self._metrics.live_streams.set(len(self._topics))
        if since is None:
            subscription.start()
        elif not subscription.resume(since):
            self._spawn(self._replay(client, subscription, since))

    def _unsubscribe(self, client: Client, name: StreamName) -> None:
        subscription = client.subscriptions.pop(name, None)
        if subscription is None:
            return
        topic = subscription.topic
        topic.subscriptions.discard(subscription)
        if not topic.subscriptions and self._topics.get(name) is topic:
            del self._topics[name]
            self._spawn(topic.close())
        self._metrics.live_streams.set(len(self._topics))


def _name(command: Command) -> StreamName:
    if is_snapshot(command.stream):
        raise InvalidName(command.stream, "a stream's own name: snapshots come with it by themselves")
    return StreamName.parse(command.stream)
