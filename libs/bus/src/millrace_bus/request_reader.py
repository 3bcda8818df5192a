"""Taking requests to trade from the journal and the channel. See docs/protocol.md, "Requests to trade"."""

from typing import NamedTuple, Self

from millrace_core.names import Tenant


class Arrived(NamedTuple):
    """One request as it came, not yet parsed."""

    tenant: Tenant
    raw: bytes
    entry_id: str | None
    """Its entry in the journal; None where it was typed by hand on the channel."""
    received_ms: int
    """When Redis had it in the journal, or when we read it from the channel: its validity may count from here."""
    received_ns: int
    """When we read it: `trace.accepted`."""


class RequestReader:
    """Asynchronous iterator over the requests of some tenants; made by `Bus.request_reader`.

    Entries that this consumer took earlier and never finished come first, each again exactly as it was.
    An entry stays pending until `done`.
    """

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Arrived:
        """Give the next request; ends after `close`."""
        raise NotImplementedError

    async def done(self, arrived: Arrived) -> None:
        """Say that a request was answered: it will not come again. Does nothing for one typed by hand."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop reading; the iteration ends. Entries not done stay pending."""
        raise NotImplementedError
