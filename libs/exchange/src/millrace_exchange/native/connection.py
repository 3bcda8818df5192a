"""One socket to an exchange that carries many streams."""

import asyncio
import contextlib
from collections.abc import Callable, Hashable
from typing import Any, Final

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSInvalidStatusError,
    WSListener,
    WSMsgType,
    WSTransport,
)

from millrace_core.clock import now_ns
from millrace_core.json_problems import UNREADABLE
from millrace_exchange.errors import ExchangeError
from millrace_exchange.native.connecting import connected
from millrace_exchange.native.dialect import (
    Dialect,
    Ended,
    Endpoint,
    Farewell,
    Notice,
    Other,
    Pong,
    Response,
    Unreadable,
    Welcome,
)
from millrace_exchange.native.failures import ConnectionRefused, SubscriptionRefused, UnreadableEvent
from millrace_exchange.native.pinging import ping_settings
from millrace_exchange.native.requests import StreamRequests
from millrace_exchange.native.subscription import Subscription
from millrace_exchange.native.text_messages import TextMessages
from millrace_exchange.profile import CONNECT
from millrace_exchange.refusals import Answer
from millrace_exchange.request_gate import RequestGate

_TEXT: Final = WSMsgType.TEXT
_NOTICES: Final = (Response, Welcome, Pong, Farewell, Ended, Unreadable, Other)
_CONNECT_TIMEOUT_S: Final = 10.0
_ANSWER_TIMEOUT_S: Final = 10.0
_CLOSE_TIMEOUT_S: Final = 0.5
_LINGER_S: Final = 1.0
"""How long a stream that nobody listens to is kept: one that starts again at once needs no new subscription."""
_SILENCE_NS: Final = 2_000_000_000
"""A stream that ends after so long a silence may have ended because of it: its next subscription must not reuse a
connection that may be mute."""


