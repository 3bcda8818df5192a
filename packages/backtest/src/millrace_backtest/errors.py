"""The errors of recordings and backtests.

MillraceError
├── RecordingUnreadable  path   the file is no recording, or of another version
├── NothingRecorded             the recordings hold nothing of what was asked for
├── FeesUnreadable              (exchange/fees.py) a text does not say what an exchange charges
└── LatencyUnreadable           (exchange/latency.py) a text does not say how long requests take
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
