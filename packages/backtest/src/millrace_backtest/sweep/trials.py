"""The backtests of a sweep, as they are kept: in a file to which each is added when it is done.

The first line says what the sweep is of. A sweep that goes on after an interruption finds there what was done already.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from millrace_backtest.errors import SweepFailed
from millrace_backtest.sweep.figures import Figures
from millrace_backtest.sweep.job import Job, Outcome
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import encode

FILE_NAME: Final = "trials.jsonl"


class Trial(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One backtest of a sweep."""

    number: int
    """Counted from 0, in the order in which they were suggested."""
    parameters: dict[str, Any]
    value: float | None
    """Of the objective; None after an error."""
    figures: Figures | None
    error: str | None


class _Done(msgspec.Struct, frozen=True):
    key: str
    outcome: Outcome


class TrialLog:
    """What was done, in the folder of a sweep.

    Raises:
        SweepFailed: the folder holds another sweep.
    """

    def __init__(self, folder: Path, sweep: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE_NAME
        self._known: dict[str, Outcome] = {}
        first = encode({"sweep": dict(sweep)}) + b"\n"
        if self._path.exists():
            self._read(first)
        else:
            self._path.write_bytes(first)
        self.found = len(self._known)
        """How many backtests were done already."""

    def known(self, job: Job) -> Outcome | None:
        """Return the outcome of a job that was done before."""
        return self._known.get(_key(job))

    def add(self, job: Job, outcome: Outcome) -> None:
        """Keep an outcome. Errors are not kept: they may be gone the next time."""
        key = _key(job)
        if outcome.figures is not None and key not in self._known:
            self._known[key] = outcome
            with self._path.open("ab") as file:
                file.write(encode(_Done(key, outcome)) + b"\n")

    def _read(self, first: bytes) -> None:
        lines = self._path.read_bytes().splitlines(keepends=True)
        if not lines or lines[0] != first:
            raise SweepFailed(f"{self._path.parent} holds another sweep, or other data: name another folder with --out")
        for line in lines[1:]:
            try:
                done = _DONE.decode(line)
            except UNREADABLE:
                continue  # Cut off when it was killed.
            self._known[done.key] = done.outcome
        if not lines[-1].endswith(b"\n"):
            with self._path.open("ab") as file:
                file.write(b"\n")


def _key(job: Job) -> str:
    return hashlib.sha256(encode(job)).hexdigest()


_DONE: Final = msgspec.json.Decoder(_Done)
