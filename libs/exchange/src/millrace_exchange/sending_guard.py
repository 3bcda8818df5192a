"""What the sender of requests wants looked at whenever one is signed and about to be handed to the socket.

After that a request is as old as its signature says, so the exchange refuses it if it then lies about for long, as
while the process is frozen.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")


class SendingGuard(Protocol):
    """Says whether requests may be sent; either method may raise what the sender is to get instead of an answer."""

    def is_sure(self) -> bool:
        """Tell whether a request may be sent at this moment."""

    async def assure(self) -> None:
        """Return once a request may be sent."""


class NotSure(Exception):
    """A request was signed and not sent: whether it may be must be found out first."""


_guard: ContextVar[SendingGuard | None] = ContextVar("sending_guard", default=None)


@contextmanager
def guarded(guard: SendingGuard) -> Iterator[None]:
    """Have a guard asked before each request that this task sends meanwhile."""
    token = _guard.set(guard)
    try:
        yield
    finally:
        _guard.reset(token)


def check_sure() -> None:
    """Return if this task may send a request now.

    Raises:
        NotSure: that must be found out first.
    """
    if (guard := _guard.get()) is not None and not guard.is_sure():
        raise NotSure


async def once_sure(send: Callable[[], Awaitable[T]]) -> T:
    """Return what sending a request returns; it is signed anew until this task may send it."""
    if (guard := _guard.get()) is None:
        return await send()
    while True:
        await guard.assure()
        try:
            return await send()
        except NotSure:
            continue  # Nothing was sent yet.
