"""A ccxt class whose instances record: what its sockets bring goes through a `Recorder`."""

from collections.abc import Callable, MutableSet
from contextvars import ContextVar
from functools import cache
from http import HTTPStatus
from typing import Any, Final, Protocol

from aiohttp import WSMsgType, WSServerHandshakeError
from ccxt.async_support.base.ws.functions import is_json_encoded_object
from ccxt.base.errors import BadResponse, BaseError, ExchangeError, InvalidNonce, NetworkError, OperationFailed

from millrace_core.clock import now_ns
from millrace_core.http_sessions import sends_once
from millrace_exchange.account_events import Listed, account_event_problem
from millrace_exchange.ccxt.exchange_clock import ExchangeClock
from millrace_exchange.ccxt.recording.account_kinds import learn_certainly, note_answer, note_failure, note_question
from millrace_exchange.ccxt.recording.books import RecordedBook, RecordedCountedBook, RecordedIndexedBook
from millrace_exchange.ccxt.recording.digits import DigitKeeper, parse_json
from millrace_exchange.ccxt.recording.frame_checks import FrameChecks
from millrace_exchange.ccxt.recording.market_aliases import MarketAliases
from millrace_exchange.ccxt.recording.path_ids import PathIds
from millrace_exchange.ccxt.recording.recorder import Recorder
from millrace_exchange.ccxt.recording.sending import (
    check_carried,
    current_action,
    current_sending,
    stamp,
)
from millrace_exchange.ccxt.recording.watch_calls import Captured, WatchCall, capturing
from millrace_exchange.ccxt.turns import receive_in_turns
from millrace_exchange.ccxt.websocket_api import prepare_client
from millrace_exchange.profile import CONNECT, ExchangeProfile
from millrace_exchange.refusals import Answer, limit_reports, socket_answer
from millrace_exchange.request_gate import RequestGate

connection: ContextVar[str] = ContextVar("connection", default="")
"""What marks the URL of a connection that this task has for itself; empty where streams share one."""
carriers: ContextVar[MutableSet[Any] | None] = ContextVar("carriers", default=None)
"""Collects the connections over which this task's stream comes."""

_UNEXPLAINED: Final = (ExchangeError, OperationFailed)
"""ccxt's classes of errors that say nothing of a request, a key or a limit."""


class Carrier(Protocol):
    """Another way for requests than HTTP."""

    def name_of(self, api: Any, method: str, path: str) -> str | None:
        """Return its name of a request that it can carry now, else None."""

    async def ask(self, name: str, params: dict[str, Any], *, changes: bool) -> dict[str, Any]:
        """Return the frame that answers a request, which may change something or not: `status`, `result` or `error`.

        Raises:
            ConnectionError: no answer comes.
        """


