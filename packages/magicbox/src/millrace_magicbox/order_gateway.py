"""Sends one strategy's requests to trade, each as soon as its answer cannot be missed."""

import asyncio
from collections.abc import Callable

from millrace_bus import Bus, Follower, Update
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import action_of
from millrace_magicbox.failures import Failures
from millrace_strategy import OrderRequest

TRADE_ACTIONS = (Action("createOrder"), Action("cancelOrder"), Action("editOrder"), Action("cancelAllOrders"))


class _AnswerStream:
    """One stream of answers, and the requests that wait until it is followed."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.is_ready = False
        self.waiting: list[OrderRequest] = []
        self.opening: asyncio.Task[None] | None = None


class OrderGateway:
    """Sends the requests of one tenant's strategy, and follows the streams of their answers.

    `listener` is called with the answers, `traded` with each exchange and symbol at the first request for it.
    """

    def __init__(
        self,
        bus: Bus,
        tenant: Tenant,
        listener: Callable[[Update], None],
        traded: Callable[[ExchangeId, Symbol | None], None],
        failures: Failures,
    ) -> None:
        self._bus = bus
        self._tenant = tenant
        self._listener = listener
        self._traded = traded
        self._failures = failures
        self._streams: dict[StreamName, _AnswerStream] = {}

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
            self._bus.requests.publish(self._tenant, request)
            return
        self._traded(exchange, symbol)
        stream.waiting.append(request)

    async def close(self) -> None:
        """Stop following. Requests that still wait are sent: their strategy counts them as sent."""
        for stream in self._streams.values():
            if stream.opening is not None:
                stream.opening.cancel()
            self._release(stream)
        await asyncio.gather(*(stream.follower.close() for stream in self._streams.values()))
        self._streams.clear()

    def _stream(self, name: StreamName) -> _AnswerStream:
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = _AnswerStream(self._bus.follow(name, self._failures.watched(self._listener)))
            stream.opening = asyncio.create_task(self._open(stream), name=f"opening of {name}")
            self._failures.watch(stream.opening)
        return stream

    async def _open(self, stream: _AnswerStream) -> None:
        await stream.follower.ready()
        stream.is_ready = True
        self._release(stream)

    def _release(self, stream: _AnswerStream) -> None:
        waiting, stream.waiting = stream.waiting, []
        for request in waiting:
            self._bus.requests.publish(self._tenant, request)
