"""A CSV file, plain or compressed, read row by row; what is wrong is named with its line and column."""

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final

from millrace_backtest.errors import ImportFailed

Cell = Callable[[str], Any]
"""Reads the text of a cell; raises ValueError with what the text is not."""
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_SURELY_EXACT: Final = 16
"""Characters: a number with at most 15 digits prints back as it was read."""
_BROKEN: Final = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, UnicodeDecodeError)


class CsvFile:
    """A file, which is opened anew each time that it is read. `.gz` and `.zip` (of one file) are decompressed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        """Bytes on the disk."""
        self.position = 0
        """Bytes that were read of it."""
        self.line = 0

    def first_row(self) -> list[str]:
        """Return the cells of the first line; none of an empty file.

        Raises:
            ImportFailed: the file is broken.
        """
        found = next(self._rows(), [])
        self.position = self.line = 0
        return found

    def records(self, columns: Sequence[str], cells: Sequence[tuple[str, Cell]], *, header: bool) -> Iterator[Any]:
        """Return of each row the wanted cells, read; `columns` names all, and the first line is theirs if `header`.

        Raises:
            ImportFailed: a row has another number of cells, a cell cannot be read, or the file is broken.
        """
        plan = [(columns.index(name), read) for name, read in cells]
        rows, width = self._rows(), len(columns)
        if header:
            next(rows, None)
        for row in rows:
            if len(row) != width:
                if row:
                    raise self.failed(f"has {len(row)} columns; the file has {width}")
                continue
            try:
                yield [read(row[at]) for at, read in plan]
            except ValueError:
                raise self._unreadable(row, columns, plan) from None

    def failed(self, why: str, column: str | None = None) -> ImportFailed:
        """Return the error for the line that was read last."""
        return ImportFailed(self.path, self.line, column, why)

    def _unreadable(self, row: Sequence[str], columns: Sequence[str], plan: Sequence[tuple[int, Cell]]) -> ImportFailed:
        for at, read in plan:
            try:
                read(row[at])
            except ValueError as error:
                return self.failed(f"{row[at][:40]!r} {error}", columns[at])
        return self.failed("cannot be read")

    def _rows(self) -> Iterator[list[str]]:
        self.line = 0
        try:
            with self.path.open("rb") as raw, _decompressed(raw, self.path) as content:
                reader = csv.reader(io.TextIOWrapper(content, "utf-8-sig", newline=""), strict=True)
                for row in reader:
                    self.line = reader.line_num
                    if not self.line % 1_000:
                        self.position = raw.tell()
                    yield row
            self.position = self.size
        except (csv.Error, *_BROKEN) as error:
            self.line += 1
            raise self.failed(f"the file is broken here: {error or type(error).__name__}") from error


@contextmanager
def _decompressed(raw: IO[bytes], path: Path) -> Iterator[Any]:
    if path.suffix == ".gz":
        with gzip.open(raw) as content:
            yield content
    elif path.suffix == ".zip":
        with zipfile.ZipFile(raw) as archive:
            names = [name for name in archive.namelist() if name.endswith(".csv")]
            if len(names) != 1:
                raise zipfile.BadZipFile(f"it holds {len(names)} CSV files; one is expected")
            with archive.open(names[0]) as content:
                yield content
    else:
        yield raw


def exact(text: str) -> float:
    """Return a number that prints back as it was written.

    Raises:
        ValueError: it is no number from 0 up, or has more digits than a double holds.
    """
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("is no number from 0 up")
    value = float(text)
    if len(text) > _SURELY_EXACT and Decimal(repr(value)) != Decimal(text):
        raise ValueError("has more digits than a double holds")
    return value


def exact_or_none(text: str) -> float | None:
    """Return a number; None for an empty cell."""
    return exact(text) if text else None


def above_zero(text: str) -> float:
    """Return a number above 0."""
    value = exact(text)
    if not value:
        raise ValueError("is not above 0")
    return value


def yes_or_no(text: str) -> bool:
    """Return whether a cell says true."""
    found = {"true": True, "false": False}.get(text.lower())
    if found is None:
        raise ValueError("is neither true nor false")
    return found


def any_text(text: str) -> str:
    """Return the text as it is."""
    return text


def text_or_none(text: str) -> str | None:
    """Return the text; None for an empty cell."""
    return text or None
