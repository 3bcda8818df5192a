"""What ccxt's methods ask of a connection, learned without asking it."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

capturing: ContextVar[bool] = ContextVar("capturing", default=False)
"""Whether calls of ccxt's `watch` and `watch_multiple` are captured in this task instead of made."""


class WatchCall(NamedTuple):
    """The arguments of ccxt's `watch_multiple`."""

    url: str
    message_hashes: list[str]
    message: Any = None
    subscribe_hashes: list[str] | None = None
    subscription: Any = None

    def covers(self, other: "WatchCall") -> bool:
        """Tell whether another call would find its subscription made by this one, on the same connection."""
        made, wanted = self.subscribe_hashes or [], other.subscribe_hashes or []
        is_same = self.url == other.url and set(other.message_hashes) <= set(self.message_hashes)
        return is_same and bool(wanted) and set(wanted) <= set(made)


class Captured(Exception):
    """Raised in place of a call."""

    def __init__(self, call: WatchCall) -> None:
        super().__init__(call)
        self.call = call


async def captured(method: Callable[..., Awaitable[Any]], *arguments: Any) -> WatchCall | None:
    """Return the call that one of ccxt's methods would make; None if it makes none."""
    token = capturing.set(True)
    try:
        await method(*arguments)
    except Captured as made:
        return made.call
    finally:
        capturing.reset(token)
    return None
