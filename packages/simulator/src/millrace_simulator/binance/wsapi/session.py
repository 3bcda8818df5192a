"""A connection to the WebSocket API: its logon, its account subscriptions, and its requests.

Sources: https://developers.binance.com/docs/binance-spot-api-docs/websocket-api/session-authentication and
…/user-data-stream-requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from millrace_simulator.binance import errors, signing
from millrace_simulator.binance.errors import BinanceError, TooManyRequestsError
from millrace_simulator.binance.exchange import SIGNING, AccountOperation, Exchange, Operation
from millrace_simulator.binance.operations import (
    account,
    amending,
    market,
    order_lists,
    replace,
    rules,
    tickers,
    trading,
)
from millrace_simulator.binance.times import Time, TimeUnit
from millrace_simulator.binance.wsapi import events
from millrace_simulator.binance.wsapi.faulty_line import FaultyLine
from millrace_simulator.binance.wsapi.requests import ApiRequest, failed, parse_request, readable_id, succeeded
from millrace_simulator.binance.wsapi.user_streams import UserStreams
from millrace_simulator.streaming.connection import ClientConnection
from millrace_simulator.streaming.frames import text_frame
from millrace_simulator.venue import Account

OPERATIONS: Mapping[str, Operation] = {
    "ping": market.PING,
    "time": market.SERVER_TIME,
    "exchangeInfo": rules.EXCHANGE_INFO,
    "depth": market.DEPTH,
    "trades.recent": market.RECENT_TRADES,
    "trades.historical": market.HISTORICAL_TRADES,
    "trades.aggregate": market.AGGREGATE_TRADES,
    "klines": market.KLINES,
    "uiKlines": market.KLINES,
    "avgPrice": market.AVERAGE_PRICE,
    "ticker": tickers.TICKER_WINDOW,
    "ticker.24hr": tickers.TICKER_24HR,
    "ticker.tradingDay": tickers.TICKER_TRADING_DAY,
    "ticker.price": tickers.TICKER_PRICE,
    "ticker.book": tickers.TICKER_BOOK,
    "order.place": trading.PLACE_ORDER,
    "order.test": trading.TEST_ORDER,
    "order.cancel": trading.CANCEL_ORDER,
    "order.cancelReplace": replace.CANCEL_REPLACE,
    "order.amend.keepPriority": amending.AMEND_ORDER,
    "order.amendments": amending.AMENDMENTS,
    "orderList.place": order_lists.PLACE_OLD_OCO,
    "orderList.place.oco": order_lists.PLACE_OCO,
    "orderList.place.oto": order_lists.PLACE_OTO,
    "orderList.place.otoco": order_lists.PLACE_OTOCO,
    "orderList.cancel": order_lists.CANCEL_LIST,
    "orderList.status": order_lists.QUERY_LIST,
    "openOrderLists.status": order_lists.OPEN_LISTS,
    "allOrderLists": order_lists.ALL_LISTS,
    "myPreventedMatches": account.MY_PREVENTED_MATCHES,
    "order.status": account.ORDER_STATUS,
    "openOrders.status": account.OPEN_ORDERS,
    "openOrders.cancelAll": trading.CANCEL_OPEN_ORDERS,
    "allOrders": account.ALL_ORDERS,
    "myTrades": account.MY_TRADES,
    "account.status": account.ACCOUNT,
    "account.commission": account.COMMISSION,
    "account.rateLimits.orders": account.ORDER_RATE_LIMITS,
}
"""The operation of each method. Session and user data stream methods concern the connection, so `Session` has them."""


_SESSION_WEIGHT = 2
_KEY = "apiKey"
_ENVELOPE = "returnRateLimits"
_SESSION_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "session.logon": (*SIGNING, _KEY),
    "userDataStream.subscribe.signature": (*SIGNING, _KEY),
    "userDataStream.unsubscribe": ("subscriptionId",),
}
"""What the session's own methods read; the others read nothing."""


@dataclass(frozen=True, slots=True)
class _Subscription:
    id: int
    by_session: bool
    """Opened by the logged-on session, and closed with it; otherwise by a signature of its own."""


