"""What pages show of one market, drawn once for all pages that show it with the same rights."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

from millrace_console.accounts import Account
from millrace_console.display.condition import RIGHT, condition_html, condition_of, old_html
from millrace_console.display.depth import depth_svg
from millrace_console.display.ladder import (
    NO_SCALE,
    OwnAmounts,
    book_rungs,
    ladder_html,
    own_by_row,
    scale_of,
    spread_text,
)
from millrace_console.display.text import NONE
from millrace_console.display.trade_rows import last_price, trades_html, widened
from millrace_console.live import Connections, Stream
from millrace_console.markets import Market
from millrace_console.pages.market.candles import chart_options, shown
from millrace_console.pages.market.history import BuiltCandles, OwnFills
from millrace_console.pages.market.ticks import Ticks
from millrace_console.polling import Poll
from millrace_core.book import OrderBook
from millrace_core.clock import now_ms
from millrace_core.market import Candle, Trade
from millrace_core.names import StreamName, Tenant
from millrace_core.states import BookState, CandlesState, OrdersState, TradesState

ROWS = 12
"""Rows of the ladder on each side."""
TRADES = 25
DEPTH_EVERY = 5
"""The depth chart is drawn at every fifth drawing of the ladder: its shape changes slowly."""


class Choice(NamedTuple):
    """What is drawn, and in whose name: pages with the same choice show the same drawing."""

    market: Market
    account: Account
    """Reads the market's own streams and candles."""
    traders: tuple[Account, ...]
    """Whose orders and fills are marked."""
    group: int
    """How many ticks share a row of the ladder."""
    interval: str
    """Of the candles."""


class BookDrawing(NamedTuple):
    """Book and trades as HTML."""

    condition: str
    is_old: bool
    summary: str
    ladder: str
    depth: str
    trades: str


class ChartDrawing(NamedTuple):
    """The candle chart, as ECharts' options, and where its candles come from."""

    options: dict[str, Any]
    source: str


