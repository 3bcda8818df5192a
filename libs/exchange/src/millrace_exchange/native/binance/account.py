"""How Binance's user data stream is asked for, and what its events mean.

Source: user-data-stream.md; web-socket-api.md, "Subscribe to User Data Stream through signature subscription".
"""

from collections.abc import Hashable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from millrace_core.actions import BALANCE, StreamAction
from millrace_core.decimals import number
from millrace_core.json_problems import UNREADABLE
from millrace_core.market import Balance, Balances, Trade
from millrace_core.orders import Order
from millrace_core.position import EXACT
from millrace_exchange.account_events import EVERYTHING, Listed, account_event_problem
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.conversion import order_of, trade_of
from millrace_exchange.native.dialect import (
    ConnectionRules,
    Ended,
    Endpoint,
    Event,
    Farewell,
    Notice,
    Other,
    Response,
    Topic,
    Unreadable,
)
from millrace_exchange.native.fills import OrderFills
from millrace_exchange.native.markets import is_of_margin
from millrace_exchange.refusals import limit_reports, socket_answer

# "A single connection to the API is only valid for 24 hours". One subscription serves the account.
RULES: Final = ConnectionRules(
    streams=1, streams_a_request=1, request_interval_s=0.0, connect_interval_s=1.0, lifetime_s=23.5 * 3600
)
_USER_DATA: Final = "user data"
_REPORT, _POSITION = "executionReport", "outboundAccountPosition"
_END: Final = "eventStreamTerminated"
_SHUTDOWN: Final = "serverShutdown"
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class AccountEvent(NamedTuple):
    """What happened to an account."""

    route: Hashable
    position: int
    data: dict[str, Any]
    """As the exchange sent it."""


class BinanceAccount:
    """The port `AccountDialect`."""

    def __init__(self, caller: CcxtCaller, rules: ConnectionRules = RULES) -> None:
        self.rules = rules
        self._ccxt = caller.ccxt

    def decode(self, frame: bytes) -> Event | Notice:
        """Return what a frame says."""
        return decode(frame, Listed(self._ccxt.markets_by_id or (), self._ccxt.currencies_by_id or ()))

    async def is_native(self) -> bool:
        """Tell whether it is the spot account: the stream of a margin account is another."""
        return not is_of_margin(self._ccxt.options)

    async def endpoint(self) -> Endpoint:
        """Return where to connect."""
        return Endpoint(str(self._ccxt.urls["api"]["ws"]["ws-api"]["spot"]))

    def request_group(self, stream: str) -> Hashable:
        """Return the same for all: there is one stream."""
        return None

    def subscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the signed request to begin the stream."""
        signed = self._ccxt.sign_params({})
        return msgspec.json.encode({"id": number, "method": "userDataStream.subscribe.signature", "params": signed})

    def unsubscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the request to end the stream."""
        return msgspec.json.encode({"id": number, "method": "userDataStream.unsubscribe"})

    def ping(self) -> None:
        """Return nothing: pings of WebSocket are answered."""

    def topic(self, action: StreamAction, market_id: str | None = None) -> Topic:
        """Return the user data stream and its events for an action."""
        return Topic(_USER_DATA, (_POSITION,) if action is BALANCE else (_REPORT, market_id))

    def time(self, event: AccountEvent) -> int | None:
        """Return the exchange's time of an event, ms."""
        return int(event.data["E"])

    def trade(self, event: AccountEvent) -> Trade | None:
        """Return the own trade of a report; None if it reports something else."""
        return trade_of(self._ccxt.parse_ws_trade(event.data)) if event.data["x"] == "TRADE" else None

    def balances(self, event: AccountEvent) -> Balances:
        """Return the balances that changed."""
        return {str(self._ccxt.safe_currency_code(held["a"])): _balance(held) for held in event.data["B"]}

    def orders(self) -> "BinanceOrders":
        """Return a reader of the orders in one market."""
        return BinanceOrders(self._ccxt)


class BinanceOrders:
    """The port `OrderReader`: a report has all of an order but the fees of its earlier fills."""

    def __init__(self, ccxt: Any) -> None:
        self._ccxt = ccxt
        self._fills = OrderFills()

    def order(self, event: AccountEvent) -> Order:
        """Return the order of a report as it is now."""
        data, order = event.data, order_of(self._ccxt.parse_ws_order(event.data))
        if data["x"] == "TRADE":
            currency = None if data["N"] is None else self._ccxt.safe_currency_code(data["N"])
            amount, cost, fee = Decimal(data["l"]), Decimal(data["Y"]), Decimal(data["n"] or 0)
            self._fills.add(order.id, str(data["t"]), amount, cost, currency, fee)
        order = msgspec.structs.replace(order, fees=self._fills.fees(order.id, order.filled))
        if order.is_final:
            self._fills.forget(order.id)
        return order


def decode(frame: bytes, listed: Listed = EVERYTHING) -> Event | Notice:
    """Return what a frame of the WebSocket API says."""
    try:
        content = _decode(frame)
    except UNREADABLE as error:
        return Unreadable(None, str(error))
    event = content.get("event")
    if (problem := account_event_problem("binance_spot", content, listed)) is not None:
        return Unreadable(_route(event), problem)
    if isinstance(event, dict):
        return _event(event)
    return _response(content) if isinstance(content.get("id"), int) else Other()


def _event(data: dict[str, Any]) -> Event | Notice:
    kind = data["e"]
    if kind == _REPORT:
        return AccountEvent(_route(data), data["I"], data)
    if kind == _POSITION:
        return AccountEvent(_route(data), int(data["u"]), data)
    if kind == _END:
        return Ended("the exchange ended the account's stream")
    return Farewell() if kind == _SHUTDOWN else Other()


def _route(event: Any) -> Hashable:
    """Return the route of an event, as far as it says; one that nothing has if it does not."""
    if not isinstance(event, dict) or event.get("e") not in (_REPORT, _POSITION):
        return None
    return (_POSITION,) if event["e"] == _POSITION else (_REPORT, str(event.get("s")))


def _response(content: dict[str, Any]) -> Response:
    error = content.get("error")
    code = str(error.get("code")) if isinstance(error, dict) else None
    refusal = None if error is None else f"{error.get('msg')} ({code})" if isinstance(error, dict) else str(error)
    return Response(content["id"], refusal, code, socket_answer(content), tuple(limit_reports(content)))


def _balance(held: dict[str, Any]) -> Balance:
    free, used = held["f"], held["l"]
    total = EXACT.add(Decimal(free), Decimal(used))
    return Balance(free=number(free), used=number(used), total=number(str(total)))
