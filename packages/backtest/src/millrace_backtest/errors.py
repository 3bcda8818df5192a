"""The errors of recordings and backtests.

MillraceError
├── RecordingUnreadable  path   the file is no recording, or of another version
├── NothingRecorded             the recordings hold nothing of what was asked for
├── ImportFailed         path, line, column   a file to import cannot be read, or does not belong with the others
├── SpaceInvalid         problems             a search space does not fit the strategy's parameters
├── SweepFailed                 a sweep cannot go on
├── NotRecorded          name, id   a message that a strategy took in is not in the recordings
├── StrategyNotMade             a strategy's constructor raised
├── ClockStuck                  strategies set timers of 0 ms without end
├── FeesUnreadable              (exchange/fees.py) a text does not say what an exchange charges
└── LatencyUnreadable           (exchange/latency.py) a text does not say how long requests take
"""

import re
from collections.abc import Sequence
from pathlib import Path
from traceback import extract_tb
from typing import Final

from millrace_core.errors import MillraceError, Problem

_ADDRESS: Final = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
_LONGEST: Final = 300
"""Characters of an error's text that are shown."""


class RecordingUnreadable(MillraceError):
    """A file is no recording of this version."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is no recording: {why}")
        self.path = path


class NothingRecorded(MillraceError):
    """The recordings hold nothing of what was asked for."""


class ImportFailed(MillraceError):
    """A file to import cannot be read, or does not belong with the others; `line` counts from 1, 0 for the whole."""

    def __init__(self, path: Path, line: int, column: str | None, why: str) -> None:
        where = f"{path}, line {line}" if line else str(path)
        super().__init__(f"{where}{'' if column is None else f', column {column}'}: {why}")
        self.path, self.line, self.column = path, line, column


class SpaceInvalid(MillraceError):
    """A search space is of another form, or does not fit the strategy's parameters; every mistake is named."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("the search space is invalid: " + "; ".join(map(str, problems)))
        self.problems = tuple(problems)


class SweepFailed(MillraceError):
    """A sweep cannot begin or go on."""


class NotRecorded(MillraceError):
    """A message that a strategy took in is not in the recordings, or not all that came before it."""

    def __init__(self, name: str, message_id: str) -> None:
        super().__init__(
            f"{name} {message_id}, which it had read, is not in the recordings, or not what came before it"
        )
        self.name, self.id = name, message_id


class StrategyNotMade(MillraceError):
    """A strategy's constructor raised; the cause is what it raised."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(f"{name} cannot be made: {described(error)}")


class ClockStuck(MillraceError):
    """The virtual clock goes no further: timers of 0 ms set others without end."""

    def __init__(self) -> None:
        super().__init__("the clock goes no further: a strategy sets timers of 0 ms without end")


def described(error: BaseException) -> str:
    """Return what a strategy's own code raised, and in which line."""
    frames = extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {without_addresses(str(error))[:_LONGEST]}{where}"


def without_addresses(text: str) -> str:
    """Return a text without the places of objects in memory, which are others in each process."""
    return _ADDRESS.sub("0x…", text)
