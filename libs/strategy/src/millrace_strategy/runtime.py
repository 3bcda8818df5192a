"""One running strategy: how updates become its state and its events.

State comes first: an update shows in `books`, `orders` and `balances` at once, even while a slow hook runs; its event
waits for its turn.
"""

from collections.abc import Callable, Iterable
from typing import Any

import structlog

from millrace_core.book import OrderBook
from millrace_core.clock import NS_PER_MS
from millrace_core.config.magicbox import StrategyLimits
from millrace_core.json_problems import UNREADABLE
from millrace_core.market import Balances, Candle, Trade
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.orders import Order, OrderRecord
from millrace_core.requests import OrderRequest
from millrace_core.trace import NO_TRACE, Trace
from millrace_strategy.errors import SavedRecordBroken
from millrace_strategy.events import (
    BalanceEvent,
    BookEvent,
    CandlesEvent,
    Event,
    OwnTradesEvent,
    ResponseEvent,
    StartEvent,
    StatusEvent,
    StopEvent,
    TimerEvent,
    TradesEvent,
)
from millrace_strategy.host import Host
from millrace_strategy.market_history import CANDLES, MarketCandles, MarketTrades
from millrace_strategy.markets import Markets
from millrace_strategy.order_reports import OrderReports
from millrace_strategy.orders import StrategyOrders
from millrace_strategy.positions import MY_TRADES, StrategyPositions
from millrace_strategy.record import NothingKept, Recorder, SavedStrategy
from millrace_strategy.state import StrategyState
from millrace_strategy.strategy import Context, Strategy
from millrace_strategy.stream_events import stream_events
from millrace_strategy.succession import OnRolledBack, Succession, Tools
from millrace_strategy.timers import StrategyClock, Timer, Timers
from millrace_strategy.trader import Trader
from millrace_strategy.views import ORDER_BOOK, AccountBalances, Books, SubscribedStream


