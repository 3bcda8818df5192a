"""A stream as one listener follows it. See docs/protocol.md, "Readers"."""

from collections.abc import Awaitable, Callable

from millrace_bus.reading.following import Following, Listener
from millrace_bus.reading.updates import FollowerCounters, FollowerStatus
from millrace_core.ids import MessageId
from millrace_core.names import StreamName
from millrace_core.states import StreamState


class Follower:
    """One listener's hold on a stream; made by `Bus.follow`."""

    def __init__(
        self, following: Following, listener: Listener, release: Callable[[Following], Awaitable[None]]
    ) -> None:
        self._following, self._listener, self._release = following, listener, release
        self._closed = False
        following.add(listener)

    @property
    def name(self) -> StreamName:
        """Return the stream's name."""
        return self._following.name

    @property
    def trusted(self) -> bool:
        """Tell whether the state is proven whole and right as of `last`; False from an outage until recovered."""
        return self._following.recovery.trusted

    @property
    def state(self) -> StreamState:
        """Return what the messages add up to; untrusted, what was known when that came to light."""
        return self._following.recovery.state

    @property
    def status(self) -> FollowerStatus:
        """Return what the writer says of its stream, or `dead` after 10 s of silence."""
        return self._following.status

    @property
    def last(self) -> MessageId | None:
        """Return the id of the last message that was taken in; None before any was."""
        return self._following.recovery.last

    @property
    def counters(self) -> FollowerCounters:
        """Return the running totals, shared by all followers of the stream."""
        return self._following.recovery.counters

    async def ready(self) -> None:
        """Wait until the state is trusted.

        A stream of answers is ready as soon as nothing later can be missed, even when it does not exist yet;
        any other once its first snapshot is there.
        """
        await self._following.trusted_event.wait()

    async def close(self) -> None:
        """Stop following; the listener is not called again. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            if not self._following.remove(self._listener):
                await self._release(self._following)
