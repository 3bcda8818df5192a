"""A message as far as the database holds it."""

from typing import Literal, NamedTuple

from millrace_core.ids import MessageId


class StoredMessage(NamedTuple):
    """One message of a stream as far as it is stored."""

    at_ms: int
    """When it was published, by the gatherer's clock."""
    name: str
    """The name of the stream, or of its snapshots."""
    id: MessageId
    kind: Literal["delta", "snapshot", "status"]
    event_ms: int | None
    """The exchange's own time, of books and tickers."""
    data: bytes
