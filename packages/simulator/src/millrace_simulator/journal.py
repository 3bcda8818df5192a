"""The venue's journal: a file from which a simulator goes on where the one before it ended, also after `kill -9`.

Each line is a `Record`. A line is written before any client hears of what it says, so that no id that a client knows
is ever used again. Opening the journal leaves in it only what is needed to go on.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from millrace_simulator.venue import BalanceChange, ExecutionReport, Listener, PublicTrade
from millrace_simulator.venue.past import Past, Record

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class JournalError(Exception):
    """A journal cannot be read; the text names the file and the line."""


class Journal(Listener):
    """Writes down what a venue does; the first of its listeners."""

    def __init__(self, file: int) -> None:
        self._file = file

    @classmethod
    def open(cls, path: Path, now_us: int) -> tuple[Journal, Past]:
        """Return the journal of a file, which is created if there is none, and the past that it holds.

        Raises:
            JournalError: a line is not a record.
            OSError: the file cannot be read or written.
        """
        past = _read(path)
        past.end(now_us)
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_bytes(b"".join(_encode(record) + b"\n" for record in past.records()))
        fresh.replace(path)
        return cls(os.open(path, os.O_WRONLY | os.O_APPEND)), past

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
                account_id=report.account_id,
                execution_id=report.execution_id,
            )
        )

    def on_balances(self, change: BalanceChange) -> None:
        """Write down balances."""
        self._write(Record(balances=change.balances, account_id=change.account_id))

    def _write(self, record: Record) -> None:
        os.write(self._file, _encode(record) + b"\n")


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
            except msgspec.MsgspecError as error:
                raise JournalError(f"{path}, line {number}: {error}; remove the file to begin anew") from error
    return past
