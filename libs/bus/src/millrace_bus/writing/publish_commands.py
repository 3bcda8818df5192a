"""The two faces of a name: the commands that write a message to its journal and its channel at once.

See docs/protocol.md, "One name, two faces". The packed head of each command is made once a stream.
"""

from millrace_bus.connection.connection import pack
from millrace_core.errors import InvalidName
from millrace_core.ids import MessageId

FIELD = b"data"
"""The field of a journal's entry that holds the message."""


class Faces:
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


def entry_message_id(entry_id: bytes) -> MessageId | None:
    """Read a journal entry's id; None where it is none of ours (each fits in 64 bits, so ours always parse)."""
    try:
        return MessageId.parse(entry_id.decode())
    except (InvalidName, UnicodeDecodeError):
        return None


def entry_body(fields: object) -> bytes | None:
    """Return the message of a journal's entry as Redis returns its fields; None where it has none."""
    if not isinstance(fields, list):
        return None
    pairs = dict(zip(fields[::2], fields[1::2], strict=False))
    body = pairs.get(FIELD)
    return body if isinstance(body, bytes) else None
