"""The exchanges of a backtest: they take requests to trade, and report what becomes of them, each after its latency.

An exchange stands where the recorder stood: an order meets the book as it had arrived by then. So the time of a message
from the exchange to the recorder belongs to the latency.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import count

from millrace_backtest.exchange.account import InsufficientFunds, ModelledAccount
from millrace_backtest.exchange.fees import ANY_EXCHANGE, Charged, FeeRates
from millrace_backtest.exchange.latency import Latency
from millrace_backtest.exchange.market import OWNER, RecordedMarket
from millrace_backtest.exchange.orders import ModelledOrder, OwnFill
from millrace_backtest.exchange.rejections import (
    Rejection,
    check,
    check_edit,
    check_form,
    engine_order,
    order_of,
    rejection_of,
)
from millrace_backtest.exchange.reports import Reports
from millrace_backtest.exchange.units import PLACES, budget_units, decimal, units
from millrace_backtest.timeline import Timeline
from millrace_core.market import Fee as TradeFee
from millrace_core.market import Trade
from millrace_core.messages import RequestError, Response
from millrace_core.names import Action, ExchangeId, Symbol, Tenant
from millrace_core.position import EXACT, Fee, plain
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, EditOrder, OrderRequest, action_of
from millrace_matching import Event, Expired, Side, Traded
from millrace_matching.errors import MatchingError

MarketKey = tuple[Tenant, ExchangeId, Symbol]
PriceOf = Callable[[ExchangeId, str, str], Decimal | None]
"""Returns the price of one unit of a currency in another one on an exchange; None where it is not known."""


class ExchangeModel:
    """All accounts on all exchanges of a backtest."""

    def __init__(
        self,
        timeline: Timeline,
        latency: Latency,
        fees: Mapping[str, FeeRates],
        balances: Callable[[Tenant, ExchangeId], Mapping[str, Decimal] | None],
        price_of: PriceOf,
        on_fill: Callable[[OwnFill], None],
    ) -> None:
        self._timeline, self._latency, self._fees = timeline, latency, fees
        self._initial, self._price_of, self._on_fill = balances, price_of, on_fill
        self._markets: dict[MarketKey, RecordedMarket] = {}
        self._accounts: dict[tuple[Tenant, ExchangeId], ModelledAccount] = {}
        self.reports = Reports(timeline)
        self._orders: dict[int, ModelledOrder] = {}
        """The open ones."""
        self._numbers = count(1)
        self.under_way = 0
        """Requests that have not arrived yet."""

    @property
    def open_orders(self) -> Sequence[ModelledOrder]:
        """Return the orders that are open, oldest first."""
        return list(self._orders.values())

    def market(self, tenant: Tenant, exchange: ExchangeId, symbol: Symbol) -> RecordedMarket:
        """Return the market in which an account's orders of a symbol meet the recording."""
        key = tenant, exchange, symbol
        if key not in self._markets:
            self._markets[key] = RecordedMarket()
        return self._markets[key]

    def account(self, tenant: Tenant, exchange: ExchangeId) -> ModelledAccount:
        """Return what an account holds."""
        key = tenant, exchange
        if key not in self._accounts:
            self._accounts[key] = ModelledAccount(self._initial(tenant, exchange))
        return self._accounts[key]

    def send(self, tenant: Tenant, request: OrderRequest, expected: Decimal | None) -> None:
        """Take a request that a strategy sends now; `expected` is the price that it saw."""
        now = self._timeline.now_ns
        times = self._latency.request(tenant, request.payload.order_source or "", now)
        self.under_way += 1
        self._timeline.at(times.arrives_ns, lambda: self._arrived(tenant, request, expected, times.answered_ns))

    def happened(self, market: RecordedMarket, events: Sequence[Event]) -> None:
        """Take what the recorded market did to orders."""
        for order in self._apply(market, events):
            self._report(order)

    def _arrived(self, tenant: Tenant, request: OrderRequest, expected: Decimal | None, answered_ns: int) -> None:
        exchange = ExchangeId(request.exchange_id or "")
        symbol = None if request.payload.symbol is None else Symbol(request.payload.symbol)
        source, orders = request.payload.order_source, list[ModelledOrder]()
        self.under_way -= 1
        try:
            check_form(request)
            orders = list(self._carry_out(tenant, exchange, request, expected))
            fault = None
        except Rejection as rejection:
            fault = RequestError(rejection.kind, str(rejection))
        first = orders[0].reported() if orders else None
        is_sweep = isinstance(request, CancelAllOrders)
        response = Response(
            request_id=request.request_id or "",
            status="done" if fault is None else "rejected",
            order=None if is_sweep else first,
            order_source=source,
            error=fault,
            orders=[order.reported() for order in orders] if is_sweep else None,
        )
        action = Action(action_of(request))
        self.reports.answer(tenant, answered_ns, lambda each: each.answered(exchange, action, symbol, response))
        for order in orders:
            self._report(order)

    def _carry_out(
        self, tenant: Tenant, exchange: ExchangeId, request: OrderRequest, expected: Decimal | None
    ) -> Iterator[ModelledOrder]:
        """Carry a request out; return the order that it concerns first, then others that it changed.

        Raises:
            Rejection: nothing was done.
        """
        match request:
            case CreateOrder():
                yield from self._create(
                    order_of(tenant, request, next(self._numbers), self._timeline.now_ns), request, expected
                )
            case CancelOrder():
                yield self._cancel(self._found(tenant, exchange, request.payload))
            case EditOrder():
                yield from self._edit(self._found(tenant, exchange, request.payload), request)
            case CancelAllOrders():
                symbol = request.payload.symbol
                for order in self.open_orders:
                    if (order.tenant, order.exchange) == (tenant, exchange) and symbol in (None, order.symbol):
                        yield self._cancel(order)

    def _create(self, order: ModelledOrder, request: CreateOrder, expected: Decimal | None) -> Iterator[ModelledOrder]:
        market = self._market_of(order)
        order.expected = order.price if expected is None else expected
        check(market.terms, request.payload, _best(market, order))
        if request.payload.amount_quote is not None:
            order.amount = self._bought_for(market, order, request.payload.amount_quote)
        yield from self._place(market, order)

    def _place(self, market: RecordedMarket, order: ModelledOrder) -> Iterator[ModelledOrder]:
        """Let an order meet the market; return it first, then others that it changed."""
        account = self.account(order.tenant, order.exchange)
        price = order.price or order.trigger_price
        try:
            if price is not None:
                account.reserve(order, price)
            elif account.is_limited:
                self._reserve_for_market(market, account, order)
        except InsufficientFunds as fault:
            raise Rejection("InsufficientFunds", str(fault)) from fault
        self._orders[order.number] = order
        try:
            events = market.submit(engine_order(order, OWNER))
        except (MatchingError, ValueError) as fault:
            del self._orders[order.number]
            account.release(order)
            raise rejection_of(fault) from fault
        others = [each for each in self._apply(market, events) if each is not order]
        yield order
        yield from others

    def _reserve_for_market(self, market: RecordedMarket, account: ModelledAccount, order: ModelledOrder) -> None:
        best = _best(market, order)
        if best is not None:
            account.reserve(order, best)

    def _bought_for(self, market: RecordedMarket, order: ModelledOrder, money: Decimal) -> Decimal:
        """Return the amount that a market order gets for an amount of money, in the lots that the book shows."""
        found = market.available(Side.BUY if order.is_buy else Side.SELL, budget_units(money))
        step = None if market.terms is None else market.terms.amount_step
        amount = decimal(found - found % (10 ** (PLACES - _lot_places(market)) if step is None else units(step)))
        if not amount:
            raise Rejection("InvalidOrder", f"{plain(money)} buys nothing: less than a lot, or an empty book")
        return amount

    def _cancel(self, order: ModelledOrder) -> ModelledOrder:
        self._market_of(order).cancel(order.number)
        self._end(order, "canceled")
        return order

    def _edit(self, order: ModelledOrder, request: EditOrder) -> Iterator[ModelledOrder]:
        """Change an order's terms: one that only becomes smaller keeps its place, any other goes to the end."""
        wanted, market = request.payload, self._market_of(order)
        amount = order.amount if wanted.amount_base is None else wanted.amount_base
        if amount <= order.filled:
            raise Rejection("InvalidOrder", f"{plain(order.filled)} of it are filled already")
        price = order.price if wanted.price is None else wanted.price
        trigger = order.trigger_price if wanted.trigger_price is None else wanted.trigger_price
        check_edit(market.terms, wanted, EXACT.subtract(amount, order.filled), price)
        account = self.account(order.tenant, order.exchange)
        order.updated_ns = self._timeline.now_ns
        if (price, trigger) == (order.price, order.trigger_price) and amount <= order.amount:
            market.reduce(order.number, units(EXACT.subtract(amount, order.filled)))
            order.amount = amount
            account.release(order)
            account.reserve(order, price or trigger or Decimal(0))
            yield order
            return
        terms = order.amount, order.price, order.trigger_price
        market.cancel(order.number)
        account.release(order)
        order.amount, order.price, order.trigger_price = amount, price, trigger
        try:
            yield from self._place(market, order)
        except Rejection:
            order.amount, order.price, order.trigger_price = terms
            self._end(order, "canceled")
            self._report(order)
            raise

    def _found(self, tenant: Tenant, exchange: ExchangeId, payload: object) -> ModelledOrder:
        order_id, client_id = getattr(payload, "order_id", None), getattr(payload, "client_order_id", None)
        for order in self._orders.values():
            if (order.tenant, order.exchange, order.symbol) != (tenant, exchange, getattr(payload, "symbol", None)):
                continue
            if order.id == order_id or (order_id is None and order.request_id == client_id):
                return order
        raise Rejection("OrderNotFound", f"no open order {order_id or client_id}")

    def _market_of(self, order: ModelledOrder) -> RecordedMarket:
        return self.market(order.tenant, order.exchange, order.symbol)

    def _apply(self, market: RecordedMarket, events: Sequence[Event]) -> list[ModelledOrder]:
        """Book what the engine did; return the orders that changed, each once."""
        changed: dict[int, ModelledOrder] = {}
        for event in events:
            if isinstance(event, Traded):
                for number, is_maker in ((event.taker_id, False), (event.maker_id, True)):
                    if (order := self._orders.get(number)) is not None:
                        self._fill(order, event, is_maker=is_maker)
                        changed[number] = order
            elif isinstance(event, Expired) and (order := self._orders.get(event.order_id)) is not None:
                self._end(order, "expired" if order.type == "market" or order.time_in_force != "GTC" else "canceled")
                changed[event.order_id] = order
        return list(changed.values())

    def _fill(self, order: ModelledOrder, event: Traded, *, is_maker: bool) -> None:
        price, amount, now = decimal(event.price), decimal(event.quantity), self._timeline.now_ns
        fee = self._fee(order, price, amount, is_maker=is_maker)
        order.fill(price, amount, fee, now)
        self.account(order.tenant, order.exchange).settle(order, price, amount, fee)
        if order.filled >= order.amount:
            self._end(order, "closed")
        fill = OwnFill(
            now, order.tenant, order.exchange, order.symbol, order.source, order.id, order.side, price, amount, fee,
            is_maker, order.expected,
        )  # fmt: skip
        self._on_fill(fill)
        at_ms = now // 1_000_000
        trade = _own_trade(f"{order.id}-{event.trade_id}", at_ms, fill)
        self.reports.stream(
            order.tenant, self._latency.report(now), lambda each: each.traded(order.exchange, order.symbol, trade)
        )

    def _fee(self, order: ModelledOrder, price: Decimal, amount: Decimal, *, is_maker: bool) -> Fee:
        rates = self._fees.get(order.exchange) or self._fees[ANY_EXCHANGE]
        charged = Charged(order.symbol, order.is_buy, is_maker, price, amount)
        return rates.fee(charged, lambda currency, other: self._price_of(order.exchange, currency, other))

    def _end(self, order: ModelledOrder, status: str) -> None:
        order.status, order.updated_ns = status, self._timeline.now_ns
        self._orders.pop(order.number, None)
        self.account(order.tenant, order.exchange).release(order)

    def _report(self, order: ModelledOrder) -> None:
        """Send what an order is now, and the balances that changed with it."""
        now = self._timeline.now_ns
        record, account = order.record(now), self.account(order.tenant, order.exchange)
        at_ns = self._latency.report(now)
        self.reports.stream(order.tenant, at_ns, lambda each: each.order_changed(record))
        if changed := account.changed():
            every = account.balances()
            self.reports.stream(order.tenant, at_ns, lambda each: each.balances_changed(order.exchange, every, changed))


def _own_trade(trade_id: str, at_ms: int, fill: OwnFill) -> Trade:
    return Trade(
        trade_id,
        at_ms,
        fill.symbol,
        fill.side,
        float(fill.price),
        float(fill.amount),
        cost=float(EXACT.multiply(fill.price, fill.amount)),
        order=fill.order_id,
        taker_or_maker="maker" if fill.is_maker else "taker",
        fee=TradeFee(fill.fee.currency, float(fill.fee.cost)),
    )


def _best(market: RecordedMarket, order: ModelledOrder) -> Decimal | None:
    """Return the best price that an order could take."""
    best = market.book.asks.best() if order.is_buy else market.book.bids.best()
    return None if best is None else Decimal(repr(best[0]))


def _lot_places(market: RecordedMarket) -> int:
    """Return how many decimals the amounts of the best levels have."""
    levels = market.book.bids.levels(10) + market.book.asks.levels(10)
    exponents = [Decimal(repr(amount)).normalize().as_tuple().exponent for _, amount in levels]
    return max((-each for each in exponents if isinstance(each, int) and each < 0), default=0)
