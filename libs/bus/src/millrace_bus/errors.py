"""What can go wrong on the way to Redis.

MillraceError
└── BusError
    ├── Disconnected                 the connection ended before the answer: the command may have been carried out
    ├── Unreachable   address        no connection could be made within the time allowed
    ├── Refused       code           Redis answered with an error, such as WRONGPASS
    ├── WriterFenced  name           a newer writer has the stream: this one stands by
    └── ServerFailed  port, data_dir the embedded server did not start; the text says what to do
"""

from pathlib import Path

from millrace_core.errors import MillraceError


class BusError(MillraceError):
    """Root of what goes wrong between us and Redis."""


class Disconnected(BusError):
    """The connection ended before the answer came; the command may or may not have been carried out."""


class Unreachable(BusError):
    """No connection to Redis could be made within the time allowed."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"Redis at {address} cannot be reached: {reason}")
        self.address = address


class Refused(BusError):
    """Redis answered with an error."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


class WriterFenced(BusError):
    """A newer writer has opened the stream; this one stands by."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has a newer writer")
        self.name = name


class ServerFailed(BusError):
    """The embedded server did not start; the text says why and what to do about it."""

    def __init__(self, text: str, *, port: int | None = None, data_dir: Path | None = None) -> None:
        super().__init__(text)
        self.port = port
        self.data_dir = data_dir
