"""Runs a strategy without the platform: a test feeds it, inspects its requests, and advances its clock.

    harness = StrategyHarness(PingPong, configuration={"amount": 1}, books=[("binance", "KCS/USDT")])
    harness.start()
    harness.feed_book("binance", "KCS/USDT", bids=[(9.98, 5)], asks=[(10.02, 5)])
    order = harness.accept(harness.requests[-1])
    harness.fill(order, "1")
    harness.advance(2_000)

Everything happens within the call that causes it. Only hooks that are `async` need an event loop, and
`await harness.run_hooks()` lets them continue. An error in a hook is raised by the call that caused it.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import count
from types import MappingProxyType
from typing import Any

import msgspec

from millrace_core.book import OrderBook
from millrace_core.clock import NS_PER_MS
from millrace_core.config.magicbox import StrategyLimits
from millrace_core.market import Balance, Fee, Level, Trade
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import RequestError, Response, ResponseStatus, decimal_of, encode
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.orders import Order, OrderRecord
from millrace_core.requests import CreateOrder, OrderRequest, action_of, parse_request
from millrace_core.states import StreamState, state_of
from millrace_core.trace import Trace
from millrace_strategy.errors import StrategyFaulty
from millrace_strategy.orders import OrderReference, StrategyOrder
from millrace_strategy.positions import MY_TRADES
from millrace_strategy.record import SavedStrategy
from millrace_strategy.runtime import Runtime
from millrace_strategy.strategy import Strategy, read_configuration
from millrace_strategy.trader import Number
from millrace_strategy.views import ORDER_BOOK, SubscribedStream
from millrace_strategy.virtual_host import VirtualHost

_IDS_A_RUN = 1_000_000
_TURNS = 20
"""Turns of the loop after which an asynchronous hook counts as waiting."""


class HarnessRecord:
    """What a strategy under test keeps and plots."""

    def __init__(self, saved: SavedStrategy) -> None:
        self.state = saved.state
        """The state's document that was kept last."""
        self.plots: dict[str, list[tuple[int, float]]] = {}
        """By name, time in ms and value, oldest first."""

    def keep_state(self, document: bytes) -> None:
        """Keep this state from now on."""
        self.state = document

    def positions_changed(self) -> None:
        """Do nothing: `StrategyHarness.saved` asks for them."""

    def plot(self, name: str, at_ms: int, value: float) -> None:
        """Keep a value."""
        self.plots.setdefault(name, []).append((at_ms, value))


