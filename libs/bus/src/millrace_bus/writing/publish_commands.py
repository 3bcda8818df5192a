"""The commands that write a message to its journal and publish it on its channel at once.

See docs/protocol.md, "One name, a journal and a channel". The packed head of each command is made once per stream.
"""

import asyncio
from typing import Any

from millrace_bus.connection.connection import Connection, into, pack
from millrace_bus.reading.journal_page import FIELD


class PublishCommands:
    """Builds the pipeline of one message of one stream: XADD, then PUBLISH, with the same bytes."""

    def __init__(self, name: str, *, retention: int, exact: bool = False) -> None:
        trim = ("MAXLEN", "=" if exact else "~", retention)
        # Packed with an empty argument and cut there: what follows is the one part that changes.
        self._xadd = pack("XADD", name, *trim, "", FIELD, "").partition(b"$0\r\n")[0]
        self._publish = pack("PUBLISH", name, "").removesuffix(b"$0\r\n\r\n")

    def write(self, entry_id: str, message: bytes) -> bytes:
        """Return the two commands; `entry_id` may be `*`."""
        size, entry = len(message), entry_id.encode()
        return b"%b$%d\r\n%b\r\n$4\r\ndata\r\n$%d\r\n%b\r\n%b$%d\r\n%b\r\n" % (
            self._xadd, len(entry), entry, size, message,
            self._publish, size, message,
        )  # fmt: skip


async def written(connection: Connection, commands: bytes) -> None:
    """Send an XADD and its PUBLISH; wait until the first is acknowledged.

    Raises:
        Disconnected, CommandRefused: it may or may not be in the journal.
    """
    taken: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    connection.send(commands, (into(taken), None))
    await taken
