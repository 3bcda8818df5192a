"""Plain messages of busy streams, decoded a page at a time, column by column.

A page is plain when it holds only deltas in ASCII that have the ids of their entries, credible times and no unknown
field. Other pages are left to the common handler.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeGuard, TypeVar

import msgspec

from millrace_bus import JournalPage
from millrace_core.clock import DAY_MS, NS_PER_MS, now_ms
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import LARGEST_MESSAGE


class PlainTrace(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The hops of market data: the part of `millrace_core.trace.Trace` that is set before it is stored."""

    exchange: int | None = None
    received: int | None = None
    published: int | None = None


class PlainDelta(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The envelope of a delta; each kind of stream adds its `data`."""

    id: str
    type: Literal["delta"]
    timestamp: int | None
    trace: PlainTrace


class Times(NamedTuple):
    """When the messages of a page passed their hops."""

    event_ms: list[int | None]
    exchange: list[int | None]
    received: list[int | None]
    published: list[int]

    @property
    def published_ms(self) -> list[int]:
        """When they were published, by the writer's clock."""
        return [at // NS_PER_MS for at in self.published]


DeltaT = TypeVar("DeltaT", bound=PlainDelta)


def read_page(decoder: "msgspec.json.Decoder[list[DeltaT]]", page: JournalPage) -> list[DeltaT] | None:
    """Decode a page at once; return None when a message in it is not plain."""
    bodies = [body for body in page.bodies if body is not None and len(body) <= LARGEST_MESSAGE]
    text = b"[%b]" % b",".join(bodies)
    if len(bodies) < len(page) or not text.isascii():
        return None
    try:
        deltas = decoder.decode(text)
    except UNREADABLE:
        return None
    # Bodies that are not JSON by themselves might be JSON when joined, but then not all ids would be right.
    return deltas if ",".join([delta.id for delta in deltas]).encode() == b",".join(page.texts) else None


def times_of(deltas: Sequence[PlainDelta]) -> Times | None:
    """Return the times of messages; None when one has no time of publication, or an absurd time."""
    traces = [delta.trace for delta in deltas]
    published = [trace.published for trace in traces]
    event_ms = [delta.timestamp for delta in deltas]
    latest_ms = now_ms() + DAY_MS
    if not _all_within(published, latest_ms * NS_PER_MS):
        return None
    if not _all_within(event_ms, latest_ms) and not _all_within([at for at in event_ms if at is not None], latest_ms):
        return None
    return Times(event_ms, [trace.exchange for trace in traces], [trace.received for trace in traces], published)


def _all_within(times: "list[int | None]", latest: int) -> TypeGuard[list[int]]:
    """Tell whether all times are known, and neither negative nor later than `latest`."""
    some: Sequence[Any] = times
    try:
        return not some or (min(some) >= 0 and max(some) <= latest)
    except TypeError:
        return False  # looking for the missing one takes longer than everything else
