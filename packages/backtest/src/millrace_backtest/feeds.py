"""What a recording tells the modelled exchanges: books, trades, and the recorded account's own orders."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import cast

from millrace_backtest.exchange.market import RecordedMarket
from millrace_backtest.exchange.model import ExchangeModel
from millrace_backtest.exchange.units import units
from millrace_backtest.strategies import BacktestedStrategy
from millrace_backtest.timeline import Timeline
from millrace_bus import Update
from millrace_core.book import OrderBook
from millrace_core.names import ExchangeId, StreamName, Symbol
from millrace_core.orders import Order
from millrace_core.states import BookState, OrdersState
from millrace_matching import Side

_SIDES = {"buy": Side.BUY, "sell": Side.SELL}

Listening = Callable[[Update], None]


class MarketFeeds:
    """Feeds the markets in which strategies may trade: those of which they follow a stream, tenant by tenant."""

    def __init__(self, exchanges: ExchangeModel, plans: Sequence[BacktestedStrategy]) -> None:
        self._exchanges = exchanges
        self._markets: dict[str, list[RecordedMarket]] = {}
        """By the name of a stream of a book or of trades, the markets that it feeds."""
        self._owns: dict[str, RecordedMarket] = {}
        """By the name of a stream of own orders, the market whose book shows them."""
        self._books: dict[tuple[ExchangeId, Symbol], RecordedMarket] = {}
        for plan in plans:
            self._add(plan)
        self._named = [(f"{exchange} {symbol}", market) for (exchange, symbol), market in self._books.items()]

    def listeners(self, name: StreamName, timeline: Timeline) -> Iterator[Listening]:
        """Return what the exchanges listen to a stream with."""
        markets = self._markets.get(str(name), ())
        if name.action == "watchOrderBook":
            yield from (_book_listener(market, self._exchanges, timeline) for market in markets)
        elif name.action == "watchTrades":
            yield from (_trades_listener(market, self._exchanges, timeline) for market in markets)
        elif (market := self._owns.get(str(name))) is not None:
            yield _own_orders_listener(market)

    def book(self, exchange: ExchangeId, symbol: Symbol) -> OrderBook | None:
        """Return the recorded book of a market; None if no strategy follows it."""
        market = self._books.get((exchange, symbol))
        return None if market is None else market.book

    def mids(self) -> dict[str, float]:
        """Return the price half-way between best bid and ask of each market that has both."""
        return {name: mid for name, market in self._named if (mid := market.book.mid) is not None}

    def _add(self, plan: BacktestedStrategy) -> None:
        books = {(each.exchange, each.symbol): each for each in plan.streams if each.action == "watchOrderBook"}
        for stream in plan.streams:
            if stream.symbol is None:
                continue
            shown = books.get((stream.exchange, stream.symbol), stream)
            market = self._exchanges.market(plan.tenant, stream.exchange, stream.symbol)
            self._books.setdefault((stream.exchange, stream.symbol), market)
            name = plan.stream_name(shown)
            for action in ("watchOrderBook", "watchTrades"):
                fed = self._markets.setdefault(str(name._replace(action=type(name.action)(action))), [])
                if market not in fed:
                    fed.append(market)
            own = StreamName(plan.tenant, stream.exchange, type(name.action)("watchOrders"), stream.symbol)
            self._owns[str(own)] = market


def _book_listener(market: RecordedMarket, exchanges: ExchangeModel, timeline: Timeline) -> Listening:
    places, taken = market.places, market.taken

    def listen(update: Update) -> None:
        kind = update.kind
        if kind == "delta" and not (places or taken):
            return  # None of our orders rests here, and none took anything.
        market.now_ns = timeline.now_ns
        if kind == "delta":
            events = market.book_changed(update.data.bids, update.data.asks)
        elif kind == "snapshot":
            market.terms = update.market or market.terms
            market.book = cast("BookState", update.state).book
            events = market.book_replaced()
        else:
            market.terms = update.market or market.terms
            return
        if events:
            exchanges.happened(market, events)

    return listen


def _trades_listener(market: RecordedMarket, exchanges: ExchangeModel, timeline: Timeline) -> Listening:
    def listen(update: Update) -> None:
        if update.kind != "delta":
            market.terms = update.market or market.terms
            return
        market.now_ns = timeline.now_ns
        for trade in update.data.trades:
            events = market.traded(trade.price, trade.amount, _SIDES.get(trade.side or ""))
            if events:
                exchanges.happened(market, events)

    return listen


def _own_orders_listener(market: RecordedMarket) -> Listening:
    """Keep what the recorded account's own orders add to each level of the recorded book."""
    shown: set[tuple[Side, float]] = set()

    def listen(update: Update) -> None:
        if update.kind not in ("delta", "snapshot"):
            return
        levels: dict[tuple[Side, float], int] = {}
        for order in cast("OrdersState", update.state).open.values():
            if (level := _level(order)) is not None:
                levels[level] = levels.get(level, 0) + units(order.remaining or order.amount or Decimal(0))
        for level in shown - levels.keys():
            market.show_own(*level, 0)
        for level, quantity in levels.items():
            market.show_own(*level, quantity)
        shown.clear()
        shown.update(levels)

    return listen


def _level(order: Order) -> tuple[Side, float] | None:
    side = _SIDES.get(order.side or "")
    return None if side is None or order.price is None else (side, float(order.price))
