"""Streams that are made, not recorded: their messages are numbered here, from a snapshot on."""

from collections.abc import Callable
from typing import Any, Final

from millrace_backtest.recording.files import RecordingWriter
from millrace_core.clock import NS_PER_MS
from millrace_core.continuity import Gap
from millrace_core.ids import MessageId
from millrace_core.market import CandlesSnapshot, LiquidationsSnapshot, TradesSnapshot
from millrace_core.messages import MessageType, Outgoing, Status, encode
from millrace_core.names import StreamName
from millrace_core.trace import Trace

_EMPTY: Final[dict[str, Callable[[str], Any]]] = {
    "watchTrades": lambda as_of: TradesSnapshot([], as_of),
    "watchOHLCV": lambda as_of: CandlesSnapshot({}, as_of),
    "watchLiquidations": lambda as_of: LiquidationsSnapshot([], as_of),
}
"""The snapshots of streams that have no state yet; of all others it is their id alone."""


class NumberedStreams:
    """Writes messages of streams with ids that follow one another."""

    def __init__(self, writer: RecordingWriter) -> None:
        self._writer = writer
        self._last: dict[StreamName, MessageId] = {}

    def begin(self, name: StreamName, at_ns: int, snapshot: Callable[[str], Any]) -> None:
        """Begin a stream with a snapshot, made of the id up to which it reaches; a stream that runs begins again."""
        known = self._last.get(name)
        as_of = MessageId(at_ns // NS_PER_MS, 0) if known is None else known
        self._last[name] = as_of
        entry = f"{as_of.epoch}-{as_of.seq + 1}"
        self._write(name.snapshot, at_ns, entry, "snapshot", None, snapshot(str(as_of)))
        # A reader shows the state with the first message after it.
        self.message(name, at_ns, "status", None, Status("live"))

    def begin_empty(self, name: StreamName, at_ns: int) -> None:
        """Begin a stream without a state; a book has none without one."""
        self.begin(name, at_ns, _EMPTY.get(name.action, lambda as_of: {"asOf": as_of}))

    def message(self, name: StreamName, at_ns: int, kind: MessageType, event_ms: int | None, data: Any) -> None:
        """Write the next message of a stream; one that has not begun begins without a state."""
        if name not in self._last:
            self.begin_empty(name, at_ns)
        last = self._last[name]
        self._last[name] = place = MessageId(last.epoch, last.seq + 1)
        self._write(str(name), at_ns, str(place), kind, event_ms, data)

    def gap(self, name: StreamName, at_ns: int, missing: int, reason: str) -> None:
        """Write that messages are missing (0 if it is not known how many); the stream must begin again after them."""
        last = self._last[name]
        self._writer.gap(Gap(str(name), last.epoch, last.seq + 1, last.seq + missing, reason), at_ns)
        self._last[name] = MessageId(last.epoch, last.seq + max(missing, 1))

    def _write(self, name: str, at_ns: int, entry: str, kind: MessageType, event_ms: int | None, data: Any) -> None:
        body = Outgoing(entry, kind, event_ms, Trace(published=at_ns), data)
        self._writer.message(name, at_ns, entry, encode(body))
