"""Observes a running platform: follows every stream on the bus and counts what it sees in a `Picture`."""

import asyncio
import time

import msgspec

from millrace_bus import Bus, Follower, Update
from millrace_cli.picture import Picture, SeenHalt, StreamView
from millrace_core.clock import now_ms
from millrace_core.messages import Response
from millrace_core.names import StreamName
from millrace_core.orders import OrdersDelta

_PERIOD_S = 1.0


class Observer:
    """Follows all streams, and new ones as they appear."""

    def __init__(self, bus: Bus, picture: Picture) -> None:
        self._bus = bus
        self._picture = picture
        self._followers: dict[StreamName, Follower] = {}

    async def run(self) -> None:
        """Look for new streams and heartbeats once a second, until cancelled."""
        while True:
            for name in await self._bus.stream_names():
                if name not in self._followers:
                    self._follow(name)
            self._picture.saw_heartbeats(await self._bus.heartbeats())
            self._picture.halts = await self._halts()
            self.sample()
            await asyncio.sleep(_PERIOD_S)

    async def _halts(self) -> list[SeenHalt]:
        tenants = sorted({name.tenant for name in self._followers})
        found = [(tenant, await self._bus.halts.get(tenant)) for tenant in tenants]
        return [
            SeenHalt(tenant, str(scope), note.since, note.reason, note.by)
            for tenant, halts in found
            for scope, note in halts.items()
        ]

    def sample(self) -> None:
        """Update the picture from the followers' status and counters."""
        now_s = time.monotonic()
        for name, follower in self._followers.items():
            view = self._picture.streams[str(name)]
            view.trusted, view.status = follower.trusted, str(follower.status)
            view.gaps, view.recoveries = follower.counters.gaps, follower.counters.recoveries
            view.sample(now_s)

    def _follow(self, name: StreamName) -> None:
        view = StreamView(name)
        self._picture.streams[str(name)] = view
        self._followers[name] = self._bus.follow(name, lambda update: self._saw(view, update))

    def _saw(self, view: StreamView, update: Update) -> None:
        view.state, view.trusted = update.state, update.trusted
        now_s = time.monotonic()
        match update.kind:
            case "delta":
                self._picture.saw_message(view, update.trace, now_s)
                if isinstance(update.data, OrdersDelta):
                    for order in update.data.orders:
                        self._picture.saw_order(view.name, order, now_s, now_ms())
            case "response":
                self._saw_answer(view, update)

    def _saw_answer(self, view: StreamView, update: Update) -> None:
        answer = msgspec.convert(update.data, Response)
        view.messages += 1
        error = f"{answer.error.kind}: {answer.error.message}" if answer.error else None
        now_s, at_ms = time.monotonic(), now_ms()
        self._picture.saw_answer(answer.status, error, str(view.name), update.trace, now_s, at_ms)
        for order in (answer.order, *(answer.orders or ())):
            if order is not None:
                self._picture.saw_order(view.name, order, now_s, at_ms)