class RecordedExchange(PathIds, DigitKeeper):
    """Mixin laid over a ccxt class; see `recorded`. Everything here overrides ccxt's method of that name."""

    clients: dict[str, Any]
    carrier: Carrier | None = None
    """Carries requests in the place of HTTP, where it can."""
    on_farewell: Callable[[Any], None] = staticmethod(lambda _exchange: None)
    """Called with the instance when the exchange announces that it ends a connection."""

    def __init__(
        self, settings: dict[str, Any], profile: ExchangeProfile, gate: RequestGate, clock: ExchangeClock | None = None
    ) -> None:
        self._was_closed = self._are_markets_doubted = False
        self.clock = clock or ExchangeClock()
        super().__init__(settings)  # type: ignore[call-arg]
        # ccxt puts its own into every instance, which would hide ours.
        vars(self).pop("decimal_to_precision", None)
        self.profile = profile
        self.gate = gate
        self.recorder = Recorder(self, profile)
        self.aliases = MarketAliases(self, profile.aliased_channels)
        for kind in profile.account_kinds:
            learn_certainly(self, kind)

    def open(self, lazy: bool = False) -> None:
        """Open what requests and sockets need, unless it was closed: what is still under way must not open it again."""
        super().open(lazy or self._was_closed)  # type: ignore[misc]
        if (session := vars(self).get("session")) is not None:
            sends_once(session)

    def get_socks_proxy_session(self, address: str) -> Any:
        """Open a session for requests through a SOCKS proxy."""
        return sends_once(super().get_socks_proxy_session(address))  # type: ignore[misc]

    async def close(self, *arguments: Any) -> None:
        """Close everything for good."""
        self._was_closed = True
        await super().close(*arguments)  # type: ignore[misc]

    def set_markets(self, markets: Any, currencies: Any = None) -> Any:
        """Hold the markets that an answer lists.

        None at all are never believed; few, or none of a kind that there was, are once the next answer agrees. They
        would end the streams of all others, and refuse the orders there.
        """
        known = vars(self).get("markets") or {}
        if not markets:
            # ccxt would keep that, and not ask again.
            raise BadResponse("the exchange lists no markets")
        is_cut = 2 * len(markets) < len(known) or not _kinds(known) <= _kinds(markets)
        self._are_markets_doubted = is_cut and not self._are_markets_doubted
        if self._are_markets_doubted:
            raise BadResponse(f"the exchange lists {len(markets)} markets in place of {len(known)}, or misses a kind")
        return super().set_markets(markets, currencies)  # type: ignore[misc]

    async def handle_builder_fee_approval(self, *_account: Any) -> bool:
        """Approve no fee to ccxt's makers, which ccxt does before it loads the markets."""
        return False

    async def set_ref(self) -> bool:
        """Name no referrer of the account, as which ccxt would enter its makers."""
        return False

    def milliseconds(self) -> int:
        """Return the exchange's time: requests are signed with it."""
        return self.clock.now_ms()

    def microseconds(self) -> int:
        """Return the exchange's time."""
        return self.milliseconds() * 1000

    def seconds(self) -> int:
        """Return the exchange's time."""
        return self.milliseconds() // 1000

    def order_book(self, snapshot: Any = None, depth: int | None = None) -> RecordedBook:
        """Return a book that records."""
        return RecordedBook(snapshot, depth)

    def counted_order_book(self, snapshot: Any = None, depth: int | None = None) -> RecordedBook:
        """Return a book that records."""
        return RecordedCountedBook(snapshot, depth)

    def indexed_order_book(self, snapshot: Any = None, depth: int | None = None) -> RecordedBook:
        """Return a book that records."""
        return RecordedIndexedBook(snapshot, depth)

    def watch(
        self, url: str, message_hash: str, message: Any = None, subscribe_hash: Any = None, subscription: Any = None
    ) -> Any:
        """Follow one of a connection's streams, or be captured."""
        if capturing.get():
            hashes = None if subscribe_hash is None else [subscribe_hash]
            raise Captured(WatchCall(url, [message_hash], message, hashes, subscription))
        return super().watch(url, message_hash, message, subscribe_hash, subscription)  # type: ignore[misc]

    def watch_multiple(
        self,
        url: str,
        message_hashes: list[str],
        message: Any = None,
        subscribe_hashes: Any = None,
        subscription: Any = None,
    ) -> Any:
        """Follow several of a connection's streams, or be captured."""
        call = WatchCall(url, message_hashes, message, subscribe_hashes, subscription)
        if capturing.get():
            raise Captured(call)
        return super().watch_multiple(*call)  # type: ignore[misc]

    async def fetch2(
        self, path: str, api: Any = "public", method: str = "GET", params: Any = None, config: Any = None
    ) -> Any:
        """Make a REST call once the gate lets it through, before it is signed: a signature is valid for seconds."""
        params, config = params or {}, config or {}
        await self.gate.enter(current_action(), self._weight(api, method, path, params, config))
        carrier = self.carrier
        if carrier is not None and (name := carrier.name_of(api, method, path)) is not None:
            return await self._carried(carrier, name, params, changes=method != "GET")
        return await super().fetch2(path, api, method, params, config)  # type: ignore[misc]

    async def _carried(self, carrier: Carrier, name: str, params: dict[str, Any], *, changes: bool) -> Any:
        """Have a request carried; its answer means what it would mean over HTTP."""
        self.gate.check(current_action())
        check_carried(str(params))
        try:
            frame = await carrier.ask(name, params, changes=changes)
        except ConnectionError as error:
            raise NetworkError(str(error)) from error
        self.gate.adopt(limit_reports(frame))
        if (refusal := socket_answer(frame)) is not None:
            self.gate.answered(current_action(), refusal)
        status, content = frame["status"], frame.get("error", frame.get("result"))
        body = self.json(content) if "error" in frame else ""
        self.handle_errors(status, "", name, "", {}, body, content, {}, None)
        self.handle_http_status_code(status, "", name, "", body)  # type: ignore[attr-defined]
        return content

    async def throttle(self, cost: Any = None) -> None:
        """Pace a request as ccxt does, where only ccxt knows the limits of single endpoints."""
        if self.profile.requests.weight_per_cost is None:
            await super().throttle(cost)  # type: ignore[misc]

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        """Make a REST call that is signed; no request to the exchange leaves another way."""
        self.gate.check(current_action())
        if changes := method != "GET":
            check_carried(f"{url} {body}")
        stamp(changes=changes)
        note_question()
        try:
            content = await super().fetch(url, method, headers, body)  # type: ignore[misc]
        except BaseError as error:
            if isinstance(error, InvalidNonce):
                self.clock.doubt()
            note_failure(error)
            raise
        self.gate.adopt(limit_reports(content))
        return content

    def on_rest_response(
        self, code: int, reason: Any, url: Any, method: Any, headers: Any, body: str, *request: Any
    ) -> Any:
        """Take an answer, whatever it is, before ccxt makes anything of it."""
        self.gate.answered(current_action(), Answer.of(code, headers, body))
        note_answer(body)
        return super().on_rest_response(code, reason, url, method, headers, body, *request)  # type: ignore[misc]

    def handle_errors(
        self, code: int, reason: Any, url: Any, method: Any, headers: Any, body: Any, content: Any, *request: Any
    ) -> Any:
        """Look for errors in an answer, and keep it: it is the evidence for what ccxt makes of it.

        ccxt makes an empty list of a page. Where it asks several questions at once, as for all kinds of markets,
        nothing shows that one of the answers was none.
        """
        handle = super().handle_errors  # type: ignore[misc]
        if content is None and method == "GET" and code < HTTPStatus.BAD_REQUEST:
            handle = _refuse_page
        current = current_sending()
        if current is None or current.action.startswith("watch"):
            # A stream goes on for days, and what it asks for is no evidence of anything.
            return handle(code, reason, url, method, headers, body, content, *request)
        current.status, current.is_refusal = code, True
        current.contents.append(content)
        handled = handle(code, reason, url, method, headers, body, content, *request)
        current.is_refusal = False
        return handled

    def safe_order(self, order: dict[str, Any], market: Any = None) -> Any:
        """Return ccxt's unified order, also with a status that the profile alone knows."""
        word = str(order.get("status")).partition(" ")[0]
        if (status := self.profile.order_statuses.get(word)) is not None:
            order = {**order, "status": status}
        return super().safe_order(self._with_side(order), market)

    def safe_trade(self, trade: dict[str, Any], market: Any = None) -> Any:
        """Return ccxt's unified trade, also with a side that the profile alone knows."""
        return super().safe_trade(self._with_side(trade), market)  # type: ignore[misc]

    def _with_side(self, row: dict[str, Any]) -> dict[str, Any]:
        record = row.get("info")
        sides = self.profile.numbered_sides
        if not sides or not isinstance(record, dict):
            return row
        side = sides.get(str(record.get("side")))
        return row if side is None else {**row, "side": side}

    def filter_by_symbol_since_limit(self, rows: Any, *rules: Any, **named_rules: Any) -> Any:
        """Return the rows that were asked for, and keep all."""
        current = current_sending()
        if current is not None and current.action.startswith("fetch"):
            current.rows += rows
        return super().filter_by_symbol_since_limit(rows, *rules, **named_rules)  # type: ignore[misc]

    def _weight(self, api: Any, method: str, path: str, params: Any, config: Any) -> int | None:
        if (per_cost := self.profile.requests.weight_per_cost) is None:
            return None
        cost: float = self.calculate_rate_limiter_cost(api, method, path, params, config)  # type: ignore[attr-defined]
        return round(cost * per_cost)

    def client(self, url: str) -> Any:
        """Return the connection to a URL, listening in on a new one."""
        url += connection.get()
        is_new = url not in (self.clients or {})
        client = super().client(url)  # type: ignore[misc]
        if is_new:
            self._listen_in(client)
            if self.profile.farewell_event is not None:
                self._hear_farewell(client, self.profile.farewell_event)
            self._call_methods(client)
            _end_with_its_streams(client)
            FrameChecks.install(self, client)
            self._guard(client)
            if prepare_client(self.profile, url, client):
                self._learn_limits(client)
            receive_in_turns(client)
        if (used := carriers.get()) is not None:
            used.add(client)
        return client

    def _listen_in(self, client: Any) -> None:
        recorder, handle, resolve, send = self.recorder, client.handle_message, client.resolve, client.send
        client.received_ns = now_ns()

        def handle_message(message: Any) -> None:
            if client.error is not None:
                # Its streams have ended, and may have begun anew over another connection.
                return
            recorder.received_ns = now_ns()
            try:
                if message.type is WSMsgType.TEXT:
                    take_text(message.data)
                else:
                    handle(message)
            except Exception:
                # ccxt would read nothing more from this connection, and its streams would be silent forever.
                client.on_error(NetworkError("a message could not be handled, see the log: reconnecting"))
                raise
            finally:
                recorder.received_ns = 0

        def resolve_answers_only(result: Any, message_hash: str) -> Any:
            # What a stream brings has been delivered: its future stays pending, so that its awaiter learns of the
            # stream's end, and is not woken for every message.
            client.received_ns = recorder.received_ns or client.received_ns
            return result if recorder.deliver(result, client) else resolve(result, message_hash)

        async def send_stamped(message: Any) -> Any:
            if not client.closed():
                check_carried(str(message))
                stamp()
            return await send(message)

        def take_text(data: Any) -> None:
            # A client of ccxt parses frames by itself, and would round their numbers.
            text = data.decode() if isinstance(data, bytes) and client.decompressBinary else data
            self._take(client, parse_json(text) if is_json_encoded_object(text) else text)

        client.handle_message, client.resolve, client.send = handle_message, resolve_answers_only, send_stamped
        client.handle_text_or_binary_message = take_text

    def _take(self, client: Any, frame: Any) -> None:
        account = self.recorder.account
        account.correct(frame)
        if (problem := self._account_problem(frame)) is not None:
            self.recorder.missed(problem)
            return
        for part in account.parts(frame):
            for named in self.aliases.parts(part, client):
                client.on_message_callback(client, named)

    def _account_problem(self, frame: Any) -> str | None:
        listed = Listed(self.markets_by_id or (), self.currencies_by_id or ())  # type: ignore[attr-defined]
        return account_event_problem(self.profile.native_feed, frame, listed)

    def handle_protobuf_message(self, client: Any, message: Any) -> Any:
        """Take a message that was not JSON, once ccxt has decoded it."""
        client.frame_checks.begin(message)
        return super().handle_protobuf_message(client, message)  # type: ignore[misc]

    def _guard(self, client: Any) -> None:
        connect, gate = client.create_connection, self.gate

        async def connect_admitted(session: Any) -> Any:
            await gate.enter(CONNECT)
            try:
                return await connect(session)
            except WSServerHandshakeError as error:
                gate.answered(CONNECT, Answer.of(error.status, error.headers or {}, ""))
                raise

        client.create_connection = connect_admitted

    def _hear_farewell(self, client: Any, farewell: str) -> None:
        take = client.on_message_callback

        def take_noticing(source: Any, frame: Any) -> None:
            if isinstance(frame, dict) and (frame.get("e") == farewell or _event_inside(frame) == farewell):
                self.on_farewell(self)
            take(source, frame)

        client.on_message_callback = take_noticing

    def _call_methods(self, client: Any) -> None:
        """Have the profile's events handled by their methods at once."""
        methods: dict[Any, Any] = {event: getattr(self, name) for event, name in self.profile.event_methods.items()}
        take = client.on_message_callback

        def take_by_event(source: Any, frame: Any) -> None:
            method = methods.get(frame.get("e")) if isinstance(frame, dict) else None
            (method or take)(source, frame)

        if methods:
            client.on_message_callback = take_by_event

    def _learn_limits(self, client: Any) -> None:
        take, gate = client.on_message_callback, self.gate

        def take_learned(source: Any, frame: Any) -> None:
            # Before ccxt wakes the request's sender, who may send the next one at once.
            gate.adopt(limit_reports(frame))
            if (refusal := socket_answer(frame)) is not None:
                gate.answered(None, refusal)
            take(source, frame)

        client.on_message_callback = take_learned


