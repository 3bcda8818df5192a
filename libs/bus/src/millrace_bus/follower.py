"""A stream as one listener follows it. See docs/protocol.md, "Readers"."""

from collections.abc import Callable

from millrace_bus.updates import FollowerCounters, FollowerStatus, Update
from millrace_core.ids import MessageId
from millrace_core.names import StreamName
from millrace_core.states import StreamState

Listener = Callable[[Update], None]


class Follower:
    """One listener's hold on a stream; made by `Bus.follow`."""

    name: StreamName

    @property
    def trusted(self) -> bool:
        """Tell whether the state is proven whole and right as of `last`; False from an outage until recovered."""
        raise NotImplementedError

    @property
    def state(self) -> StreamState:
        """Give what the messages add up to; while untrusted the last good one."""
        raise NotImplementedError

    @property
    def status(self) -> FollowerStatus:
        """Give what the writer says of its stream, or `dead` after 10 s of silence."""
        raise NotImplementedError

    @property
    def last(self) -> MessageId | None:
        """Give the id of the last message in the state; None before anything was read."""
        raise NotImplementedError

    @property
    def counters(self) -> FollowerCounters:
        """Give the running totals, shared by all followers of the stream."""
        raise NotImplementedError

    async def ready(self) -> None:
        """Wait until the state is trusted.

        A stream of answers is ready as soon as nothing later can be missed, even when it does not exist yet;
        any other once its first snapshot is there.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Stop following; the listener is not called again. Closing twice is harmless."""
        raise NotImplementedError
