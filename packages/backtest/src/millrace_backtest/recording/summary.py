"""What a recording holds, and whether it is whole: proven by ids, checksums and the recorder's own gaps."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from millrace_backtest.playback import StreamPlayback, arrived
from millrace_backtest.recording.files import Recorded, Recording, merged
from millrace_backtest.recording.lines import GapRecorded
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.messages import decode
from millrace_core.names import StreamName, is_snapshot


@dataclass
class StreamSummary:
    """What is missing of one stream, as far as its recorder knew."""

    gaps: int = 0
    missing: int = 0
    """Messages that the recorder found missing."""

    def take(self, gap: GapRecorded) -> None:
        """Count a gap."""
        self.gaps += 1
        self.missing += max(0, gap.missing)


@dataclass
class CheckedStream(StreamSummary):
    """What is recorded of one stream, and what is wrong with it."""

    messages: int = 0
    first_ns: int = 0
    last_ns: int = 0
    holes: int = 0
    """How often messages are missing that the recorder did not report."""
    flaws: int = 0
    """How often a checksum, or a crossed book, proves the state wrong."""
    malformed: int = 0
    """Entries that are no message; a writer of the protocol leaves none."""


@dataclass
class Checked:
    """What recordings hold."""

    streams: dict[str, CheckedStream] = field(default_factory=dict)
    """By name; snapshots, of which the newest is enough, are counted and not checked."""
    cut_off: list[str] = field(default_factory=list)
    """Files without their last line."""

    @property
    def problems(self) -> list[str]:
        """Return what is wrong, a line each."""
        lines = [f"{file} was cut off" for file in self.cut_off]
        for name, stream in self.streams.items():
            if stream.gaps:
                lines.append(f"{name}: {stream.gaps} gaps, {stream.missing} messages are known to be missing")
            if stream.holes:
                lines.append(f"{name}: messages are missing {stream.holes} times that no gap tells of")
            if stream.flaws:
                lines.append(f"{name}: its state is wrong {stream.flaws} times")
            if stream.malformed:
                lines.append(f"{name}: {stream.malformed} entries are no messages")
        return lines

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing is missing, and nothing wrong."""
        return not self.problems


class _Checker:
    """Plays every stream, and counts."""

    def __init__(self) -> None:
        self.found = Checked()
        self._players: dict[str, StreamPlayback | None] = {}

    def take(self, recorded: Recorded) -> None:
        """Take a message or a gap."""
        stream = self.found.streams.setdefault(recorded.name, CheckedStream())
        stream.first_ns, stream.last_ns = stream.first_ns or recorded.at_ns, recorded.at_ns
        if isinstance(recorded.what, GapRecorded):
            stream.take(recorded.what)
        else:
            stream.messages += 1
        playback = self._player(recorded.name)
        if playback is None:
            return
        if isinstance(recorded.what, GapRecorded):
            if not is_snapshot(recorded.name):
                playback.gap()
                # The recorder knows of it.
                playback.lost -= playback.lost > 0
            return
        try:
            message = decode(recorded.what.body)
            if is_snapshot(recorded.name):
                playback.snapshot(message)
            else:
                playback.message(arrived(message, recorded.at_ns))
        except (InvalidMessage, InvalidName):
            stream.malformed += 1
        if not is_snapshot(recorded.name):
            stream.holes, stream.flaws = playback.lost, playback.flaws

    def _player(self, name: str) -> StreamPlayback | None:
        """Return what plays a stream, for its snapshots the same; None for requests to trade."""
        try:
            stream = StreamName.parse(name)
        except InvalidName:
            return None
        key = str(stream)
        if key not in self._players:
            self._players[key] = StreamPlayback(stream, 0)
        return self._players[key]


def check(sources: Sequence[Recording]) -> Checked:
    """Read recordings whole and prove what can be proven.

    Raises:
        RecordingUnreadable: a file is no recording.
    """
    checker = _Checker()
    for recorded in merged(sources):
        checker.take(recorded)
    checker.found.cut_off = [source.path.name for source in sources if source.ends is None]
    return checker.found
