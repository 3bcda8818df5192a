"""Message ids: where a message stands in its stream.

A writer opens a stream with an *epoch* and numbers its messages 1, 2, 3 … without a gap, so a reader
can prove that it missed nothing. See docs/protocol.md, "The message".
"""

import hashlib
import re
import secrets
from typing import Final, NamedTuple, NewType

from millrace_core.errors import InvalidName

RequestId = NewType("RequestId", str)
"""Idempotency key of a request to trade: 32 lower-case hex digits."""

_REQUEST_ID: Final = re.compile(r"[0-9a-f]{32}")

_LATEST_EPOCH: Final = 4_102_444_800_000
"""The year 2100, ms: no clock shows a later time."""
_LARGEST_SEQ: Final = 2**62
"""So that a few more still fit in 64 bits with a sign, as databases have them."""

_LONGEST_ID: Final = 41
"""Two numbers of 64 bits: Redis has no longer ids, and Python refuses to read numbers without end."""


class MessageId(NamedTuple):
    """Place of a message in its stream: `{epoch}-{seq}`, also its entry id in the journal."""

    epoch: int
    """Wall clock in ms when the writer opened the stream; grows with every writer."""
    seq: int
    """1 for the first message of the epoch; 0 only in a snapshot's `as_of`."""

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    def follows(self, last: "MessageId") -> bool:
        """Tell whether nothing was lost between `last` and this message."""
        return self.epoch == last.epoch and self.seq == last.seq + 1

    @property
    def is_possible(self) -> bool:
        """Tell whether a writer of the protocol may have written it: by a clock that may be, counted from 1.

        Redis takes any two numbers of 64 bits from anybody.
        """
        return self.epoch < _LATEST_EPOCH and self.seq <= _LARGEST_SEQ

    @property
    def is_last(self) -> bool:
        """Tell whether no writer can open an epoch after it: Redis takes only larger ids, and none is possible."""
        return self.epoch + 1 >= _LATEST_EPOCH

    @classmethod
    def parse(cls, text: str) -> "MessageId":
        """Read `{epoch}-{seq}`.

        Raises:
            InvalidName: the text has another form.
        """
        epoch, dash, seq = text.partition("-")
        if not (dash and epoch.isdecimal() and seq.isdecimal() and len(text) <= _LONGEST_ID):
            raise InvalidName(text, "a message id: {epoch}-{seq}")
        return cls(int(epoch), int(seq))


BEGINNING: Final = MessageId(0, 0)
"""The place before every message: below every id, of any epoch."""


def derived_request_id(text: str) -> RequestId:
    """Return the request id that a text always has: what is derived from the same text again is the same request."""
    return RequestId(hashlib.sha256(text.encode()).hexdigest()[:32])


def new_request_id() -> RequestId:
    """Return a new request id: 128 random bits."""
    return RequestId(secrets.token_hex(16))


def is_request_id(text: str) -> bool:
    """Tell whether a text has the form of a request id."""
    return _REQUEST_ID.fullmatch(text) is not None
