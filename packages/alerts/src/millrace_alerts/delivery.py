"""Sends one message by Apprise. Nothing of an address, which is a secret, is ever in an error or a log."""

import asyncio
import logging
import re
import threading
from collections.abc import Callable
from typing import Final

from apprise import Apprise
from apprise.plugins import NotifyBase

SEND_LIMIT_S: Final = 30.0

_STATUS: Final = re.compile(r"\berror[= ](\d{3})\b")


class _Statuses(logging.Handler):
    """Remembers, by thread, the status with which a receiver refused; the rest of Apprise's log may hold secrets."""

    def __init__(self) -> None:
        super().__init__()
        self.of_thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        if found := _STATUS.search(record.getMessage()):
            self.of_thread.status = found[1]


_statuses: Final = _Statuses()
_late: Final[dict[str, threading.Thread]] = {}
"""By address, who waits for an answer that did not come in time."""


def keep_quiet() -> None:
    """Keep Apprise's own log, and that of the HTTP client below it, out of ours: both name addresses."""
    apprise = logging.getLogger("apprise")
    apprise.handlers, apprise.propagate = [_statuses], False
    apprise.setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)


def receiver_of(address: str) -> NotifyBase | None:
    """Return the receiver at an address; None if Apprise does not understand the address."""
    return Apprise.instantiate(address, suppress_exceptions=True)


async def deliver(address: str, title: str, body: str) -> str | None:
    """Send a message; return why it was not delivered, or None.

    A receiver whose answer never ends holds one thread, however often it is tried.
    """
    late = _late.get(address)
    if late is not None and late.is_alive():
        return "an earlier message is still without an answer"
    thread, answered = _beside(lambda: _send(address, title, body))
    try:
        async with asyncio.timeout(SEND_LIMIT_S):
            return await answered
    except TimeoutError:
        _late[address] = thread
        return f"no answer within {SEND_LIMIT_S:g} s"


def _send(address: str, title: str, body: str) -> str | None:
    receiver = receiver_of(address)
    if receiver is None:
        return "Apprise does not understand the address"
    # Where a receiver sends us on to is its own choice: it could be a service that only this machine reaches.
    receiver.redirects = False
    _statuses.of_thread.status = None
    try:
        if receiver.notify(body=body, title=title):
            return None
    except Exception as error:  # noqa: BLE001 (a hundred plugins: what they raise, and its text, is theirs)
        return type(error).__name__
    status = _statuses.of_thread.status
    return f"the receiver answered {status}" if status else "the receiver could not be reached, or refused"


def _beside(work: Callable[[], str | None]) -> tuple[threading.Thread, asyncio.Future[str | None]]:
    """Run blocking work in a thread of its own, which the end of the process does not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str | None] = loop.create_future()

    def settle(result: str | None) -> None:
        if not done.done():
            done.set_result(result)

    def run() -> None:
        result = work()
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result)

    thread = threading.Thread(target=run, name="delivery", daemon=True)
    thread.start()
    return thread, done