class Connection(WSListener):
    """Connects by itself, keeps the streams of its subscriptions, and ends once.

    `on_ended` is called with the reason of its end, `on_expiring` once when it must be replaced soon.
    """

    def __init__(
        self,
        dialect: Dialect,
        gate: RequestGate,
        *,
        delay_s: float,
        on_ended: "Callable[[Connection, Exception], None]",
        on_expiring: "Callable[[Connection], None]",
    ) -> None:
        self.settled = asyncio.Event()
        """Set while the exchange has confirmed all streams, and at the end."""
        self.has_ended = False
        self.is_expiring = False
        self._dialect, self._gate = dialect, gate
        self._decode = dialect.decode
        self._on_ended, self._on_expiring = on_ended, on_expiring
        self._requests = StreamRequests(dialect.rules.streams_a_request, dialect.request_group)
        self._listeners: dict[str, list[Subscription]] = {}
        self._routes: dict[Hashable, list[Subscription]] = {}
        self._received_ns = now_ns()
        """When it last brought an event."""
        self._suspected_ns = 0
        """When it was last suspected to be mute."""
        self._changed = asyncio.Event()
        self._is_welcome = asyncio.Event()
        self._messages = TextMessages()
        self._transport: WSTransport | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._run(delay_s), name="connection to an exchange")

    @property
    def has_room(self) -> bool:
        """Tell whether another stream fits, for long."""
        return not self.is_expiring and len(self._listeners) < self._dialect.rules.streams

    @property
    def is_suspect(self) -> bool:
        """Tell whether it has brought nothing since a stream was left after a silence."""
        return self._suspected_ns > self._received_ns

    @property
    def subscriptions(self) -> list[Subscription]:
        """Return those whose streams it carries."""
        return [each for listeners in self._listeners.values() for each in listeners]

    def carries(self, stream: str) -> bool:
        """Tell whether it has a stream already, for long."""
        return not self.is_expiring and stream in self._listeners

    def is_confirmed(self, stream: str) -> bool:
        """Tell whether the exchange sends a stream over it."""
        return self._requests.is_confirmed(stream)

    def add(self, subscription: Subscription) -> None:
        """Bring a stream's events to a subscription."""
        stream, route = subscription.topic
        self._requests.wanted[stream] = None
        self._listeners.setdefault(stream, []).append(subscription)
        self._routes.setdefault(route, []).append(subscription)
        if self._requests.is_confirmed(stream):
            subscription.active.set()
        self._change()

    def remove(self, subscription: Subscription) -> None:
        """Bring it nothing more; end the stream if nobody listens to it for a while, at once if it may be mute."""
        stream, route = subscription.topic
        listeners = self._listeners.get(stream, [])
        if subscription not in listeners:
            return
        listeners.remove(subscription)
        self._routes[route].remove(subscription)
        if not self._routes[route]:
            del self._routes[route]
        silent_since_ns = now_ns() - _SILENCE_NS
        is_silent = subscription.active.is_set() and subscription.received_ns < silent_since_ns
        if is_silent:
            self.doubt(silent_since_ns)
        if not listeners and is_silent:
            self._drop_unused(stream)
        elif not listeners:
            asyncio.get_running_loop().call_later(_LINGER_S, self._drop_unused, stream)

    def doubt(self, since_ns: int) -> None:
        """Have it replaced if it has brought nothing since a time, wall clock: it may be mute."""
        if self._received_ns < since_ns:
            self._suspected_ns = now_ns()
            self._expire()

    async def close(self) -> None:
        """End it in order, within half a second."""
        transport = self._transport
        if transport is not None and not transport.is_disconnected:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            with contextlib.suppress(TimeoutError, WSError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await transport.wait_disconnected()
        self._end(ConnectionError("the connection was closed"))
        await asyncio.wait({self._task})

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame."""
        received_ns = now_ns()
        if frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()
            return
        if (message := self._messages.ended_by(frame)) is None:
            return
        try:
            event = self._decode(message)
        except UNREADABLE as error:
            self._give_up(error)
            return
        if isinstance(event, _NOTICES):
            self._take_notice(event)
        else:
            self._received_ns = received_ns
            subscriptions = self._routes.get(event.route, ())
            if len(subscriptions) == 1:
                subscriptions[0].received(self, event, received_ns)
                return
            with contextlib.ExitStack() as all_of_them:
                # One that cannot handle it must not keep it from the others.
                for subscription in reversed(subscriptions):
                    all_of_them.callback(subscription.received, self, event, received_ns)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Learn that the socket is gone."""
        self._end(ConnectionError("the exchange ended the connection"))

    def send_user_specific_ping(self, transport: WSTransport) -> None:
        """Ask whether the connection lives."""
        if (ping := self._dialect.ping()) is None:
            transport.send_ping()
        else:
            transport.send(WSMsgType.TEXT, ping)

    def is_user_specific_pong(self, frame: WSFrame) -> bool:
        """Tell whether a frame says that it lives."""
        if frame.msg_type is not _TEXT:
            return bool(frame.msg_type is WSMsgType.PONG)
        try:
            return isinstance(self._decode(frame.get_payload_as_bytes()), Pong)
        except UNREADABLE:
            return False

    async def _run(self, delay_s: float) -> None:
        try:
            await asyncio.sleep(delay_s)
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                transport = await self._connect(await self._dialect.endpoint())
                if self._dialect.rules.is_welcomed:
                    await self._is_welcome.wait()
            self._expiry = asyncio.get_running_loop().call_later(self._dialect.rules.lifetime_s, self._expire)
            await self._send_requests(transport)
        except (OSError, WSError, TimeoutError, ExchangeError) as error:
            self._give_up(self._refusal(error) or error)
        finally:
            # Whatever happened, nobody may wait for a connection that does nothing.
            self._give_up(ConnectionError("the connection failed, see the log"))

    async def _connect(self, endpoint: Endpoint) -> WSTransport:
        await self._gate.enter(CONNECT)
        self._transport = await connected(self, endpoint.url, **ping_settings(self._dialect, endpoint))
        return self._transport

    async def _send_requests(self, transport: WSTransport) -> None:
        while True:
            self._changed.clear()
            while (request := self._requests.next()) is not None:
                kind, streams, number = request
                write = self._dialect.subscribe if kind == "subscribe" else self._dialect.unsubscribe
                transport.send(WSMsgType.TEXT, write(streams, number))
                asyncio.get_running_loop().call_later(_ANSWER_TIMEOUT_S, self._check_answered, number)
                await asyncio.sleep(self._dialect.rules.request_interval_s)
            await self._changed.wait()

    def _take_notice(self, notice: Notice) -> None:
        if isinstance(notice, Response):
            self._responded(notice)
        elif isinstance(notice, Welcome):
            self._is_welcome.set()
        elif isinstance(notice, Farewell):
            self._expire()
        elif isinstance(notice, Ended):
            self._give_up(ConnectionError(notice.reason))
        elif isinstance(notice, Unreadable):
            self._break(notice)

    def _break(self, unreadable: Unreadable) -> None:
        """Have the stream miss an event that cannot be read, or all if it is of none: then any may miss it."""
        subscriptions, error = self._routes.get(unreadable.route), UnreadableEvent(unreadable.reason)
        if subscriptions is None and not all(each.survives_loss for each in self.subscriptions):
            self._give_up(error)
            return
        for subscription in list(self.subscriptions if subscriptions is None else subscriptions):
            subscription.missed(error)

    def _responded(self, response: Response) -> None:
        self._gate.adopt(response.limits)
        if response.limited is not None:
            self._gate.answered(None, response.limited)
        streams = self._requests.answered(response.number, is_done=response.refusal is None)
        for subscription in [each for stream in streams for each in self._listeners.get(stream, ())]:
            if response.refusal is None:
                subscription.confirmed()
            else:
                status = None if response.limited is None else response.limited.status
                subscription.fail(SubscriptionRefused(response.refusal, response.code, status))
        self._change()

    def _check_answered(self, number: int) -> None:
        if self._requests.is_unanswered(number):
            self._give_up(TimeoutError("the exchange does not answer to a subscription"))

    def _drop_unused(self, stream: str) -> None:
        if self._listeners.get(stream) == []:
            del self._listeners[stream]
            self._requests.end(stream)
            self._change()

    def _change(self) -> None:
        self._changed.set()
        if self._requests.is_settled or self.has_ended:
            self.settled.set()
        else:
            self.settled.clear()

    def _expire(self) -> None:
        if not self.is_expiring and not self.has_ended:
            self.is_expiring = True
            self._on_expiring(self)

    def _give_up(self, error: Exception) -> None:
        if self.has_ended:
            return
        self._end(error)
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def _end(self, error: Exception) -> None:
        if self.has_ended:
            return
        self.has_ended = True
        self.settled.set()
        if self._expiry is not None:
            self._expiry.cancel()
        if self._task is not asyncio.current_task():
            self._task.cancel()
        self._on_ended(self, error)

    def _refusal(self, error: Any) -> ConnectionRefused | None:
        if not isinstance(error, WSInvalidStatusError) or error.response is None:
            return None
        status = int(error.response.status)
        self._gate.answered(CONNECT, Answer.of(status, dict(error.response.headers), ""))
        return ConnectionRefused(status) if self._gate.stopped_ms(CONNECT) else None
