"""The commands that write a message to its journal and publish it on its channel at once.

See docs/protocol.md, "One name, a journal and a channel". The packed head of each command is made once per stream.
"""

import asyncio
from typing import Any, Final

from millrace_bus.connection.connection import Connection, ReplySink, into, pack
from millrace_bus.connection.script import Script
from millrace_bus.reading.journal_page import FIELD

ANSWER: Final = Script.of("""
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], ARGV[2], 'data', ARGV[3])
redis.call('PUBLISH', KEYS[1], ARGV[3])
return ARGV[2]
""")
"""A channel has no memory: an answer that the journal refuses, because its writer is fenced, must not be on it."""


class PublishCommands:
    """Builds the commands for one message of one stream, which write the same bytes to both."""

    replies = 2
    """How many replies a message gets; the first says whether the journal took it."""

    def __init__(self, name: str, *, retention: int, exact: bool = False) -> None:
        trim = ("MAXLEN", "=" if exact else "~", retention)
        # Packed with an empty argument and cut there: what follows is the one part that changes.
        self._xadd = pack("XADD", name, *trim, "", FIELD, "").partition(b"$0\r\n")[0]
        self._publish = pack("PUBLISH", name, "").removesuffix(b"$0\r\n\r\n")

    def write(self, entry_id: str, message: bytes) -> bytes:
        """Return the two commands."""
        size, entry = len(message), entry_id.encode()
        return b"%b$%d\r\n%b\r\n$4\r\ndata\r\n$%d\r\n%b\r\n%b$%d\r\n%b\r\n" % (
            self._xadd, len(entry), entry, size, message,
            self._publish, size, message,
        )  # fmt: skip


class AnswerCommands:
    """The same for a stream of answers: what the journal refuses is not published either."""

    replies = 1

    def __init__(self, name: str, *, retention: int) -> None:
        self._name, self._retention = name, retention

    def write(self, entry_id: str, message: bytes) -> bytes:
        """Return the command."""
        return pack(*ANSWER.command([self._name], self._retention, entry_id, message))


def sinks(commands: PublishCommands | AnswerCommands, first: ReplySink) -> tuple[ReplySink | None, ...]:
    """Return the sinks of one message's replies."""
    return (first, *(None,) * (commands.replies - 1))


async def written(connection: Connection, commands: bytes, replies: int = 2) -> None:
    """Send the commands of one message; wait until the journal has it.

    Raises:
        Disconnected, CommandRefused: it may or may not be in the journal.
    """
    taken: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    connection.send(commands, (into(taken), *(None,) * (replies - 1)))
    await taken
