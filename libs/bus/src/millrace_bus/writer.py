"""The one writer of a stream. See docs/protocol.md, "The message" and "Writers"."""

from typing import Any, Literal

import msgspec

from millrace_core.ids import MessageId
from millrace_core.messages import StreamStatus
from millrace_core.names import StreamName
from millrace_core.trace import Trace

WriterState = Literal["closed", "live", "standby", "disconnected"]
"""`standby`: a newer writer has the stream. `disconnected`: messages are kept until Redis is back."""


class WriterCounters(msgspec.Struct):
    """Running totals of one writer."""

    messages: int = 0
    snapshots: int = 0
    resent: int = 0
    """Messages written again after an outage."""
    epochs: int = 0
    """Epochs opened; more than one means that an outage outlasted what was kept, or a fence."""
    fenced: int = 0
    """Times that a newer writer took over."""
    dropped: int = 0
    """Messages that no reader will see one by one: the snapshot of the next epoch holds what they did."""


class StreamWriter:
    """The one writer of a stream; made by `Bus.writer`."""

    name: StreamName
    counters: WriterCounters

    @property
    def state(self) -> WriterState:
        """Tell whether messages reach Redis now."""
        raise NotImplementedError

    @property
    def last(self) -> MessageId | None:
        """Give the id of the last message; None before `open`."""
        raise NotImplementedError

    async def open(self, status: StreamStatus = "live", reason: str | None = None) -> None:
        """Pick the epoch, write the first snapshot and then the status; wait for Redis as long as it takes."""
        raise NotImplementedError

    def delta(self, data: Any, *, timestamp: int | None = None, trace: Trace = Trace()) -> MessageId:
        """Publish what changed, with `trace.published` stamped; give its id.

        Never blocks and never raises for an outage: it goes out with all that this turn of the event loop
        produced, or is kept until Redis is back. In standby it is dropped and counted.
        """
        raise NotImplementedError

    def response(self, data: Any, *, timestamp: int | None = None, trace: Trace = Trace()) -> MessageId:
        """Publish an answer; otherwise as `delta`."""
        raise NotImplementedError

    def status(self, status: StreamStatus, reason: str | None = None) -> MessageId:
        """Publish whether what was last published still holds; repeated when nothing else is sent for 5 s."""
        raise NotImplementedError

    def snapshot(self) -> None:
        """Write a snapshot now, beside those that are written anyway."""
        raise NotImplementedError

    async def drained(self) -> None:
        """Wait until Redis has acknowledged all that was handed in so far.

        Raises:
            WriterFenced: a newer writer has the stream; this one's messages were refused.
        """
        raise NotImplementedError

    async def close(self, reason: str | None = None) -> None:
        """Publish `closed` (where Redis can be reached at once) and stop. Closing twice is harmless."""
        raise NotImplementedError
