"""The request that a task is making: which action it is for, when it left, and what was answered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from ccxt.base.errors import NotSupported, OperationFailed

from millrace_core.clock import now_ns
from millrace_exchange.sending_guard import NotSure, check_sure

NOTHING: Final = object()
"""Stands for the content of an answer that did not come over HTTP, or has not come."""


class Sending:
    """When the request at hand was handed to a socket, and the exchange's answer before ccxt makes anything of it."""

    def __init__(self, carries: str | None = None) -> None:
        self.carries = carries
        """Our id of the order that the request makes: without it in the request, nothing is sent."""
        self.at_ns: int | None = None
        """Wall clock; None until something was sent."""
        self.contents: list[Any] = []
        """The JSON of each answer over HTTP; None of one that was no JSON."""
        self.status: int | None = None
        """The HTTP status of the answer to the last request; None until it is answered."""
        self.is_refusal = False
        """Whether ccxt found an error of the exchange in that answer."""
        self.rows: list[Any] = []
        """What ccxt read from the lists in all answers, before it leaves out what was not asked for."""
        self.action = ""
        """The action that is under way; empty before and after it."""
        self.on_asked: Callable[[], None] | None = None
        """Called when something was sent; set while a question is asked, which some exchanges take by POST."""
        self.has_changed = False
        """Whether a request was sent that may have changed something."""

    @property
    def content(self) -> Any:
        """The JSON of the answer to the last request; `NOTHING` if none has come."""
        return self.contents[-1] if self.contents and self.status is not None else NOTHING

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


def stamp(*, changes: bool = True) -> None:
    """Note that something is sent now, which may change something or not, if it still may be.

    Raises:
        NotSure: whether it may must be found out first, and nothing was changed yet.
        OperationFailed: the same, and something was.
    """
    current = _sending.get()
    if current is None:
        return
    if current.action:
        try:
            check_sure()
        except NotSure:
            if current.has_changed:
                raise OperationFailed("a part was sent, the rest may not be") from None
            raise
    current.has_changed |= changes
    current.at_ns = now_ns()
    # What was answered to an earlier request of the same action says nothing of this one.
    current.status, current.is_refusal = None, False
    if current.on_asked is not None:
        current.on_asked()


def check_carried(request: str) -> None:
    """Refuse a finished request that would make an order without our id.

    Raises:
        NotSupported: ccxt does not send it here.
    """
    current = _sending.get()
    if current is not None and current.action and current.carries is not None and current.carries not in request:
        raise NotSupported(
            "orders cannot carry our id here, so an order whose answer is lost could not be found: "
            "trading is not supported on this exchange"
        )


def current_sending() -> Sending | None:
    """Return the request that this task is making; None for what ccxt does by itself."""
    current = _sending.get()
    return current if current is not None and current.action else None


def current_action() -> str:
    """Return the action that this task is carrying out; empty for what ccxt does by itself."""
    current = _sending.get()
    return current.action if current is not None else ""
