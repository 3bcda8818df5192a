"""One strategy in a backtest: the class, the runtime and the listeners that magicbox runs live."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from millrace_backtest.errors import StrategyNotMade
from millrace_backtest.host import BacktestHost
from millrace_backtest.strategy_log import strategy_log
from millrace_backtest.timeline import Timeline
from millrace_bus import Update
from millrace_core.config.magicbox import StrategyLimits
from millrace_core.ids import RequestId
from millrace_core.market import Balances, Trade, TradesDelta
from millrace_core.messages import Response
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import OrderRecord
from millrace_core.requests import OrderRequest
from millrace_core.states import TradesState
from millrace_magicbox.routing import stream_listener
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_strategy import Runtime, Strategy, SubscribedStream, read_configuration

LONG_NS = 10_000_000_000
"""Longer than a hook should hold up other events."""
MY_TRADES = Action("watchMyTrades")
ORDERS = Action("watchOrders")
OF_ACCOUNTS = frozenset({"watchOrders", "watchMyTrades", "watchBalance", "watchPositions"})
"""Streams of an account: what is recorded of them is what happened when it was recorded."""


@dataclass(frozen=True, kw_only=True)
class BacktestedStrategy:
    """A strategy to run."""

    strategy: type[Strategy]
    tenant: Tenant
    name: str
    """The source that its orders carry."""
    configuration: dict[str, Any] = field(default_factory=dict)
    streams: tuple[SubscribedStream, ...] = ()
    limits: StrategyLimits = field(default_factory=StrategyLimits)

    @property
    def followed(self) -> tuple[SubscribedStream, ...]:
        """Return the streams that magicbox would follow for it: as it does, own orders of each symbol too."""
        own = (SubscribedStream(each.exchange, each.symbol, ORDERS) for each in self.streams if each.symbol is not None)
        return tuple(dict.fromkeys((*self.streams, *own)))

    def stream_name(self, stream: SubscribedStream) -> StreamName:
        """Return the name of a subscribed stream."""
        return StreamName(PUBLIC if stream.is_public else self.tenant, stream.exchange, stream.action, stream.symbol)


class StrategyRun:
    """Runs one strategy on a timeline; hears from modelled exchanges as a `Listener`."""

    def __init__(
        self,
        plan: BacktestedStrategy,
        timeline: Timeline,
        hooks: set[asyncio.Task[None]],
        *,
        new_request_id: Callable[[], RequestId],
        send: Callable[["StrategyRun", OrderRequest], None],
    ) -> None:
        self.plan = plan
        self.host = BacktestHost(
            timeline,
            hooks,
            new_request_id=new_request_id,
            send=lambda request: send(self, request),
        )
        self._health = UnitHealthReporter(plan.name, changed=lambda: None, errors=ErrorLog())
        settings = read_configuration(plan.strategy.Configuration, plan.configuration)
        try:
            self.runtime = Runtime(
                plan.strategy,
                name=plan.name,
                configuration=settings,
                streams=plan.streams,
                host=self.host,
                limits=plan.limits,
                log=strategy_log(plan.name, lambda: timeline.now_ns),
            )
        except Exception as error:
            raise StrategyNotMade(plan.name, error) from error
        self.requests: list[OrderRequest] = []
        """What it asked for, oldest first."""
        self._timeline = timeline
        self._own_trades: dict[Symbol, TradesState] = {}

    def listener(self, stream: SubscribedStream) -> Callable[[Update], None]:
        """Return what magicbox lets listen to a stream for the strategy."""
        return stream_listener(stream, self.runtime, lambda _status: None)

    def expected_price(self, request: OrderRequest) -> Decimal | None:
        """Return the best price of the side that an order would take from, as the strategy sees it; None without."""
        exchange, symbol = request.exchange_id or "", request.payload.symbol or ""
        if (exchange, symbol) not in self.runtime.books:
            return None
        book = self.runtime.books[exchange, symbol]
        best = book.best_ask if getattr(request.payload, "side", None) == "buy" else book.best_bid
        return None if best is None else Decimal(repr(best[0]))

    def note_unfinished(self) -> None:
        """Keep what a hook waits for now, if for long: live that is an error of its heartbeat."""
        unfinished = self.runtime.unfinished
        if unfinished is not None and unfinished[1] >= LONG_NS:
            event, ns = unfinished
            waits = f"its hook for a {type(event).__name__} had waited for {ns / 1e9:,.0f} s"
            self.host.unfinished = f"{waits}, and {self.runtime.waiting:,} events for its end"

    def answered(self, exchange: ExchangeId, action: Action, symbol: Symbol | None, response: Response) -> None:
        """Take an answer of a modelled exchange."""
        self.runtime.response(exchange, action, symbol, response, timestamp=self._now_ms())
        self._timeline.settle()

    def order_changed(self, record: OrderRecord) -> None:
        """Take a report about an order on a modelled exchange."""
        self.runtime.order_found(record, timestamp=self._now_ms())
        self._timeline.settle()

    def balances_changed(self, exchange: ExchangeId, balances: Balances, changed: Balances) -> None:
        """Take the balances of an account on a modelled exchange."""
        self.runtime.account_balances(exchange, balances, changed, timestamp=self._now_ms())
        self._timeline.settle()

    def traded(self, exchange: ExchangeId, symbol: Symbol, trade: Trade) -> None:
        """Take an own trade on a modelled exchange."""
        if not any(
            (each.exchange, each.symbol, each.action) == (exchange, symbol, MY_TRADES) for each in self.plan.streams
        ):
            return
        state = self._own_trades.setdefault(symbol, TradesState())
        state.trades.append(trade)
        delta = TradesDelta([trade])
        self.runtime.stream(exchange, MY_TRADES, symbol, delta, state, timestamp=self._now_ms())
        self._timeline.settle()

    def _now_ms(self) -> int:
        return self._timeline.now_ns // 1_000_000
