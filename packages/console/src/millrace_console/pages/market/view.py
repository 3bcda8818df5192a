"""One market in the page: its book, trades, candles, and what is one's own in it."""

from nicegui import ui

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
from millrace_console.display.text import NONE, html
from millrace_console.display.trade_rows import last_price, trades_html, widened
from millrace_console.live import Stream
from millrace_console.markets import Market
from millrace_console.pages.market.candles import CandleChart, chart_options, shown
from millrace_console.pages.market.history import BuiltCandles, OwnFills
from millrace_console.pages.orders.placing import ask_for_order
from millrace_console.polling import Poll
from millrace_console.visit import Panel, Visit
from millrace_core.book import OrderBook
from millrace_core.clock import now_ms
from millrace_core.market import Candle, Trade
from millrace_core.names import Tenant
from millrace_core.states import BookState, CandlesState, OrdersState, TradesState

ROWS = 12
"""Rows of the ladder on each side."""
TRADES = 25
DEPTH_EVERY = 5
"""The depth chart is drawn at every fifth drawing of the ladder: its shape changes slowly."""
CHART_S = 1.0
ASK_S = 3.0


class MarketView:
    """One market; `draw` is called ten times a second and does nothing while nothing changed."""

    def __init__(self, visit: Visit, market: Market, group: int, interval: str) -> None:
        self._visit, self._market, self._group, self._interval = visit, market, group, interval
        self._book, self._trades = (visit.follow(market.stream(each)) for each in ("watchOrderBook", "watchTrades"))
        self._candles = visit.follow(market.stream("watchOHLCV"))
        self._orders = [
            visit.follow(market._replace(tenant=Tenant(each.tenant)).stream("watchOrders"))
            for each in visit.trading_accounts
        ]
        self._built = BuiltCandles(visit.account(market.tenant), market, interval)
        self._fills = OwnFills(visit.trading_accounts, market)
        self._scale = NO_SCALE
        self._drawn: tuple[object, ...] = ()
        self._is_old = False
        self._times = 0
        self._lag: tuple[int | None, str] = (None, NONE)
        self._build()

    def _build(self) -> None:
        label = html(self._market.label)
        with ui.element("section").classes("panel market").props(f'aria-label="{label}"'):
            with ui.element("div").classes("market-head"):
                ui.html(
                    f"{html(self._market.symbol)} <small>{html(self._market.exchange)} · {html(self._market.tenant)}"
                    "</small>",
                    sanitize=False,
                    tag="h2",
                )
                self._state = ui.html("", sanitize=False).props('role="status"')
                if any(each.may("trade") for each in self._visit.trading_accounts):
                    ui.button("Order …", on_click=self._order).props("dense no-caps outline size=sm")
            self._summary = ui.html("", sanitize=False)
            with ui.element("div").classes("market-parts") as self._parts:
                self._ladder = _region(f"Order book {label}", "part-book")
                with ui.element("div").classes("part-charts"):
                    self._chart = CandleChart(f"Candles of {label}")
                    Panel(self._visit, self._ask, lambda _: self._draw_chart(), ASK_S)
                    self._source = ui.label().classes("muted text-xs")
                    self._depth = ui.html("", sanitize=False)
                self._tape = _region(f"Trades {label}", "part-trades")
        ui.timer(CHART_S, self._draw_chart)

    def _order(self) -> None:
        ask_for_order(self._visit, self._market)

    def draw(self) -> None:
        """Draw what has changed since the last time."""
        condition, of_trades = (condition_of(each, now_ms()) for each in (self._book, self._trades))
        drawn = (
            condition,
            of_trades,
            self._book.version,
            self._trades.version,
            *(each.version for each in self._orders),
            self._own_is_old,
        )
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._state.content = condition_html(condition, self._book.reason)
        self._fade(is_old=condition not in RIGHT)
        self._draw_book()
        trades = trades_html(_trades_of(self._trades), self._scale, TRADES)
        self._tape.content = trades if of_trades in RIGHT else old_html(of_trades, self._trades.reason, trades)
        self._times += 1

    def _fade(self, *, is_old: bool) -> None:
        if is_old != self._is_old:
            self._is_old = is_old
            self._parts.classes(add="old") if is_old else self._parts.classes(remove="old")

    def _draw_book(self) -> None:
        book, trades = _book_of(self._book), _trades_of(self._trades)
        self._scale = scale = widened(scale_of(book, self._scale), trades[-TRADES:])
        bids, asks = book_rungs(book, scale, self._group, ROWS)
        spread, mid = spread_text(book, scale)
        own = OwnAmounts(own_by_row(self._own_orders(), scale, self._group), is_old=self._own_is_old)
        self._ladder.content = ladder_html(bids, asks, scale, own, f"spread {spread}")
        self._summary.content = self._summary_html(mid, spread, last_price(trades, scale))
        if self._times % DEPTH_EVERY == 0:
            self._depth.content = depth_svg(book, scale)

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

    async def _ask(self, poll: Poll) -> None:
        if self._streamed() is None:
            await self._built.refresh(poll)
        candles = shown(self._streamed() or self._built.candles)
        if candles:
            await self._fills.refresh(poll, candles[0][0])

    def _streamed(self) -> dict[int, Candle] | None:
        """Return the exchange's own candles; None where they are not streamed, or not right."""
        state = self._candles.state
        if not self._candles.is_right or not isinstance(state, CandlesState):
            return None
        return state.timeframes.get(self._interval)

    def _draw_chart(self) -> None:
        streamed = self._streamed()
        candles = shown(streamed or self._built.candles)
        self._source.text = f"{self._interval} (UTC), " + (
            "the exchange's candles" if streamed is not None else "built from stored trades"
        )
        own = self._own_orders()
        self._chart.draw(chart_options(candles, self._interval, self._fills.fills, own, is_old=self._own_is_old))


def _region(label: str, style: str) -> ui.html:
    return ui.html("", sanitize=False).classes(style).props(f'role="region" aria-label="{label}"')


def _book_of(stream: Stream) -> OrderBook:
    return stream.state.book if isinstance(stream.state, BookState) else OrderBook()


def _trades_of(stream: Stream) -> list[Trade]:
    return list(stream.state.trades) if isinstance(stream.state, TradesState) else []