class ApiSession:
    """One client's session.

    A request is answered before anything that it caused is reported; requests are answered in order.
    """

    def __init__(
        self,
        exchange: Exchange,
        streams: UserStreams,
        connection: ClientConnection,
        line: FaultyLine,
        *,
        address: str,
        time_unit: TimeUnit,
        tells_rate_limits: bool,
    ) -> None:
        self.time_unit = time_unit
        self._exchange = exchange
        self._streams = streams
        self._connection = connection
        self._line = line
        self._address = address
        self._tells_rate_limits = tells_rate_limits
        self._connected = exchange.now()
        self._account: Account | None = None
        self._authorized: Time | None = None
        self._subscriptions: dict[int, _Subscription] = {}
        self._next_subscription_id = 0
        self._held: list[bytes] | None = None
        self._methods: Mapping[str, Callable[[ApiRequest], Any]] = {
            "session.logon": self._log_on,
            "session.status": self._status,
            "session.logout": self._log_out,
            "session.subscriptions": self._list_subscriptions,
            "userDataStream.subscribe": self._subscribe,
            "userDataStream.subscribe.signature": self._subscribe_signed,
            "userDataStream.unsubscribe": self._unsubscribe,
        }

    def handle(self, text: str) -> None:
        """Carry out a request and answer it; then send the events that it caused."""
        self._held = []
        self._line.answer(text, self._answer)
        held, self._held = self._held, None
        for message in held:
            self._send(message)

    def deliver(self, account_id: int, name: str, event: bytes) -> None:
        """Send an event of an account that the session listens to."""
        message = events.addressed(self._subscriptions[account_id].id, event)
        self._line.event(name, message, self._send)

    def announce(self, event: bytes) -> None:
        """Send an event that belongs to no subscription."""
        self._send(events.unaddressed(event))

    def close(self) -> None:
        """Listen to no account any more."""
        for account_id in self._subscriptions:
            self._streams.unsubscribe(account_id, self)
        self._subscriptions.clear()

    def _send(self, message: bytes) -> None:
        if self._held is None:
            self._connection.send(text_frame(message))
        else:
            self._held.append(message)

    def _answer(self, text: str) -> bytes:
        try:
            request = parse_request(text)
        except BinanceError as error:
            return failed(readable_id(text), error, None, self.time_unit)
        tells_rate_limits = self._tells_rate_limits
        account: Account | None = None
        try:
            tells_rate_limits = request.parameters.boolean(_ENVELOPE, default=tells_rate_limits)
            account, result = self._perform(request)
        except BinanceError as error:
            usage = self._usage(None) if tells_rate_limits else None
            return failed(request.id, self._with_retry_time(error), usage, self.time_unit)
        usage = self._usage(account) if tells_rate_limits else None
        return succeeded(request.id, result, usage, self.time_unit)

    def _perform(self, request: ApiRequest) -> tuple[Account | None, Any]:
        """Return the account whose order count the request used, if any, and the result."""
        method = self._methods.get(request.method)
        if method is not None:
            self._exchange.limits.charge_request(self._address, _SESSION_WEIGHT)
            request.parameters.check_names((), (*_SESSION_PARAMETERS.get(request.method, ()), _ENVELOPE))
            return None, method(request)
        operation = OPERATIONS.get(request.method)
        if operation is None:
            raise BinanceError(-1020, f"This operation is not supported: {request.method}")
        self._exchange.charge(operation, request.parameters, self._address)
        if not isinstance(operation, AccountOperation):
            return None, self._exchange.perform(operation, None, request.parameters, (_ENVELOPE,))
        account = self._authenticate(request)
        result = self._exchange.perform(operation, account, request.parameters, (_ENVELOPE, _KEY))
        return account if operation.orders else None, result

    def _usage(self, account: Account | None) -> list[dict[str, Any]]:
        orders = [] if account is None else self._exchange.limits.order_usage(str(account.account_id))
        return orders + self._exchange.limits.request_usage(self._address)

    def _with_retry_time(self, error: BinanceError) -> BinanceError:
        if isinstance(error, TooManyRequestsError):
            now = self._exchange.now()
            error.data = {"serverTime": now, "retryAfter": Time(now.us + error.retry_after_s * 1_000_000)}
        return error

    def _authenticate(self, request: ApiRequest) -> Account:
        """Return the account of a request: that of its own key, else the one logged on."""
        if self._account is not None and _KEY not in request.parameters:
            signing.check_timing(request.parameters, self._exchange.now_ms())
            return self._account
        return self._authenticate_by_signature(request)

    def _authenticate_by_signature(self, request: ApiRequest) -> Account:
        api_key = request.parameters.required(_KEY)
        return self._exchange.authenticate(api_key, request.parameters, request.signed_payload, request.signature)

    def _log_on(self, request: ApiRequest) -> dict[str, Any]:
        account = self._exchange.account(request.parameters.required(_KEY))
        if account.public_key is None:
            raise BinanceError(-4056, "HMAC_SHA256 API key is not supported.")
        self._account = self._authenticate_by_signature(request)
        self._authorized = self._exchange.now()
        return self._status(request)

    def _status(self, _: ApiRequest) -> dict[str, Any]:
        return {
            "apiKey": None if self._account is None else self._account.api_key,
            "authorizedSince": self._authorized,
            "connectedSince": self._connected,
            "returnRateLimits": self._tells_rate_limits,
            "serverTime": self._exchange.now(),
            "userDataStream": bool(self._subscriptions),
        }

    def _log_out(self, request: ApiRequest) -> dict[str, Any]:
        self._account = self._authorized = None
        for account_id, subscription in tuple(self._subscriptions.items()):
            if subscription.by_session:
                self._terminate(account_id)
        return self._status(request)

    def _list_subscriptions(self, _: ApiRequest) -> list[dict[str, int]]:
        return [{"subscriptionId": each.id} for each in self._subscriptions.values()]

    def _subscribe(self, _: ApiRequest) -> dict[str, int]:
        if self._account is None:
            raise errors.rejected_key()
        return self._listen_to(self._account, by_session=True)

    def _subscribe_signed(self, request: ApiRequest) -> dict[str, int]:
        return self._listen_to(self._authenticate_by_signature(request), by_session=False)

    def _listen_to(self, account: Account, *, by_session: bool) -> dict[str, int]:
        if account.account_id in self._subscriptions:
            raise BinanceError(-2035, "User Data Stream subscription already active.")
        subscription = _Subscription(self._next_subscription_id, by_session)
        self._next_subscription_id += 1
        self._subscriptions[account.account_id] = subscription
        self._streams.subscribe(account.account_id, self)
        return {"subscriptionId": subscription.id}

    def _unsubscribe(self, request: ApiRequest) -> dict[str, Any]:
        wanted = request.parameters.integer("subscriptionId")
        found = [account for account, each in self._subscriptions.items() if wanted in (None, each.id)]
        if not found:
            raise BinanceError(-2036, "User Data Stream subscription not active.")
        for account_id in found:
            self._terminate(account_id)
        return {}

    def _terminate(self, account_id: int) -> None:
        self._streams.unsubscribe(account_id, self)
        ended = events.stream_terminated(self._exchange.venue.clock.now_us(), self.time_unit)
        self._send(events.addressed(self._subscriptions[account_id].id, ended))
        del self._subscriptions[account_id]