class StrategyHarness:
    """One strategy under test; `tolerate_errors` keeps a hook's errors in `errors` instead of raising them.

    `saved` is what an earlier run left, such as the `saved` of another harness; `run` then tells the ids of this run's
    requests, orders and trades from those of the earlier one. `markets` are the terms that exchanges state, by exchange
    and symbol.
    """

    def __init__(
        self,
        strategy: type[Strategy],
        *,
        configuration: dict[str, Any] | None = None,
        books: Sequence[tuple[str, str]] = (),
        streams: Sequence[SubscribedStream] = (),
        markets: Mapping[tuple[str, str], MarketTerms] = MappingProxyType({}),
        name: str | None = None,
        limits: StrategyLimits | None = None,
        tolerate_errors: bool = False,
        saved: SavedStrategy | None = None,
        run: int = 1,
    ) -> None:
        book_streams = [
            SubscribedStream(ExchangeId(exchange), Symbol(symbol), ORDER_BOOK) for exchange, symbol in books
        ]
        first = 1 + (run - 1) * _IDS_A_RUN
        self.host = VirtualHost(first_number=first)
        self.record = HarnessRecord(saved or SavedStrategy())
        self._tolerates_errors = tolerate_errors
        self.rolled_back: list[StrategyFaulty] = []
        """Why what took over failed, and the version before it came back."""
        self.runtime = Runtime(
            strategy,
            name=name or strategy.__name__,
            configuration=read_configuration(strategy.Configuration, configuration or {}),
            streams=(*book_streams, *streams),
            host=self.host,
            limits=limits,
            recorder=self.record,
        )
        if saved is not None:
            self.runtime.restore(saved)
        for (exchange, symbol), terms in markets.items():
            self.feed_market(exchange, symbol, terms)
        self._books: dict[tuple[str, str], OrderBook] = {}
        self._states: dict[tuple[str, str, str | None], StreamState] = {}
        self._streams = {(stream.exchange, stream.symbol, stream.action) for stream in streams}
        self._order_ids = count(first)
        self._trade_ids = count(first)

    @property
    def strategy(self) -> Any:
        """Return the strategy itself."""
        return self.runtime.strategy

    @property
    def requests(self) -> list[OrderRequest]:
        """Return all its requests, oldest first, as they would be written for the executor.

        Each is a `CreateOrder`, `CancelOrder`, `EditOrder` or `CancelAllOrders` with `exchange_id`, `request_id`,
        `requested_at` (ms), `valid_for` (ms), `trace` and the `payload` that `millrace_core.requests` defines. Ids and
        times are the same in every run.
        """
        return self.host.requests

    @property
    def saved(self) -> SavedStrategy:
        """Return what a later run would find."""
        return SavedStrategy(self.record.state, self.runtime.saved())

    @property
    def plots(self) -> dict[str, list[tuple[int, float]]]:
        """Return what it plotted: by name, time in ms and value."""
        return self.record.plots

    @property
    def errors(self) -> list[BaseException]:
        """Return the errors that its hooks raised."""
        return self.host.errors

    def start(self, orders: Iterable[OrderRecord] = ()) -> None:
        """Start it, with the orders of an earlier run."""
        self.runtime.start(orders)
        self._run_hooks_now()

    def replace(self, strategy: type[Strategy], configuration: dict[str, Any] | None = None) -> None:
        """Let changed code, or changed settings, take over."""
        settings = read_configuration(strategy.Configuration, configuration or {})
        self.runtime.replace(strategy, settings, rolled_back=self.rolled_back.append)
        self._run_hooks_now()

    def stop(self) -> None:
        """Stop it."""
        self.runtime.stop()
        self._run_hooks_now()

    def advance(self, ms: float) -> None:
        """Let time pass."""
        self.host.advance(ms)
        self._run_hooks_now()

    def feed_book(
        self,
        exchange: str,
        symbol: str,
        *,
        bids: Sequence[Level] = (),
        asks: Sequence[Level] = (),
        trace: Trace | None = None,
    ) -> None:
        """Set an order book."""
        book = self._books.setdefault((exchange, symbol), OrderBook())
        book.replace(bids, asks, None)
        take = self.runtime.book_taker(ExchangeId(exchange), Symbol(symbol))
        take(book, self._now_ms(), trace or Trace(delivered=self.host.now_ns()))
        self._run_hooks_now()

    def feed_market(self, exchange: str, symbol: str, terms: MarketTerms) -> None:
        """Set the terms of a market, such as its tick and its least sizes."""
        self.runtime.market(ExchangeId(exchange), Symbol(symbol), terms)

    def feed_trades(self, exchange: str, symbol: str, trades: list[Trade]) -> None:
        """Feed trades on the market."""
        self.runtime.trades(ExchangeId(exchange), Symbol(symbol), trades, timestamp=self._now_ms())
        self._run_hooks_now()

    def feed_own_trades(self, exchange: str, symbol: str, trades: list[Trade]) -> None:
        """Feed the account's own trades, of whatever source."""
        self.runtime.own_trades(ExchangeId(exchange), Symbol(symbol), trades, timestamp=self._now_ms())
        self._run_hooks_now()

    def feed_stream(self, exchange: str, action: str, symbol: str | None, data: Any) -> None:
        """Feed any other stream's delta, of `millrace_core.market`: candles, fields of a ticker, and so on."""
        state = self._states.setdefault((exchange, action, symbol), state_of(Action(action)))
        decoded = state.apply(msgspec.Raw(encode(data)))
        known = None if symbol is None else Symbol(symbol)
        self.runtime.stream(ExchangeId(exchange), Action(action), known, decoded, state, timestamp=self._now_ms())
        self._run_hooks_now()

    def feed_status(self, exchange: str, action: str, symbol: str | None, status: str) -> None:
        """Set a stream's status: `live`, `stale`, `closed` or `untrusted`."""
        known = None if symbol is None else Symbol(symbol)
        self.runtime.status(ExchangeId(exchange), Action(action), known, status)
        self._run_hooks_now()

    def feed_balances(self, exchange: str, balances: dict[str, Balance]) -> None:
        """Set the account's balances."""
        self.runtime.account_balances(ExchangeId(exchange), balances, balances, timestamp=self._now_ms())
        self._run_hooks_now()

    def feed_order(self, exchange: str, order: Order) -> None:
        """Feed an order of the account, of whatever source."""
        self.runtime.account_orders(ExchangeId(exchange), None, [order], timestamp=self._now_ms())
        self._run_hooks_now()

    def answer(
        self,
        request: OrderRequest,
        status: ResponseStatus,
        *,
        order: Order | None = None,
        error: RequestError | None = None,
    ) -> None:
        """Answer a request."""
        symbol = request.payload.symbol
        self.runtime.response(
            ExchangeId(request.exchange_id or ""),
            Action(action_of(request)),
            None if symbol is None else Symbol(symbol),
            Response(
                request_id=request.request_id or "",
                status=status,
                order=order,
                order_source=request.payload.order_source,
                error=error,
            ),
        )
        self._run_hooks_now()

    def accept(self, request: OrderRequest) -> StrategyOrder:
        """Answer a request to create an order with `done`, and return the open order.

        Raises:
            MalformedRequest: every executor refuses such a request; its text names each mistake.
        """
        if not isinstance(request, CreateOrder):
            raise TypeError(f"only a CreateOrder makes an order, not {request!r}")
        parse_request(encode(request))
        wanted = request.payload
        order = Order(
            id=f"order-{next(self._order_ids)}",
            symbol=wanted.symbol,
            client_order_id=request.request_id,
            timestamp=self._now_ms(),
            type=wanted.type,
            side=wanted.side,
            price=wanted.price,
            amount=wanted.amount_base,
            filled=Decimal(0),
            remaining=wanted.amount_base,
            status="open",
        )
        self.answer(request, "done", order=order)
        return self.runtime.orders[request.exchange_id or "", wanted.symbol, order.id]

    def reject(self, request: OrderRequest, kind: str = "InvalidOrder", message: str = "refused by the test") -> None:
        """Answer a request with `rejected`."""
        self.answer(request, "rejected", error=RequestError(kind, message))

    def fill(
        self, order: OrderReference, amount: Number, *, price: Number | None = None, fee: Fee | None = None
    ) -> StrategyOrder:
        """Fill this much more of the strategy's order, at its own price or another; return the order after it.

        A strategy that follows the market's `watchMyTrades` gets the own trade too; only that has the fee.

        Raises:
            ValueError: the order has less left than that, or it is not above 0.
        """
        now, more = self.runtime.orders[order], decimal_of(amount) or Decimal(0)
        at = decimal_of(price) if price is not None else now.price
        filled = (now.filled or Decimal(0)) + more
        if more <= 0 or (now.amount is not None and filled > now.amount):
            raise ValueError(f"{amount} cannot be filled of an order of {now.amount}, of which {now.filled} are filled")
        cost = None if at is None else (now.cost or Decimal(0)) + more * at
        changed = self._change(order, filled=filled, cost=cost, status="closed" if filled == now.amount else now.status)
        if at is not None and (now.exchange, now.symbol, MY_TRADES) in self._streams:
            self.feed_own_trades(now.exchange, now.symbol, [self._own_trade(now, at, more, fee)])
        return changed

    def _own_trade(self, order: StrategyOrder, price: Decimal, amount: Decimal, fee: Fee | None) -> Trade:
        number = str(next(self._trade_ids))
        return Trade(
            number, self._now_ms(), order.symbol, order.side, float(price), float(amount), order=order.id, fee=fee
        )

    def cancel(self, order: OrderReference) -> StrategyOrder:
        """Cancel the strategy's order on the exchange, and return the order after it."""
        return self._change(order, status="canceled")

    async def run_hooks(self) -> None:
        """Let asynchronous hooks run until they have returned or wait for something."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
            self.host.run()
        self._run_hooks_now()

    def _change(self, order: OrderReference, **fields: Any) -> StrategyOrder:
        now = self.runtime.orders[order]
        known = {name: getattr(now, name) for name in Order.__struct_fields__}
        self.feed_order(now.exchange, Order(**{**known, "last_update_timestamp": self._now_ms(), **fields}))
        return self.runtime.orders[order]

    def _run_hooks_now(self) -> None:
        self.host.run()
        if self.host.errors and not self._tolerates_errors:
            raise self.host.errors.pop()

    def _now_ms(self) -> int:
        return self.host.now_ns() // NS_PER_MS
