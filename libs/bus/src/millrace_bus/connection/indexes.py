"""Sets of names that lead to other keys, so that the keyspace is never scanned. See docs/protocol.md, "Indexes"."""

import logging

from millrace_bus.connection.calls import Call
from millrace_bus.errors import CommandRefused

_log = logging.getLogger(__name__)


async def members(call: Call, index: str) -> list[bytes]:
    """Return the members of an index; none if another program's key stands in its place, which must end nothing.

    Raises:
        CommandRefused: Redis does not read.
    """
    try:
        return sorted(await call("SMEMBERS", index))
    except CommandRefused as refused:
        if refused.code != "WRONGTYPE":
            raise
        _log.error("%s is no index, so nothing is found by it: %s; delete it", index, refused)
        return []


async def register(call: Call, index: str, member: str) -> bool:
    """Add a member; False if Redis refuses it, which must keep nobody from what can be read and written."""
    try:
        await call("SADD", index, member)
    except CommandRefused as refused:
        _log.warning("cannot register %s in %s: %s", member, index, refused)
        return False
    return True
