"""Answers of the tenant's executor: where one says that an order was changed, messages of the account are due."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Final

from millrace_bus import Bus, Update
from millrace_core.messages import Response
from millrace_core.names import Action, StreamName
from millrace_gatherer.streams.stream import Stream

_CANCEL_ALL: Final = Action("cancelAllOrders")
_ACTIONS: Final = (Action("createOrder"), Action("cancelOrder"), Action("editOrder"), _CANCEL_ALL)
_CHANGES: Final = ("done", "unknown")
"""What is said of a request by which an order was changed, or may have been."""


async def note_answers(stream: Stream, bus: Bus) -> None:
    """Have the exchange asked soon after each answer, as after a message of the account.

    A connection may be mute: it answers pings, and brings no event. Where the event comes, it asks nothing more.
    """

    def note(update: Update) -> None:
        # Of answers that came before the stream was read, such as the first one of all, nothing else tells.
        is_change = isinstance(update.data, Response) and update.data.status in _CHANGES
        if is_change or (update.kind == "snapshot" and update.id is not None):
            stream.order_answered()

    async with AsyncExitStack() as stack:
        for name in _answered(stream.unit.name):
            stack.push_async_callback(bus.follow(name, note).close)
        await asyncio.Event().wait()


def _answered(name: StreamName) -> Iterator[StreamName]:
    """Return the streams of answers about orders in a stream's symbol."""
    for action in _ACTIONS:
        yield name._replace(action=action)
    # Without a symbol all orders are canceled.
    yield name._replace(action=_CANCEL_ALL, symbol=None)
