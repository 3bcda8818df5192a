"""Recordings as files: gzip-compressed lines, written as they come and read as a stream.

A recorder that is killed loses at most what it wrote since the last flush; what is before can be read.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from heapq import merge
from importlib.metadata import version
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from millrace_backtest.errors import NothingRecorded, RecordingUnreadable
from millrace_backtest.recording.lines import (
    VERSION,
    GapRecorded,
    RecordedMessage,
    RecordingBegins,
    RecordingEnds,
    StreamNamed,
    line_of,
    message_line,
    parse_line,
)
from millrace_core.continuity import Gap

SUFFIX: Final = ".jsonl.gz"
_BLOCK: Final = 1 << 16
_MOST: Final = 1 << 18
"""Bytes of lines that are in memory at a time, whatever a block was compressed from."""
_GZIP: Final = 31
"""zlib's number for gzip's header."""
_LEVEL: Final = 4
"""Of compression: half the time of gzip's default, for files a tenth larger."""


class RecordingWriter:
    """Writes a recording; use it as a context manager, so that it is ended in order."""

    def __init__(self, path: Path, at_ns: int) -> None:
        self.messages = 0
        self.gaps = 0
        self.path = path
        self._at_ns = at_ns
        self._numbers: dict[str, int] = {}
        self._raw = path.open("xb")
        self._file = gzip.GzipFile(fileobj=self._raw, mode="wb", compresslevel=_LEVEL, filename="", mtime=0)
        self._file.write(line_of(RecordingBegins(VERSION, at_ns, version("millrace-backtest"))))

    @property
    def streams(self) -> Sequence[str]:
        """Return the names of the streams so far."""
        return list(self._numbers)

    @property
    def size(self) -> int:
        """Return the bytes of the file so far."""
        return self.path.stat().st_size

    def message(self, name: str, at_ns: int, entry_id: str, body: bytes | None) -> None:
        """Write a message; a time before that of the last one counts as that."""
        self._at_ns = max(self._at_ns, at_ns)
        self._file.write(message_line(self._number(name), self._at_ns, entry_id, body))
        self.messages += 1

    def gap(self, gap: Gap, at_ns: int) -> None:
        """Write that messages are missing."""
        self._at_ns = max(self._at_ns, at_ns)
        number = self._number(gap.name)
        line = GapRecorded(number, self._at_ns, gap.epoch, gap.first_seq, gap.last_seq, gap.reason)
        self._file.write(line_of(line))
        self.gaps += 1

    def flush(self) -> None:
        """Have everything so far in the file, readable even if no more follows."""
        self._file.flush(zlib.Z_SYNC_FLUSH)
        self._raw.flush()

    def end(self, at_ns: int) -> None:
        """Write the last line, and close the file."""
        self._file.write(line_of(RecordingEnds(max(at_ns, self._at_ns), self.messages)))
        self.close()

    def close(self) -> None:
        """Close the file; without `end` before it counts as cut off."""
        self._file.close()
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        if not self._raw.closed:
            self.close()

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._numbers)
            self._file.write(line_of(StreamNamed(number, name)))
        return number


class Recorded(NamedTuple):
    """A message or a gap of a recording."""

    at_ns: int
    name: str
    """The name in Redis: of a stream, of its snapshots, or of a tenant's requests to trade."""
    what: RecordedMessage | GapRecorded


class Recording:
    """A file, read from its beginning each time that it is iterated."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.began_ns = 0
        self.ends: RecordingEnds | None = None
        """The last line; None before it was reached, and of a recording that was cut off."""

    def __iter__(self) -> Iterator[Recorded]:
        """Return messages and gaps in the order in which they were written.

        Raises:
            RecordingUnreadable: the file is no recording.
        """
        names: dict[int, str] = {}
        self.ends = None
        for number, raw in enumerate(self._lines(), 1):
            try:
                line = parse_line(raw)
                if isinstance(line, RecordedMessage):
                    yield Recorded(line.at, names[line.stream], line)
                    continue
            except (ValueError, KeyError) as error:
                raise RecordingUnreadable(self.path, f"line {number}: {error}") from error
            match line:
                case StreamNamed():
                    names[line.stream] = line.name
                case GapRecorded():
                    yield Recorded(line.at, names[line.gap], line)
                case RecordingEnds():
                    self.ends = line
                case RecordingBegins():
                    self._begin(line)

    def _begin(self, line: RecordingBegins) -> None:
        if line.recording != VERSION:
            raise RecordingUnreadable(self.path, f"it has version {line.recording}; this reads version {VERSION}")
        self.began_ns = line.at

    def _lines(self) -> Iterator[bytes]:
        """Return the lines; of a file that was cut off those that are whole."""
        count = 0
        try:
            for line in _whole_lines(self.path):
                if not count and not line.startswith(b'{"recording"'):
                    raise RecordingUnreadable(self.path, "its first line is none of a recording")
                count += 1
                yield line
        except zlib.error as error:
            raise RecordingUnreadable(self.path, str(error)) from error


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Return the lines of a compressed file without their ends, as far as they can be read."""
    # `gzip` would drop what it has read of the block at which a file was cut off.
    decompressor, rest = zlib.decompressobj(_GZIP), b""
    with path.open("rb") as file:
        while block := decompressor.unconsumed_tail or file.read(_BLOCK):
            lines = (rest + decompressor.decompress(block, _MOST)).split(b"\n")
            rest = lines.pop()
            yield from lines


def recordings(paths: Sequence[Path]) -> list[Recording]:
    """Return the recordings of files and folders, by name.

    Raises:
        NothingRecorded: there is none.
    """
    files = [file for path in paths for file in (sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path])]
    if not files:
        raise NothingRecorded(f"no recording (*{SUFFIX}) in {', '.join(map(str, paths))}")
    return [Recording(file) for file in files]


def merged(sources: Sequence[Recording]) -> Iterator[Recorded]:
    """Return what several recordings hold, by time of arrival; within one its order stays."""
    return iter(sources[0]) if len(sources) == 1 else merge(*sources, key=itemgetter(0))
