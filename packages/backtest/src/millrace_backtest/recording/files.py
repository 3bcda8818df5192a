"""Recordings as files: gzip-compressed lines, written as they come and read as a stream.

A recorder that is killed loses at most what it wrote since the last flush; what is before can be read.
"""

import gzip
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from errno import EEXIST
from heapq import merge
from importlib.metadata import version
from itertools import chain
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from millrace_backtest.errors import NothingRecorded, RecordingUnreadable
from millrace_backtest.recording.lines import (
    MESSAGE_BEGINS,
    VERSION,
    GapRecorded,
    Line,
    RecordedMessage,
    RecordingBegins,
    RecordingEnds,
    StreamNamed,
    line_of,
    message_begins,
    message_line,
    parse_line,
    parse_message,
)
from millrace_core.continuity import Gap
from millrace_core.json_problems import UNREADABLE

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


@contextmanager
def new_recording(path: Path, at_ns: int) -> Iterator[RecordingWriter]:
    """Write a recording that is there only once the block has ended without an error; the block ends the recording.

    Raises:
        FileExistsError: the file is there already.
    """
    if path.exists():
        raise FileExistsError(EEXIST, "it exists: name another file", str(path))
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with RecordingWriter(part, at_ns) as writer:
            yield writer
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


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
        self.ended_ns = 0
        """When it ended; of one that was cut off when its last message arrived, 0 without any."""
        self.names: Collection[str] = ()
        """All names that were read."""
        self.passed_over = 0
        """How many messages were read that nobody wanted."""

    def __iter__(self) -> Iterator[Recorded]:
        """Return messages and gaps in the order in which they were written.

        Raises:
            RecordingUnreadable: the file is no recording.
        """
        return self.read(lambda _name: True)

    def read(
        self, wants: Callable[[str], bool], on_progress: Callable[[int], None] = lambda _lines: None
    ) -> Iterator[Recorded]:
        """Return the same, of the messages only those whose name is wanted: the others cost little.

        `on_progress` is called now and then, with the number of lines that were read since.

        Raises:
            RecordingUnreadable: the file is no recording.
        """
        names: dict[int, str] = {}
        unwanted: set[bytes] = set()
        self.names, self.passed_over, self.ends, self.ended_ns = names.values(), 0, None, 0
        number, raw = 0, b""
        try:
            for number, raw in enumerate(chain.from_iterable(_whole_lines(self.path, on_progress)), 1):
                if not raw.startswith(MESSAGE_BEGINS):
                    line = self._other_line(raw, number)
                    if isinstance(line, GapRecorded):
                        yield Recorded(line.at, names[line.gap], line)
                    elif isinstance(line, StreamNamed):
                        names[line.stream] = line.name
                        unwanted |= set() if wants(line.name) else {message_begins(line.stream)}
                elif unwanted and raw[: raw.index(b",")] in unwanted:
                    self.passed_over += 1
                else:
                    message = parse_message(raw)
                    yield Recorded(message.at, names[message.stream], message)
            if raw.startswith(MESSAGE_BEGINS):
                self.ended_ns = parse_message(raw).at
        except KeyError as error:
            raise RecordingUnreadable(self.path, f"line {number}: stream {error} was not named before") from error
        except (ValueError, *UNREADABLE) as error:
            raise RecordingUnreadable(self.path, f"line {number}: {error}") from error
        except zlib.error as error:
            raise RecordingUnreadable(self.path, str(error)) from error

    def _other_line(self, raw: bytes, number: int) -> Line:
        """Return a line that is no message."""
        line = parse_line(raw)
        if isinstance(line, RecordingBegins) is not (number == 1):
            raise ValueError("the first line, and no other, says what the file is")
        match line:
            case RecordingBegins():
                if line.recording != VERSION:
                    raise ValueError(f"it has version {line.recording}; this reads version {VERSION}")
                self.began_ns = line.at
            case RecordingEnds():
                self.ends, self.ended_ns = line, line.end
            case GapRecorded():
                self.ended_ns = line.at
        return line


def _whole_lines(path: Path, on_progress: Callable[[int], None]) -> Iterator[list[bytes]]:
    """Return the lines of a compressed file without their ends, some at a time, as far as they can be read."""
    # `gzip` would drop what it has read of the block at which a file was cut off.
    decompressor, rest = zlib.decompressobj(_GZIP), b""
    with path.open("rb") as file:
        while block := decompressor.unconsumed_tail or file.read(_BLOCK):
            lines = (rest + decompressor.decompress(block, _MOST)).split(b"\n")
            rest = lines.pop()
            yield lines
            on_progress(len(lines))


def recordings(paths: Sequence[Path]) -> list[Recording]:
    """Return the recordings of files and folders, by name.

    Raises:
        NothingRecorded: there is none.
    """
    files = [file for path in paths for file in (sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path])]
    if not files:
        raise NothingRecorded(f"no recording (*{SUFFIX}) in {', '.join(map(str, paths))}")
    return [Recording(file) for file in files]


def merged(
    sources: Sequence[Recording],
    wants: Callable[[str], bool] = lambda _name: True,
    on_progress: Callable[[int], None] = lambda _lines: None,
) -> Iterator[Recorded]:
    """Return what several recordings hold, by time of arrival, as `Recording.read`; within one its order stays."""
    read = [source.read(wants, on_progress) for source in sources]
    return read[0] if len(read) == 1 else merge(*read, key=itemgetter(0))
