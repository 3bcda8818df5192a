"""The errors of recordings and backtests.

MillraceError
├── RecordingUnreadable  path   the file is no recording, or of another version
├── NothingRecorded             the recordings hold nothing of what was asked for
└── BacktestFailed              the strategy was stopped, as it would be live; the text says why
"""

from pathlib import Path

from millrace_core.errors import MillraceError


class RecordingUnreadable(MillraceError):
    """A file is no recording of this version."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is no recording: {why}")
        self.path = path


class NothingRecorded(MillraceError):
    """The recordings hold nothing of what was asked for."""


class BacktestFailed(MillraceError):
    """The strategy exceeded a limit and was stopped, as it would be live."""
