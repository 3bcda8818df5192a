"""A ccxt class whose instances record: what its sockets bring goes through a `Recorder`."""

from contextvars import ContextVar
from functools import cache
from typing import Any

from ccxt.base.errors import NetworkError

from millrace_core.clock import now_ns
from millrace_exchange.ccxt.recording.book_proofs import sequence_check
from millrace_exchange.ccxt.recording.books import RecordedBook, RecordedCountedBook, RecordedIndexedBook
from millrace_exchange.ccxt.recording.digits import DigitKeeper, safe_string
from millrace_exchange.ccxt.recording.recorder import Recorder
from millrace_exchange.ccxt.turns import receive_in_turns
from millrace_exchange.ccxt.websocket_api import prepare_client
from millrace_exchange.profile import ExchangeProfile


class Sending:
    """When the request at hand was handed to a socket."""

    def __init__(self) -> None:
        self.at_ns: int | None = None
        """Wall clock; None until something was sent."""


sending: ContextVar[Sending | None] = ContextVar("sending", default=None)
"""The request that this task is making; its sending is timed."""


def _stamp() -> None:
    if (current := sending.get()) is not None:
        current.at_ns = now_ns()


class RecordedExchange(DigitKeeper):
    """Mixin laid over a ccxt class; see `recorded`. Everything here overrides ccxt's method of that name."""

    clients: dict[str, Any]

    def __init__(self, settings: dict[str, Any], profile: ExchangeProfile) -> None:
        super().__init__(settings)  # type: ignore[call-arg]
        self.profile = profile
        self.recorder = Recorder(self, profile.balance_difference_events)
        if settings.get("apiKey"):
            self.safe_string = safe_string

    def order_book(self, snapshot: Any = None, depth: int | None = None) -> RecordedBook:
        """Return a book that records."""
        return RecordedBook(snapshot, depth)

    def counted_order_book(self, snapshot: Any = None, depth: int | None = None) -> RecordedBook:
        """Return a book that records."""
        return RecordedCountedBook(snapshot, depth)

    def indexed_order_book(self, snapshot: Any = None, depth: int | None = None) -> RecordedBook:
        """Return a book that records."""
        return RecordedIndexedBook(snapshot, depth)

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        """Make a REST call."""
        _stamp()
        return await super().fetch(url, method, headers, body)  # type: ignore[misc]

    def client(self, url: str) -> Any:
        """Return the connection to a URL, listening in on a new one."""
        is_new = url not in (self.clients or {})
        client = super().client(url)  # type: ignore[misc]
        if is_new:
            self._listen_in(client)
            self._check_frames(client)
            prepare_client(self.profile, url, client)
            receive_in_turns(client)
        return client

    def _listen_in(self, client: Any) -> None:
        recorder, handle, resolve, send = self.recorder, client.handle_message, client.resolve, client.send

        def handle_message(message: Any) -> None:
            recorder.received_ns = now_ns()
            is_handled = False
            try:
                handle(message)
                is_handled = True
            finally:
                recorder.received_ns = 0
                if not is_handled:
                    # ccxt would read nothing more from this connection, and its streams would be silent forever.
                    client.on_error(NetworkError("a message could not be handled, see the log: reconnecting"))

        def resolve_answers_only(result: Any, message_hash: str) -> Any:
            # What a stream brings has been delivered: its future stays pending, so that its awaiter learns of the
            # stream's end, and is not woken for every message.
            return result if recorder.deliver(result) else resolve(result, message_hash)

        async def send_stamped(message: Any) -> Any:
            if not client.closed():
                _stamp()
            return await send(message)

        client.handle_message, client.resolve, client.send = handle_message, resolve_answers_only, send_stamped

    def _check_frames(self, client: Any) -> None:
        check, recorder, take = sequence_check(self.profile.book), self.recorder, client.on_message_callback
        if check is None:
            return
        recorder.checks.add(check)

        def take_checked(source: Any, frame: Any) -> None:
            # Before ccxt applies it: listeners must not take the book that it makes of it for right.
            if isinstance(frame, dict):
                for chain in check.broken_chains(frame):
                    recorder.broken(chain, client)
            take(source, frame)

        client.on_message_callback = take_checked


@cache
def recorded(loaded: Any) -> Any:
    """Return a class like ccxt's `loaded`, whose instances record."""
    return type(f"Recorded{loaded.__name__.title()}", (RecordedExchange, loaded), {})
