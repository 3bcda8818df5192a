"""The trace: wall-clock times, in ns, at which a message and what it caused passed each hop.

See docs/protocol.md, "Latency". A request carries the trace of the message that caused it, so the
answer to an order shows the whole way from the exchange's event to the exchange's answer.
"""

from itertools import pairwise
from typing import Annotated, Final

import msgspec
from msgspec import Meta

Nanoseconds = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A time. Anybody may write one into a request: no more than 64 bits, or nobody could count with it."""

HOPS = ("exchange", "received", "published", "delivered", "decided", "accepted", "sent", "acknowledged")
"""The hops, in the order in which a tick that becomes an order passes them."""


class Trace(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=False):
    """When each hop was passed, wall clock in ns; None for hops that were not passed, or not yet."""

    exchange: Nanoseconds | None = None
    """The exchange's own time of the event."""
    received: Nanoseconds | None = None
    """Read from the exchange's socket."""
    published: Nanoseconds | None = None
    """Handed to Redis."""
    delivered: Nanoseconds | None = None
    """Read by the strategy's process."""
    decided: Nanoseconds | None = None
    """The strategy returned a request."""
    accepted: Nanoseconds | None = None
    """Read by the executor."""
    sent: Nanoseconds | None = None
    """Handed to the exchange's socket."""
    acknowledged: Nanoseconds | None = None
    """The exchange's answer was read."""

    def at(self, **hops: int) -> "Trace":
        """Return this trace with further hops stamped."""
        return msgspec.structs.replace(self, **hops)

    def published_at(self, ns: int) -> "Trace":
        """Return `at(published=ns)`, in half the time: it is made of every message."""
        return Trace(
            self.exchange, self.received, ns, self.delivered, self.decided, self.accepted, self.sent, self.acknowledged
        )

    def delivered_at(self, ns: int) -> "Trace":
        """Return `at(delivered=ns)`, in half the time: it is made of every message."""
        return Trace(
            self.exchange, self.received, self.published, ns, self.decided, self.accepted, self.sent, self.acknowledged
        )

    def latencies(self) -> dict[str, int]:
        """Return the ns between each two consecutive hops, by names such as `received→published`."""
        passed = [(hop, at) for hop in HOPS if (at := getattr(self, hop)) is not None]
        return {f"{a}→{b}": end - start for (a, start), (b, end) in pairwise(passed)}


NO_TRACE: Final = Trace()
"""Of a message that no event caused."""
