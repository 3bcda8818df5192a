"""Sends one strategy's requests to trade, each as soon as its answer cannot be missed."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from millrace_bus import Bus, BusError, Follower, MessageTooLarge, RequestExpired, TooManyRequests, UpdateListener
from millrace_core.ids import RequestId
from millrace_core.messages import ResponseStatus
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import OrderRequest, action_of
from millrace_magicbox.failures import Failures

TRADE_ACTIONS: Final = (Action("createOrder"), Action("cancelOrder"), Action("editOrder"), Action("cancelAllOrders"))
ANSWER_GRACE_S: Final = 10.0
"""After an outage, answers may still arrive for this long: writers resend lost messages within seconds."""

OnUnanswered = Callable[[OrderRequest, ResponseStatus, BusError], None]
"""Called when the executor may never answer a request, with the answer to use instead and the reason."""


class _FollowedAnswers:
    """One stream of answers, and the requests that wait until it is followed."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.is_ready = False
        self.waiting: list[OrderRequest] = []
        self.opening: asyncio.Task[None] | None = None


class OrderGateway:
    """Sends the requests of one tenant's strategy, and follows the streams of their answers.

    `listener_of` returns what takes the answers of a stream; `traded` is called with each exchange and symbol at the
    first request for it. A request that Redis refuses is `rejected`. If Redis may have accepted it, it is `unknown`,
    then `expired` if no answer has come after Redis is back.
    """

    def __init__(
        self,
        bus: Bus,
        tenant: Tenant,
        listener_of: Callable[[StreamName], UpdateListener],
        traded: Callable[[ExchangeId, Symbol | None], None],
        unanswered: OnUnanswered,
        failures: Failures,
    ) -> None:
        self._bus = bus
        self._tenant = tenant
        self._listener_of = listener_of
        self._traded = traded
        self._unanswered = unanswered
        self._expiring: set[asyncio.Task[None]] = set()
        self._failures = failures
        self._streams: dict[StreamName, _FollowedAnswers] = {}

    async def follow(self, exchange: ExchangeId, symbol: Symbol) -> None:
        """Follow all answers for a symbol; return once none can be missed."""
        names = [StreamName(self._tenant, exchange, action, symbol) for action in TRADE_ACTIONS]
        for stream in [self._stream(name) for name in names]:
            if stream.opening is not None:
                await stream.opening

    def send(self, request: OrderRequest) -> None:
        """Send a request now, or as soon as its answer cannot be missed. Requests of one stream keep their order."""
        symbol = None if request.payload.symbol is None else Symbol(request.payload.symbol)
        exchange = ExchangeId(request.exchange_id or "")
        stream = self._stream(StreamName(self._tenant, exchange, Action(action_of(request)), symbol))
        if stream.is_ready:
            self._publish(stream, request)
            return
        self._traded(exchange, symbol)
        stream.waiting.append(request)

    def discard(self) -> None:
        """Drop the requests that still wait: nothing may be sent any more."""
        for stream in self._streams.values():
            stream.waiting.clear()

    async def close(self) -> None:
        """Stop following. Requests that still wait are sent: their strategy counts them as sent."""
        for stream in self._streams.values():
            if stream.opening is not None:
                stream.opening.cancel()
            self._release(stream)
        for task in self._expiring:
            task.cancel()
        await asyncio.gather(*(stream.follower.close() for stream in self._streams.values()))
        self._streams.clear()

    def _stream(self, name: StreamName) -> _FollowedAnswers:
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = _FollowedAnswers(self._follow(name))
            followers = [self._stream(place).follower for place in name.answer_places]
            stream.opening = asyncio.create_task(self._open(stream, followers), name=f"opening of {name}")
            self._failures.watch(stream.opening)
        return stream

    def _follow(self, name: StreamName) -> Follower:
        return self._bus.follow(name, self._listener_of(name), on_failed=self._failures.report)

    async def _open(self, stream: _FollowedAnswers, followers: Iterable[Follower]) -> None:
        for follower in followers:
            await follower.ready()
        stream.is_ready = True
        self._release(stream)

    def _release(self, stream: _FollowedAnswers) -> None:
        waiting, stream.waiting = stream.waiting, []
        for request in waiting:
            self._publish(stream, request)

    def _publish(self, stream: _FollowedAnswers, request: OrderRequest) -> None:
        try:
            self._bus.requests.publish(self._tenant, request, on_lost=partial(self._lost, stream, request))
        except (MessageTooLarge, TooManyRequests) as error:
            self._unanswered(request, "rejected", error)

    def _lost(self, stream: _FollowedAnswers, request: OrderRequest, request_id: RequestId, error: BusError) -> None:
        if not isinstance(error, RequestExpired):
            self._unanswered(request, "rejected", error)
            return
        # Redis may have had it, and only the acknowledgement was lost.
        self._unanswered(request, "unknown", error)
        task = asyncio.create_task(self._expire(stream, request, error), name=f"expiry of {request_id}")
        self._expiring.add(task)
        task.add_done_callback(self._expiring.discard)
        self._failures.watch(task)

    async def _expire(self, stream: _FollowedAnswers, request: OrderRequest, error: BusError) -> None:
        await stream.follower.ready()
        await asyncio.sleep(ANSWER_GRACE_S)
        await stream.follower.ready()
        self._unanswered(request, "expired", error)
