"""Requests that people type on a tenant's channel: written to the journal before anything else happens to them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from secrets import token_hex
from typing import Final

import msgspec

from millrace_bus.connection.calls import Calls
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_bus.errors import BusError, CommandRefused, TaskFailed
from millrace_bus.reading.journal_page import FIELD
from millrace_bus.tasks import BackgroundTask
from millrace_core.clock import now_ms
from millrace_core.json_problems import UNREADABLE

ORIGIN: Final = "typed"
"""The field of a typed request's entry that says when it was heard, and which one it is: `<ms>-<random>`."""

_log = logging.getLogger("millrace.bus")


class _Journaled(msgspec.Struct):
    """Marks requests of programs on the channel; requests typed by hand lack it."""

    journaled: bool = False


_decoder = msgspec.json.Decoder(_Journaled)


class TypedRequests:
    """Listens on the channel and writes down what was typed there, in order, until closed."""

    def __init__(
        self,
        key: str,
        subscriptions: Subscriptions,
        calls: Calls,
        may_act: Callable[[], Awaitable[None]],
        on_refused: Callable[[str, bytes], None],
        on_failed: Callable[[BusError], None],
    ) -> None:
        """`on_refused` takes the origin and the bytes of a request that Redis does not write."""
        self._key = key
        self._calls = calls
        self._may_act = may_act
        self._on_refused = on_refused
        self._on_failed = on_failed
        self._received: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._subscriptions = subscriptions
        self._subscription = subscriptions.add(key, self)
        self._task = BackgroundTask(self._write_down(), f"typed requests {key}", self._ended)

    async def close(self) -> None:
        """Listen no more, and write down what was heard. Closing twice is harmless."""
        self._subscriptions.remove(self._subscription)
        try:
            async with asyncio.timeout(0.5):
                await self._received.join()
        except TimeoutError:
            _log.error("%s: %d requests typed by hand were not written down", self._key, self._received.qsize())
        await self._task.close()

    def subscribed(self) -> None:
        """Do nothing: a request published before reached no subscriber, and its publisher saw that count."""

    def disconnected(self) -> None:
        """Do nothing."""

    def failed(self, error: BusError) -> None:
        """Report that nothing more will come."""
        self._on_failed(error)

    def on_message(self, data: bytes) -> None:
        """Take a message unless it is in the journal already."""
        if not _is_journaled(data):
            self._received.put_nowait((f"{now_ms()}-{token_hex(8)}", data))

    async def _write_down(self) -> None:
        while True:
            origin, data = await self._received.get()
            # A process that was frozen hears late what its successor has heard too.
            await self._may_act()
            await self._written(origin, data)
            self._received.task_done()

    async def _written(self, origin: str, data: bytes) -> None:
        try:
            # Written twice if the reply was lost: the origin makes both the same request.
            await self._calls.call("XADD", self._key, "*", FIELD, data, ORIGIN, origin)
        except CommandRefused as refused:
            if not refused.refuses_every_write:
                raise
            # It may be a halt, which must not wait until Redis has memory again.
            _log.error("%s: a request typed by hand cannot be written down: %s", self._key, refused)
            self._on_refused(origin, data)

    def _ended(self, failure: TaskFailed) -> None:
        self._on_failed(failure)


def _is_journaled(data: bytes) -> bool:
    try:
        return _decoder.decode(data).journaled
    except UNREADABLE:
        # Typed with a mistake: it is to be answered with what is wrong.
        return False
