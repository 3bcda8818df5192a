"""The request that a task is making: which action it is for, and when it left."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from millrace_core.clock import now_ns


class Sending:
    """When the request at hand was handed to a socket."""

    def __init__(self) -> None:
        self.at_ns: int | None = None
        """Wall clock; None until something was sent."""
        self.action = ""
        """The action that is under way; empty before and after it."""

    @contextmanager
    def of(self, action: str) -> Iterator[None]:
        """Time what this task sends meanwhile, for an action."""
        token = _sending.set(self)
        self.action = action
        try:
            yield
        finally:
            # ccxt starts tasks that outlive the request and keep its context: they no longer act for it.
            self.action = ""
            _sending.reset(token)


_sending: ContextVar[Sending | None] = ContextVar("sending", default=None)


def stamp() -> None:
    """Note that something is sent now."""
    if (current := _sending.get()) is not None:
        current.at_ns = now_ns()


def current_action() -> str:
    """Return the action that this task is carrying out; empty for what ccxt does by itself."""
    current = _sending.get()
    return current.action if current is not None else ""
