"""Which recorded streams a strategy follows unless it is said: all of its tenant's and the public ones. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from millrace_backtest.errors import NothingRecorded
from millrace_core.errors import InvalidName
from millrace_core.names import PUBLIC, StreamName, Tenant, is_snapshot
from millrace_dbsync.plan import matches
from millrace_strategy import SubscribedStream

_WATCHED: Final = "watch"


def subscriptions(names: Iterable[str], tenant: Tenant, patterns: Sequence[str] = ()) -> tuple[SubscribedStream, ...]:
    """Return the streams of a tenant that match a pattern, or all of them.

    `names` are those of the recording. Where the tenant and the public have the same stream, it is the tenant's.
    """
    found: dict[tuple[str, str | None, str], SubscribedStream] = {}
    for stream in sorted(_streams(names), key=lambda each: (each.tenant != tenant, str(each))):
        is_ours = stream.tenant in (tenant, PUBLIC)
        if is_ours and (not patterns or any(matches(pattern, str(stream)) for pattern in patterns)):
            subscribed = SubscribedStream(stream.exchange, stream.symbol, stream.action, stream.tenant != tenant)
            found.setdefault((stream.exchange, stream.symbol, stream.action), subscribed)
    return tuple(found.values())


def only_tenant(names: Iterable[str]) -> Tenant:
    """Return the tenant of a recording of one, whatever is recorded of `PUBLIC` beside.

    Raises:
        NothingRecorded: it holds several, or none.
    """
    tenants = {stream.tenant for stream in _streams(names)}
    private = sorted(tenants - {PUBLIC}) or sorted(tenants)
    if len(private) != 1:
        raise NothingRecorded(f"name the tenant: the recording has {', '.join(private) or 'none'}")
    return private[0]


def _streams(names: Iterable[str]) -> list[StreamName]:
    streams = []
    for name in names:
        try:
            if not is_snapshot(name):
                streams.append(StreamName.parse(name))
        except InvalidName:
            continue
    return [stream for stream in streams if stream.action.startswith(_WATCHED)]
