"""A ccxt class whose instances record: what its sockets bring goes through a `Recorder`."""

from contextvars import ContextVar
from functools import cache
from typing import Any

from ccxt.base.errors import NetworkError

from millrace_core.clock import now_ns
from millrace_exchange.ccxt.recording.books import RecordedBook, RecordedCountedBook, RecordedIndexedBook
from millrace_exchange.ccxt.recording.digits import DigitKeeper, safe_string
from millrace_exchange.ccxt.recording.frame_checks import FrameChecks
from millrace_exchange.ccxt.recording.recorder import Recorder
from millrace_exchange.ccxt.websocket_api import prepare_client
from millrace_exchange.profile import ExchangeProfile


class Sending:
    """When the request at hand was handed to a socket."""

    def __init__(self) -> None:
        self.at_ns: int | None = None
        """Wall clock; None until something was sent."""


sending: ContextVar[Sending | None] = ContextVar("sending", default=None)
"""The request that this task is making; its sending is timed."""


connection: ContextVar[str] = ContextVar("connection", default="")
"""What marks the URL of a connection that this task has for itself; empty where streams share one."""


def _stamp() -> None:
    if (current := sending.get()) is not None:
        current.at_ns = now_ns()


class RecordedExchange(DigitKeeper):
    """Mixin laid over a ccxt class; see `recorded`. Everything here overrides ccxt's method of that name."""

    clients: dict[str, Any]

    def __init__(self, settings: dict[str, Any], profile: ExchangeProfile) -> None:
        self._was_closed = False
        super().__init__(settings)  # type: ignore[call-arg]
        self.profile = profile
        self.recorder = Recorder(self, profile)
        if settings.get("apiKey"):
            self.safe_string = safe_string

    def open(self, lazy: bool = False) -> None:
        """Open what requests and sockets need, unless it was closed: what is still under way must not open it again."""
        super().open(lazy or self._was_closed)  # type: ignore[misc]

    async def close(self, *arguments: Any) -> None:
        """Close everything for good."""
        self._was_closed = True
        await super().close(*arguments)  # type: ignore[misc]

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
        url += connection.get()
        is_new = url not in (self.clients or {})
        client = super().client(url)  # type: ignore[misc]
        if is_new:
            self._listen_in(client)
            FrameChecks.install(self, client)
            prepare_client(self.profile, url, client)
        return client

    def _listen_in(self, client: Any) -> None:
        recorder, handle, resolve, send = self.recorder, client.handle_message, client.resolve, client.send

        def handle_message(message: Any) -> None:
            if client.error is not None:
                # Its streams have ended, and may have begun anew over another connection.
                return
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
            return result if recorder.deliver(result, client) else resolve(result, message_hash)

        async def send_stamped(message: Any) -> Any:
            if not client.closed():
                _stamp()
            return await send(message)

        client.handle_message, client.resolve, client.send = handle_message, resolve_answers_only, send_stamped

    def handle_protobuf_message(self, client: Any, message: Any) -> Any:
        """Take a message that was not JSON, once ccxt has decoded it."""
        client.frame_checks.begin(message)
        return super().handle_protobuf_message(client, message)  # type: ignore[misc]


@cache
def recorded(loaded: Any) -> Any:
    """Return a class like ccxt's `loaded`, whose instances record."""
    return type(f"Recorded{loaded.__name__.title()}", (RecordedExchange, loaded), {})