def _end_with_its_streams(client: Any) -> None:
    """Close a connection when an error that answers no request ends all its streams.

    ccxt keeps their subscriptions, and would make none again over the same connection.
    """
    reject = client.reject

    def reject_and_end(error: Any, message_hash: str | None = None) -> Any:
        reject(error, message_hash)
        if message_hash is None and client.error is None and type(error) in _UNEXPLAINED:
            client.on_error(NetworkError(f"an error that answers no request, reconnecting: {error}"))
        return error

    client.reject = reject_and_end


def _kinds(markets: Any) -> set[Any]:
    """Return which kinds of markets ccxt lists: each is asked for by itself."""
    listed = markets.values() if isinstance(markets, dict) else markets
    return {(each.get("type"), each.get("linear")) for each in listed}


def _refuse_page(code: int, reason: Any, url: Any, *_: Any) -> None:
    raise BadResponse(f"{url}: the answer is no JSON")


def _event_inside(frame: dict[str, Any]) -> Any:
    """Return the kind of the event that a frame wraps, of a socket for requests or of several streams."""
    event = frame.get("event") or frame.get("data")
    return event.get("e") if isinstance(event, dict) else None


@cache
def recorded(loaded: Any) -> Any:
    """Return a class like ccxt's `loaded`, whose instances record."""
    return type(f"Recorded{loaded.__name__.title()}", (RecordedExchange, loaded), {})
