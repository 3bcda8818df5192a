"""A check that the sender of a request wants made when it is signed and about to be handed to the socket.

After the check a request is as old as its signature says, so the exchange refuses it if it then lies about for long, as
while the process is frozen.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SendingCheck = Callable[[], None]
"""Raises what the sender is to get instead of an answer; nothing is sent then."""

_check: ContextVar[SendingCheck | None] = ContextVar("sending_check", default=None)


@contextmanager
def checked(check: SendingCheck) -> Iterator[None]:
    """Have a check made before the first request that this task sends meanwhile."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def wanted_check() -> SendingCheck | None:
    """Return the check that this task wants, or None."""
    return _check.get()