class Runtime:
    """Runs one strategy in a host, which calls the method named for what happened.

    Updates before `start` change the state only, without events.
    """

    def __init__(
        self,
        strategy: type[Strategy],
        *,
        name: str,
        configuration: Any,
        streams: tuple[SubscribedStream, ...],
        host: Host,
        limits: StrategyLimits | None = None,
        log: Any = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.name = name
        self.books = Books(streams)
        self.markets = Markets()
        self.orders = StrategyOrders(name)
        self.balances = AccountBalances()
        self.positions = StrategyPositions(streams, self.orders)
        self.recent_trades = MarketTrades(streams)
        self.candles = MarketCandles(streams, self.recent_trades, self._now_ms)
        self._state = StrategyState()
        self._recorder: Recorder = recorder or NothingKept()
        self._host = host
        self._streams = streams
        self._log = structlog.get_logger(name).bind(strategy=name) if log is None else log
        self._status: dict[tuple[ExchangeId, Action, Symbol | None], str] = {}
        self._reports = OrderReports(
            self.orders, self.positions, host, offer=self._offer, counted=self._recorder.positions_changed
        )
        self._instances = Succession(
            host,
            limits or StrategyLimits(),
            self._state,
            tools=self._tools,
            build=self._build,
            handled=self._keep_state,
            ended=host.ended,
        )
        self._instances.first(strategy, configuration)

    @property
    def strategy(self) -> Strategy:
        """Return the instance that takes events."""
        return self._instances.present.strategy

    @property
    def trader(self) -> Trader:
        """Return what sends that instance's requests."""
        return self._instances.present.tools.trader

    @property
    def is_replacing(self) -> bool:
        """Tell whether a replaced instance has not ended yet."""
        return self._instances.is_replacing

    def replace(
        self,
        strategy: type[Strategy],
        configuration: Any,
        *,
        took_over: Callable[[], None] = lambda: None,
        rolled_back: OnRolledBack,
    ) -> None:
        """Let another instance take over: of changed code, or with changed settings. It must be running.

        Events that wait go to the new instance; `took_over` is called when it begins. If it fails in its first minute,
        the present code and settings come back, with the state of this moment, and `rolled_back` is called with the
        reason. What the constructor raises is raised, and nothing changes.
        """
        self._instances.replace(strategy, configuration, took_over=took_over, rolled_back=rolled_back)

    def cut_off(self) -> None:
        """Go on without a replaced instance whose hook did not return and was cancelled."""
        self._instances.cut_off()

    @property
    def is_idle(self) -> bool:
        """Tell whether no hook runs and no event waits."""
        return self._instances.present.dispatcher.is_idle

    @property
    def waiting(self) -> int:
        """Return how many events wait for a hook to return."""
        return self._instances.present.dispatcher.waiting

    @property
    def unfinished(self) -> tuple[Event, int] | None:
        """Return the event whose hook waits for something, and for how long in ns; None if there is none."""
        return self._instances.present.dispatcher.unfinished

    def restore(self, saved: SavedStrategy) -> None:
        """Take over what an earlier run left; called before `start`.

        Raises:
            SavedRecordBroken: it cannot be read.
        """
        try:
            if saved.state is not None:
                self._state.restore(saved.state)
            if saved.positions is not None:
                self.positions.restore(saved.positions)
        except UNREADABLE as error:
            raise SavedRecordBroken(f"what an earlier run of {self.name} kept cannot be read: {error}") from error

    def start(self, orders: Iterable[OrderRecord] = ()) -> None:
        """Start, with these orders of earlier runs known, oldest first; those of other sources are left out.

        What they have filled and no earlier run has counted is in the positions, and is no event.
        """
        for record in orders:
            self._reports.earlier(record)
        self._instances.present.dispatcher.start(StartEvent(timestamp=self._now_ms()))

    def stop(self) -> None:
        """Stop the strategy once a running hook has returned; then call the host's `ended`."""
        self._instances.present.dispatcher.stop(StopEvent(timestamp=self._now_ms()))

    def market(self, exchange: ExchangeId, symbol: Symbol, terms: MarketTerms) -> None:
        """Take the terms of a market, which are no event: the strategy reads them when it decides."""
        self.markets.show(exchange, symbol, terms)

    def book_taker(self, exchange: ExchangeId, symbol: Symbol) -> Callable[[OrderBook, int | None, Trace], None]:
        """Return what takes a market's verified order book each time that it changed, with timestamp and trace."""
        local, instances = self.books[exchange, symbol], self._instances

        def take(book: OrderBook, timestamp: int | None, trace: Trace) -> None:
            local.show(book, timestamp)
            event = BookEvent(exchange=exchange, symbol=symbol, book=local, timestamp=timestamp, trace=trace)
            instances.present.dispatcher.offer(event)

        return take

    def trades(
        self,
        exchange: ExchangeId,
        symbol: Symbol,
        trades: list[Trade],
        *,
        timestamp: int | None,
        trace: Trace = NO_TRACE,
    ) -> None:
        """Take trades on the market."""
        built = self._learn_trades(exchange, symbol, trades)
        self._offer(TradesEvent(exchange=exchange, symbol=symbol, trades=trades, timestamp=timestamp, trace=trace))
        for timeframe, candles in built:
            about: dict[str, Any] = {"exchange": exchange, "symbol": symbol, "timestamp": timestamp, "trace": trace}
            self._offer(CandlesEvent(timeframe=timeframe, candles=candles, **about))

    def earlier_trades(self, exchange: ExchangeId, symbol: Symbol, trades: list[Trade]) -> None:
        """Take trades on the market from before the start, which are no event."""
        self._learn_trades(exchange, symbol, trades)

    def own_trades(
        self,
        exchange: ExchangeId,
        symbol: Symbol,
        trades: list[Trade],
        *,
        timestamp: int | None,
        trace: Trace = NO_TRACE,
    ) -> None:
        """Take the account's own trades."""
        about: dict[str, Any] = {"exchange": exchange, "symbol": symbol, "timestamp": timestamp, "trace": trace}
        fills = self._reports.own_trades(exchange, symbol, trades)
        self._offer(OwnTradesEvent(trades=trades, **about))
        self._reports.offer_fills(fills, trace)

    def earlier_own_trades(self, exchange: ExchangeId, symbol: Symbol, trades: list[Trade]) -> None:
        """Take own trades from before the start: only fills among them that no run has counted are events."""
        self._reports.offer_fills(self._reports.own_trades(exchange, symbol, trades), NO_TRACE)

    def account_orders(
        self,
        exchange: ExchangeId,
        symbol: Symbol | None,
        orders: Iterable[Order],
        *,
        timestamp: int | None,
        trace: Trace = NO_TRACE,
    ) -> None:
        """Take orders that changed, of the account or of one symbol, of whatever source."""
        self._reports.of_account(exchange, symbol, orders, timestamp, trace)

    def open_orders(self, exchange: ExchangeId, symbol: Symbol | None, orders: Iterable[Order]) -> None:
        """Take all open orders of the account, or of one symbol; others that we know as open are looked up."""
        self._reports.all_open(exchange, symbol, orders)

    def order_found(self, record: OrderRecord, *, timestamp: int | None = None, trace: Trace = NO_TRACE) -> None:
        """Take a report about an order; it is looked up if its source is not known yet."""
        self._reports.found(record, timestamp, trace)

    def account_balances(
        self,
        exchange: ExchangeId,
        balances: Balances,
        changed: Balances,
        *,
        timestamp: int | None,
        trace: Trace = NO_TRACE,
    ) -> None:
        """Take the account's balances."""
        self.balances.show(exchange, balances)
        self._offer(BalanceEvent(exchange=exchange, changed=changed, timestamp=timestamp, trace=trace))

    def response(
        self,
        exchange: ExchangeId,
        action: Action,
        symbol: Symbol | None,
        response: Response,
        *,
        timestamp: int | None = None,
        trace: Trace = NO_TRACE,
    ) -> None:
        """Take an answer to a request of the tenant; those of other sources matter only if they changed our orders."""
        pending = self.trader.answer(response)
        changes = self._reports.answered(exchange, action, symbol, response)
        if pending is not None and pending.is_final:
            self.orders.forget_request(response.request_id)
        if pending is not None or response.order_source == self.name:
            event = ResponseEvent(
                exchange=exchange, action=action, symbol=symbol, response=response, timestamp=timestamp, trace=trace
            )
            self._offer(event)
        self._reports.offer_changes(changes, timestamp)

    def status(
        self, exchange: ExchangeId, action: Action, symbol: Symbol | None, status: str, reason: str | None = None
    ) -> None:
        """Take a stream's status: its writer's, or `untrusted` from our reader. Repeating it is no event."""
        key = (exchange, action, symbol)
        if action == ORDER_BOOK and symbol is not None:
            self.books[exchange, symbol].take_status(status)
        if self._status.get(key, "live") == status:
            return
        self._status[key] = status
        self._offer(StatusEvent(exchange=exchange, action=action, symbol=symbol, status=status, reason=reason))

    def stream(
        self,
        exchange: ExchangeId,
        action: Action,
        symbol: Symbol | None,
        data: Any,
        state: Any,
        *,
        timestamp: int | None,
        trace: Trace = NO_TRACE,
    ) -> None:
        """Take an update of any other stream: its data of `millrace_core.market`, and its state.

        Without data, as after a gap, the event says everything that the state holds.
        """
        about: dict[str, Any] = {"exchange": exchange, "timestamp": timestamp, "trace": trace}
        if action == MY_TRADES and symbol is not None:
            self.own_trades(exchange, symbol, [] if data is None else data.trades, timestamp=timestamp, trace=trace)
            return
        if action == CANDLES and symbol is not None:
            self.candles.show(exchange, symbol, state.timeframes)
        for event in stream_events(action, symbol, data, state, about):
            self._offer(event)

    def saved(self) -> bytes:
        """Return the positions as they are kept over a restart."""
        return self.positions.saved()

    def _learn_trades(
        self, exchange: ExchangeId, symbol: Symbol, trades: list[Trade]
    ) -> list[tuple[str, list[Candle]]]:
        """Add market trades to what is known of them; return the candles that are built from them and changed."""
        recent = self.recent_trades.get((exchange, symbol))
        if recent is not None:
            recent.add(trades)
        return self.candles.build(exchange, symbol, trades)

    def _offer(self, event: Event) -> None:
        self._instances.present.dispatcher.offer(event)

    def _send(self, request: OrderRequest) -> None:
        self.orders.expect(request)
        self._host.send(request)

    def _timer_due(self, timer: Timer, due_ms: int) -> None:
        self._offer(TimerEvent(name=timer.name, due_ms=due_ms, timer=timer, timestamp=due_ms))

    def _plot(self, name: str, value: float) -> None:
        self._recorder.plot(name, self._now_ms(), value)

    def _keep_state(self) -> None:
        # Called after every event.
        if self._state.is_changed and (document := self._state.changed()) is not None:
            self._recorder.keep_state(document)

    def _tools(self) -> Tools:
        host = self._host
        trader = Trader(
            self.name,
            now_ns=host.now_ns,
            call_later=host.call_later,
            new_request_id=host.new_request_id,
            send=self._send,
        )
        return Tools(trader, Timers(now_ns=host.now_ns, call_later=host.call_later, fire=self._timer_due))

    def _build(self, strategy: type[Strategy], configuration: Any, tools: Tools) -> Strategy:
        return strategy(
            Context(
                name=self.name,
                configuration=configuration,
                streams=self._streams,
                books=self.books,
                markets=self.markets,
                orders=self.orders,
                balances=self.balances,
                positions=self.positions,
                trades=self.recent_trades,
                candles=self.candles,
                state=self._state,
                plot=self._plot,
                trader=tools.trader,
                timers=tools.timers,
                clock=StrategyClock(self._host.now_ns, self._host.call_later),
                log=self._log,
            )
        )

    def _now_ms(self) -> int:
        return self._host.now_ns() // NS_PER_MS
