"""The venue's journal: a file from which a simulator goes on where the one before it ended, also after `kill -9`.

Each line is a `Record`. A line is written before any client hears of what it says, so that no id that a client knows
is ever used again. Opening the journal leaves in it only what is needed to go on; so does every `REWRITE_AFTER`-th
line.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import structlog

from millrace_simulator.venue import BalanceChange, ExecutionReport, Listener, PublicTrade
from millrace_simulator.venue.order_lists import OrderList
from millrace_simulator.venue.past import Past, Record

REWRITE_AFTER = 200_000
"""Lines, about 40 MB. Rewriting takes 0.1 s with ten symbols, in which nothing trades: not to be done often."""

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class JournalError(Exception):
    """A journal cannot be read; the text names the file and the line."""


class Journal(Listener):
    """Writes down what a venue does; the first of its listeners."""

    def __init__(self, path: Path, past: Past) -> None:
        self._path, self._past = path, past
        self._file = _rewritten(path, past)
        self._lines = 0
        """Written since."""

    @classmethod
    def open(cls, path: Path, now_us: int) -> tuple[Journal, Past]:
        """Return the journal of a file, which is created if there is none, and the past that it holds.

        The journal keeps this past up to date.

        Raises:
            JournalError: a line is not a record.
            OSError: the file cannot be read or written.
        """
        past = _read(path)
        past.end(now_us)
        return cls(path, past), past

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def on_trade(self, trade: PublicTrade) -> None:
        """Write down a trade."""
        self._write(Record(trade=trade))

    def on_execution(self, report: ExecutionReport) -> None:
        """Write down an order's new state, and the fill that led to it."""
        self._write(
            Record(
                order=report.order,
                fill=report.trade,
                prevented=report.prevented,
                amendment=report.amendment,
                account_id=report.account_id,
                execution_id=report.execution_id,
            )
        )

    def on_order_list(self, order_list: OrderList) -> None:
        """Write down an order list's new state."""
        self._write(Record(order_list=order_list))

    def on_balances(self, change: BalanceChange) -> None:
        """Write down balances."""
        self._write(Record(balances=change.balances, account_id=change.account_id))

    def _write(self, record: Record) -> None:
        self._past.add(record)
        _append(self._file, _encode(record) + b"\n")
        self._lines += 1
        if self._lines >= REWRITE_AFTER:
            self._rewrite()

    def _rewrite(self) -> None:
        self._lines = 0
        self._past.trim()
        try:
            fresh = _rewritten(self._path, self._past)
        except OSError as error:
            log.warning("the journal cannot be rewritten, and grows until the next attempt", reason=str(error))
            return
        os.close(self._file)
        self._file = fresh


def _append(file: int, line: bytes) -> None:
    """Write a line, or nothing of it.

    Raises:
        OSError: it cannot be written, as when the disk is full.
    """
    written = 0
    try:
        while written < len(line):
            written += os.write(file, line[written:])
    except OSError:
        # The next line would otherwise go on where this one broke off.
        os.ftruncate(file, os.fstat(file).st_size - written)
        raise


def _rewritten(path: Path, past: Past) -> int:
    """Replace a file at once by one that holds only a past; return it, to be appended to.

    Raises:
        OSError: it cannot be written; the file is as before.
    """
    fresh = path.with_name(f"{path.name}.new")
    try:
        with fresh.open("wb") as file:
            file.writelines(_encode(record) + b"\n" for record in past.records())
        appended = os.open(fresh, os.O_WRONLY | os.O_APPEND)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    return appended


def _read(path: Path) -> Past:
    """Return what a file says; its last line counts only if it is whole."""
    past = Past()
    if not path.exists():
        return past
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break
            try:
                past.add(_decode(line))
            except (msgspec.MsgspecError, RecursionError) as error:
                raise JournalError(f"{path}, line {number}: {error}; remove the file to begin anew") from error
    return past
