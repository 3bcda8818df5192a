"""Errors of the bus.

MillraceError
└── BusError
    ├── Disconnected                 the connection ended before the answer: the command may have been carried out
    ├── Unreachable     address      no connection could be made within the time allowed
    ├── CommandRefused  code         Redis answered with an error, such as OOM, READONLY or WRONGPASS
    │   └── StreamBlocked key        an entry that no writer has written keeps the stream from being written
    ├── WriterFenced    name         a newer writer has the stream: this one is on standby
    ├── RequestExpired  request_id   Redis did not acknowledge a request while it was valid
    ├── MessageTooLarge name         a message or request has more bytes than any reader takes
    ├── TooManyRequests tenant       so many requests wait for Redis that no more are taken
    ├── UnmergeableOrder order_id    an order's record cannot be joined with another
    ├── TaskFailed      task         an unforeseen error ended a background task; it is the cause
    └── ServerFailed    port, data_dir the embedded server did not start; the text says what to do
"""

from pathlib import Path

from millrace_core.errors import MillraceError


class BusError(MillraceError):
    """Root of the errors of the bus."""


class Disconnected(BusError):
    """The connection ended before the answer came; the command may or may not have been carried out."""


class Unreachable(BusError):
    """No connection to Redis could be made within the time allowed."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"Redis at {address} {_unreachable(reason)}")
        self.address = address


def _unreachable(reason: str) -> str:
    """Return what keeps connections from being made; Redis's own words on passwords name commands that nobody typed."""
    match reason.partition(" ")[0]:
        case "NOAUTH":
            return "wants a password (NOAUTH): its address is redis://user:password@host:port/db"
        case "WRONGPASS":
            return "refuses this user or password (WRONGPASS)"
        case _:
            return f"cannot be reached: {reason}"


class CommandRefused(BusError):
    """Redis answered with an error."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]

    @property
    def is_permanent(self) -> bool:
        """Return whether retrying is useless until somebody acts: a key of another type, or no permission."""
        return self.code in ("WRONGTYPE", "NOPERM")

    @property
    def is_passing(self) -> bool:
        """Return whether it says nothing of the command: the server loads, runs a script, or follows no master yet."""
        return self.code in ("LOADING", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "BUSY")

    @property
    def refuses_every_write(self) -> bool:
        """Return whether Redis refuses all writes now; it may recover by itself."""
        return self.code in ("OOM", "READONLY", "MISCONF", "NOREPLICAS")


class StreamBlocked(CommandRefused):
    """The newest id of a stream's key is none that a writer has, and Redis takes only larger ones."""

    def __init__(self, key: str, newest: object) -> None:
        super().__init__(
            f"BLOCKED {key} ends with {newest}, which another program wrote: nothing can follow it; DEL the key"
        )
        self.key = key

    @property
    def is_permanent(self) -> bool:
        """Return True: the key has to be deleted."""
        return True


class WriterFenced(BusError):
    """A newer writer has opened the stream; this one is on standby."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: a newer writer has taken over the stream")
        self.name = name


class RequestExpired(BusError):
    """Redis did not acknowledge a request while it was valid, so it is not sent again.

    It was carried out all the same if only the acknowledgement was lost; then its answer shows that.
    """

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request {request_id} was given up: Redis did not acknowledge it while it was valid")
        self.request_id = request_id


class MessageTooLarge(BusError):
    """A message or request has more bytes than any reader takes; it was not sent."""

    def __init__(self, name: str, size: int, most: int) -> None:
        super().__init__(f"{name}: a message of {size:,} bytes is not sent; at most {most:,} are allowed")
        self.name = name


class TooManyRequests(BusError):
    """Too many requests wait for Redis's acknowledgement; this one was not sent."""

    def __init__(self, tenant: str, most: int) -> None:
        super().__init__(f"{most} requests of {tenant} already wait for Redis; send this one later")
        self.tenant = tenant


class UnmergeableOrder(BusError):
    """An order's record, handed in or found in Redis, cannot be joined with another."""

    def __init__(self, order_id: str, reason: str) -> None:
        super().__init__(f"order {order_id} cannot be merged: {reason}")
        self.order_id = order_id


class TaskFailed(BusError):
    """An unforeseen error ended a background task. It is the cause; None if the task returned."""

    def __init__(self, task: str, error: BaseException | None) -> None:
        reason = "it returned" if error is None else f"{type(error).__name__}: {error}"
        super().__init__(f"{task} has ended: {reason}")
        self.task = task
        self.__cause__ = error


class ServerFailed(BusError):
    """The embedded server did not start; the text says why and what to do about it."""

    def __init__(self, text: str, *, port: int | None = None, data_dir: Path | None = None) -> None:
        super().__init__(text)
        self.port = port
        self.data_dir = data_dir
