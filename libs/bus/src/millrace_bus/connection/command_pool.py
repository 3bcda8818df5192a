"""The control plane's client: redis-py, set to wait out any outage."""

import socket
import sys
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import AbstractBackoff
from redis.exceptions import ResponseError, WatchError

from millrace_bus.connection.address import Address
from millrace_bus.connection.calls import until_answered
from millrace_bus.connection.connection import CommandPart
from millrace_bus.connection.reconnecting import RETRIES
from millrace_bus.connection.slots import Grouping, one_group
from millrace_bus.errors import CommandRefused

_CONNECT_TIMEOUT_S = 2.0
_KEEPALIVE: dict[int, int] = (
    {socket.TCP_KEEPIDLE: 5, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 2, socket.TCP_USER_TIMEOUT: 8_000}
    if sys.platform == "linux"
    else {}
)
"""Keepalive detects a dead peer within about 9 s."""


class CommandPool:
    """Sends single commands over connections of a pool.

    Every call is repeated while Redis cannot be reached, so a command may run twice if its answer was lost. Only
    commands that tolerate this are used.
    """

    def __init__(self, address: Address, name: str, grouping: Grouping = one_group) -> None:
        self.grouping = grouping
        """Splits keys into groups that one command may name."""
        self._redis: Any = Redis(
            host=address.host,
            port=address.port,
            db=address.db,
            username=address.user,
            password=address.password,
            ssl=address.tls,
            ssl_ca_certs=address.ca_file,
            protocol=3,
            client_name=name.replace(" ", "-"),
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
            # Not socket_timeout: with it redis-py sends by asyncio.wait_for, which before Python 3.12 swallows a
            # cancellation that comes while the write is done; the task that was cancelled then lives on.
            socket_timeout=None,
            socket_keepalive=True,
            socket_keepalive_options=_KEEPALIVE,
            retry=Retry(_Pauses(), -1),
        )

    async def call(self, *parts: CommandPart) -> Any:
        """Return a command's reply; wait out an outage of Redis.

        Raises:
            CommandRefused: Redis answered with an error, such as OOM or READONLY.
        """
        return await until_answered(lambda: self._send(parts))

    async def replace(self, key: str, expected: bytes | None, value: bytes) -> bool:
        """Set a string if it still equals the expected one; tell whether it was set.

        Raises:
            CommandRefused: Redis answered with an error.
        """
        return await until_answered(lambda: self._replace(key, expected, value))

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def _send(self, parts: tuple[CommandPart, ...]) -> Any:
        try:
            return await self._redis.execute_command(*parts)
        except ResponseError as error:
            raise _refused(error) from error

    async def _replace(self, key: str, expected: bytes | None, value: bytes) -> bool:
        while True:
            try:
                async with self._redis.pipeline(transaction=True) as transaction:
                    await transaction.watch(key)
                    present = await transaction.get(key)
                    if present != expected:
                        # Ours, should an outage have taken the answer to an earlier try.
                        return bool(present == value)
                    transaction.multi()
                    transaction.set(key, value)
                    await transaction.execute()
            except WatchError:
                # Somebody changed it, or the connection was lost: nothing was done.
                continue
            except ResponseError as error:
                raise _refused(error) from error
            return True


class _Pauses(AbstractBackoff):
    """The bus's retries, as redis-py asks for them: by the number of failures in a row."""

    def compute(self, failures: int) -> float:
        """Return the seconds before the next try."""
        return RETRIES.pause_s(failures)


def _refused(error: ResponseError) -> CommandRefused:
    # redis-py takes the code off the text of those that it has a class for.
    text, code = str(error), error.status_code
    return CommandRefused(text if code is None or text.startswith(code) else f"{code} {text}")
