"""The control plane's connection: redis-py, set to wait out any outage."""

import socket
import sys
from collections.abc import AsyncIterator
from typing import Any, Protocol, Self, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import WatchError

from millrace_bus.connection.address import Address

_CONNECT_TIMEOUT_S = 2.0
_KEEPALIVE: dict[int, int] = (
    {socket.TCP_KEEPIDLE: 5, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 2, socket.TCP_USER_TIMEOUT: 8_000}
    if sys.platform == "linux"
    else {}
)
"""A peer that is gone without a word is noticed within about 9 s."""
_FIRST_RETRY_S = 0.02
_LONGEST_RETRY_S = 0.5
_DOUBLINGS = 10

Value = bytes | str | int


class Control(Protocol):
    """What we use of redis-py, typed as it answers us: in bytes.

    Every call tries again for ever while Redis cannot be reached, so a command whose answer was lost may be carried
    out twice: only such as may be are used.
    """

    async def get(self, name: str) -> bytes | None:
        """Return a string."""

    async def mget(self, keys: list[bytes]) -> list[bytes | None]:
        """Return strings."""

    async def set(self, name: str, value: Value, ex: int | None = None) -> object:
        """Set a string, for `ex` seconds where given."""

    async def delete(self, *names: str) -> int:
        """Remove keys."""

    async def hgetall(self, name: str) -> dict[bytes, bytes]:
        """Return a hash."""

    async def hset(self, name: str, key: str, value: Value) -> int:
        """Set a field of a hash."""

    async def hdel(self, name: str, *keys: str) -> int:
        """Remove fields of a hash; give how many there were."""

    def scan_iter(
        self, match: str | None = None, count: int | None = None, _type: str | None = None
    ) -> AsyncIterator[bytes]:
        """Return the keys that match, some perhaps twice."""

    def pipeline(self, transaction: bool = True) -> "Commands":
        """Return a pipeline, to be used with `async with`."""

    async def aclose(self) -> None:
        """Close every connection."""


class Commands(Protocol):
    """Commands that go out together; those of a watched transaction answer at once until `multi`."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def watch(self, *names: str) -> object:
        """Make `execute` fail with `WatchError` once one of these has changed."""

    def multi(self) -> None:
        """Collect from now on."""

    def get(self, name: str) -> Any:
        """Return a string (watched: to be awaited)."""

    def set(self, name: str, value: Value) -> object:
        """Set a string."""

    async def execute(self) -> list[Any]:
        """Send what was collected and give the answers.

        Raises:
            WatchError: something watched has changed, or the connection was lost: nothing was done.
        """


class _Backoff(ExponentialWithJitterBackoff):
    """Doubles a bounded number of times: the original's power overflows after about 1,000 failures in a row."""

    def compute(self, failures: int) -> float:
        """Return the delay before the next try, s."""
        return float(super().compute(min(failures, _DOUBLINGS)))


def control_client(address: Address, name: str) -> Control:
    """Return a client whose every call waits out an outage."""
    client = Redis(
        host=address.host,
        port=address.port,
        db=address.db,
        username=address.user,
        password=address.password,
        ssl=address.tls,
        protocol=3,
        client_name=name.replace(" ", "-"),
        socket_connect_timeout=_CONNECT_TIMEOUT_S,
        # Not socket_timeout: with it redis-py sends by asyncio.wait_for, which before Python 3.12 swallows a
        # cancellation that comes while the write is done; the task that was cancelled then lives on.
        socket_timeout=None,
        socket_keepalive=True,
        socket_keepalive_options=_KEEPALIVE,
        retry=Retry(_Backoff(base=_FIRST_RETRY_S, cap=_LONGEST_RETRY_S), -1),
    )
    return cast(Control, client)


__all__ = ["Commands", "Control", "Value", "WatchError", "control_client"]