class MarketDrawing:
    """One market as it is now. What has changed is drawn at the next tick."""

    def __init__(
        self, choice: Choice, connections: Connections, book_ticks: Ticks, chart_ticks: Ticks, ending: ExitStack
    ) -> None:
        def follow(name: StreamName, account: Account) -> Stream:
            return ending.enter_context(connections.of(account).watching(name))

        market, self._choice = choice.market, choice
        self._book, self._trades, self._candles = (
            follow(market.stream(each), choice.account) for each in ("watchOrderBook", "watchTrades", "watchOHLCV")
        )
        self._orders = [
            follow(market._replace(tenant=Tenant(each.tenant)).stream("watchOrders"), each) for each in choice.traders
        ]
        self._built = BuiltCandles(choice.account, market, choice.interval)
        self._fills = OwnFills(choice.traders, market)
        self._scale = NO_SCALE
        self._versions: tuple[object, ...] = ()
        self._times = 0
        self._lag: tuple[int | None, str] = (None, NONE)
        self._depth = ""
        self.book, self.chart = self._draw_book(), self._draw_chart()
        self.on_book: set[Callable[[BookDrawing], None]] = set()
        """Called with each new drawing of book and trades."""
        self.on_chart: set[Callable[[ChartDrawing], None]] = set()
        book_ticks.call(self._next_book, ending)
        chart_ticks.call(self._next_chart, ending)

    async def ask(self, poll: Poll) -> None:
        """Ask for candles and fills, once in a poll.

        Raises:
            ApiError: they were not answered.
        """
        await poll.once(self, lambda: self._ask(poll))

    async def _ask(self, poll: Poll) -> None:
        if self._streamed() is None:
            await self._built.refresh(poll)
        candles = shown(self._streamed() or self._built.candles)
        if candles:
            await self._fills.refresh(poll, candles[0][0])

    def _next_book(self) -> None:
        """Draw book and trades if they have changed since the last time."""
        conditions = [condition_of(each, now_ms()) for each in (self._book, self._trades)]
        streams = (self._book, self._trades, *self._orders)
        versions = (*conditions, *(each.version for each in streams), self._own_is_old)
        if versions == self._versions:
            return
        self._versions = versions
        self.book = self._draw_book()
        for show in self.on_book:
            show(self.book)

    def _draw_book(self) -> BookDrawing:
        condition, of_trades = (condition_of(each, now_ms()) for each in (self._book, self._trades))
        book, trades = _book_of(self._book), _trades_of(self._trades)
        self._scale = scale = widened(scale_of(book, self._scale), trades[-TRADES:])
        bids, asks = book_rungs(book, scale, self._choice.group, ROWS)
        spread, mid = spread_text(book, scale)
        own = OwnAmounts(own_by_row(self._own_orders(), scale, self._choice.group), is_old=self._own_is_old)
        if self._times % DEPTH_EVERY == 0:
            self._depth = depth_svg(book, scale)
        self._times += 1
        tape = trades_html(trades, scale, TRADES)
        return BookDrawing(
            condition_html(condition, self._book.reason),
            condition not in RIGHT,
            self._summary_html(mid, spread, last_price(trades, scale)),
            ladder_html(bids, asks, scale, own, f"spread {spread}"),
            self._depth,
            tape if of_trades in RIGHT else old_html(of_trades, self._trades.reason, tape),
        )

    def _summary_html(self, mid: str, spread: str, last: str) -> str:
        at, lag = self._exchange_time()
        parts = (("Last", last), ("Mid", mid), ("Spread", spread), ("Exchange (UTC)", at), ("Lag", lag))
        return '<dl class="facts">' + "".join(f"<div><dt>{n}</dt><dd>{v}</dd></div>" for n, v in parts) + "</dl>"

    def _exchange_time(self) -> tuple[str, str]:
        """Return the exchange's time of the last change of the book, and how much later it came here."""
        at = self._book.exchange_ms
        if at is None:
            return NONE, NONE
        if at != self._lag[0]:
            self._lag = at, f"{self._book.received_ms - at:,} ms"
        seconds, ms = divmod(at, 1_000)
        minutes, second = divmod(seconds % 86_400, 60)
        return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}.{ms:03}", self._lag[1]

    @property
    def _own_is_old(self) -> bool:
        """Tell whether own orders that are shown may be gone, since their stream is not live."""
        return any(
            condition_of(each, now_ms()) not in RIGHT
            for each in self._orders
            if isinstance(each.state, OrdersState) and each.state.open
        )

    def _own_orders(self) -> list[tuple[str, float, float]]:
        """Return side, price and remaining amount of each own open order with a price."""
        return [
            (str(order.side), float(order.price), float(order.remaining or order.amount or 0))
            for stream in self._orders
            if isinstance(stream.state, OrdersState)
            for order in stream.state.open.values()
            if order.price is not None
        ]

    def _streamed(self) -> dict[int, Candle] | None:
        """Return the exchange's own candles; None where they are not streamed, or not right."""
        state = self._candles.state
        if not self._candles.is_right or not isinstance(state, CandlesState):
            return None
        return state.timeframes.get(self._choice.interval)

    def _next_chart(self) -> None:
        """Draw the chart if it has changed since the last time."""
        chart = self._draw_chart()
        if chart != self.chart:
            self.chart = chart
            for show in self.on_chart:
                show(chart)

    def _draw_chart(self) -> ChartDrawing:
        streamed, interval = self._streamed(), self._choice.interval
        candles = shown(streamed or self._built.candles)
        options = chart_options(candles, interval, self._fills.fills, self._own_orders(), is_old=self._own_is_old)
        source = "the exchange's candles" if streamed is not None else "built from stored trades"
        return ChartDrawing(options, f"{interval} (UTC), {source}")


def _book_of(stream: Stream) -> OrderBook:
    return stream.state.book if isinstance(stream.state, BookState) else OrderBook()


def _trades_of(stream: Stream) -> list[Trade]:
    return list(stream.state.trades) if isinstance(stream.state, TradesState) else []
