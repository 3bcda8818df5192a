"""Routes the messages of streams to a strategy's runtime, with one callback for each stream."""

from collections.abc import Callable
from typing import Any, cast

import msgspec

from millrace_bus import FollowerStatus, Update, UpdateListener
from millrace_core.json_problems import UNREADABLE
from millrace_core.market import Trade
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import Response, Status
from millrace_core.names import ExchangeId, Symbol
from millrace_core.states import BalanceState, OrdersState, TradesState
from millrace_service import UnitHealthReporter
from millrace_strategy import Runtime, SubscribedStream


def stream_listener(
    stream: SubscribedStream, runtime: Runtime, on_status: Callable[[FollowerStatus], None]
) -> UpdateListener:
    """Return the listener of a stream; `on_status` is called with its first trusted status and each that follows."""
    forward = _forwarder(stream, runtime)
    last_status: FollowerStatus = "unknown"
    market: MarketTerms | None = None

    def listen(update: Update) -> None:
        nonlocal last_status, market
        if update.market is not market and update.market is not None and stream.symbol is not None:
            # Before the update itself, so that a strategy that decides on it knows the market's rules.
            market = update.market
            runtime.market(stream.exchange, stream.symbol, market)
        if update.kind == "untrusted":
            last_status = "unknown"
            runtime.status(stream.exchange, stream.action, stream.symbol, "untrusted")
            return
        if update.trusted and (update.status != last_status or update.kind == "snapshot"):
            # Not only with a status message: the next delta revives a stream that was dead.
            last_status = update.status
            on_status(last_status)
            _forward_status(stream, runtime, update)
        if update.kind != "status":
            forward(update)

    return listen


def counted(listen: UpdateListener, health: UnitHealthReporter) -> UpdateListener:
    """Return a listener that counts what a stream brings, and how long it took from its writer, and passes it on."""

    def listen_and_count(update: Update) -> None:
        health.count("messages")
        trace = update.trace
        if trace.delivered is not None and trace.published is not None:
            health.latency("published→delivered", trace.delivered - trace.published)
        if update.kind == "untrusted":
            health.count("gaps")
        listen(update)

    return listen_and_count


def answer_listener(runtime: Runtime, health: UnitHealthReporter) -> UpdateListener:
    """Return the listener of all streams of answers."""

    def listen(update: Update) -> None:
        if update.kind != "response":
            return
        try:
            response = msgspec.convert(update.data, Response)
        except UNREADABLE as error:
            health.error(f"{update.name} {update.id} is not an answer: {error}")
            return
        name, trace = update.name, update.trace
        if response.order_source == runtime.name:
            health.count(f"answers.{response.status}")
            if trace.sent is not None and trace.received is not None:
                health.latency("received→sent", trace.sent - trace.received)
        runtime.response(
            name.exchange, name.action, name.symbol, response, timestamp=update.timestamp, trace=update.trace
        )

    return listen


def _forward_status(stream: SubscribedStream, runtime: Runtime, update: Update) -> None:
    status = "live" if update.status == "unknown" else update.status
    reason = update.data.reason if isinstance(update.data, Status) else None
    runtime.status(stream.exchange, stream.action, stream.symbol, status, reason)


def _forwarder(stream: SubscribedStream, runtime: Runtime) -> UpdateListener:
    match stream.action:
        case "watchOrderBook":
            return _book_forwarder(stream, runtime)
        case "watchTrades":
            return _TradesForwarder(stream, runtime.trades, runtime.earlier_trades)
        case "watchMyTrades":
            return _TradesForwarder(stream, runtime.own_trades, runtime.earlier_own_trades)
        case "watchOrders":
            return _orders_forwarder(stream, runtime)
        case "watchBalance":
            return _balance_forwarder(stream, runtime)
    return _stream_forwarder(stream, runtime)


def _book_forwarder(stream: SubscribedStream, runtime: Runtime) -> UpdateListener:
    if stream.symbol is None:
        raise ValueError("an order book needs a symbol")
    take = runtime.book_taker(stream.exchange, stream.symbol)

    def forward(update: Update) -> None:
        if update.trusted:
            state: Any = update.state
            take(state.book, update.timestamp, update.trace)

    return forward


class _TradesForwarder:
    """Forwards each trade once, including trades that only a snapshot contains because a gap was repaired.

    Those of the first snapshot, from before the start, are forwarded apart.
    """

    def __init__(
        self,
        stream: SubscribedStream,
        forward: Callable[..., None],
        forward_earlier: Callable[[ExchangeId, Symbol, list[Trade]], None],
    ) -> None:
        if stream.symbol is None:
            raise ValueError("trades need a symbol")
        self._exchange, self._symbol = stream.exchange, stream.symbol
        self._forward, self._forward_earlier = forward, forward_earlier
        self._last: Trade | None = None
        self._is_following = False

    def __call__(self, update: Update) -> None:
        if update.kind == "delta":
            trades: list[Trade] = update.data.trades
        else:
            kept = list(cast("TradesState", update.state).trades)
            if not self._is_following:
                self._forward_earlier(self._exchange, self._symbol, kept)
            trades = unseen(kept, self._last) if self._is_following else []
            self._last = kept[-1] if kept else self._last
            self._is_following = True
        if trades:
            self._last = trades[-1]
            self._forward(self._exchange, self._symbol, trades, timestamp=update.timestamp, trace=update.trace)


def unseen(trades: list[Trade], last: Trade | None) -> list[Trade]:
    """Return those of the newest trades, oldest first, that came after the last one seen."""
    if last is None:
        return trades
    for index in range(len(trades) - 1, -1, -1):
        if trades[index] == last or (last.id is not None and trades[index].id == last.id):
            return trades[index + 1 :]
    # So many were missed that the last one seen is not among them: time decides, and a tie counts as new.
    return [trade for trade in trades if (trade.timestamp or 0) >= (last.timestamp or 0)]


def _orders_forwarder(stream: SubscribedStream, runtime: Runtime) -> UpdateListener:
    def forward(update: Update) -> None:
        if update.kind == "delta":
            runtime.account_orders(
                stream.exchange, stream.symbol, update.data.orders, timestamp=update.timestamp, trace=update.trace
            )
        else:
            orders = list(cast("OrdersState", update.state).open.values())
            runtime.open_orders(stream.exchange, stream.symbol, orders)

    return forward


def _balance_forwarder(stream: SubscribedStream, runtime: Runtime) -> UpdateListener:
    def forward(update: Update) -> None:
        balances = cast("BalanceState", update.state).balances
        changed = balances if update.data is None else update.data
        runtime.account_balances(stream.exchange, balances, changed, timestamp=update.timestamp, trace=update.trace)

    return forward


def _stream_forwarder(stream: SubscribedStream, runtime: Runtime) -> UpdateListener:
    def forward(update: Update) -> None:
        runtime.stream(
            stream.exchange,
            stream.action,
            stream.symbol,
            update.data,
            update.state,
            timestamp=update.timestamp,
            trace=update.trace,
        )

    return forward
