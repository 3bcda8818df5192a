"""Redis announces changes of keys only if told to: `notify-keyspace-events`."""

import logging
from typing import Any

from millrace_bus.connection.command_pool import CommandPool
from millrace_bus.errors import CommandRefused

SETTING = "notify-keyspace-events"
NEEDED = "K$"
"""Announcements by key (K), of strings that are set ($)."""
_ALL_CLASSES = "A"

_log = logging.getLogger(__name__)


class KeyspaceNotifications:
    """Sees to it that Redis announces changes of configurations; says once where it does not and may not be told to."""

    def __init__(self, redis: CommandPool) -> None:
        self._redis = redis
        self._refused: CommandRefused | None = None
        """Why the setting cannot be seen or changed, if it cannot."""
        self._has_warned = False

    async def ensure(self) -> None:
        """Add what is missing to the server's setting, and leave the rest of it as it is."""
        self._refused = None
        try:
            present = _value(await self._redis.call("CONFIG", "GET", SETTING))
            if missing := missing_flags(present):
                await self._redis.call("CONFIG", "SET", SETTING, present + missing)
        except CommandRefused as refused:
            # A user that may not see the settings, which hold passwords, knows whether they are right by what happens.
            self._refused = refused

    def missed(self) -> None:
        """Note that a change was found that nothing announced."""
        if self._refused is not None and not self._has_warned:
            _log.warning(
                "changed configurations are noticed some seconds late: %s of Redis must contain %s, and may not be "
                "set from here (%s)",
                SETTING,
                NEEDED,
                self._refused,
            )
            self._has_warned = True


def missing_flags(present: str) -> str:
    """Return the flags that the setting lacks; `A` stands for all classes of events, not for `K`."""
    return "".join(flag for flag in NEEDED if flag not in present and not (flag != "K" and _ALL_CLASSES in present))


def _value(reply: Any) -> str:
    """Return the setting of a reply to CONFIG GET; empty if the server has none of this name."""
    pairs = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
    value = next(iter(pairs.values()), b"")
    return value.decode() if isinstance(value, bytes) else str(value)
