"""One market in the page: its book, trades, candles, and what is one's own in it."""

from functools import partial

from nicegui import ui

from millrace_console.display.text import html
from millrace_console.markets import Market
from millrace_console.pages.market.candles import CandleChart
from millrace_console.pages.market.drawing import BookDrawing, ChartDrawing, Choice, MarketDrawing
from millrace_console.pages.market.ticks import Ticks
from millrace_console.pages.orders.placing import ask_for_order
from millrace_console.panels import Panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit

BOOK_S, CHART_S = 0.1, 1.0
"""How often a book and its trades are drawn at most, and a chart."""
ASK_S = 3.0


class MarketView:
    """The elements of one market; what they show is drawn elsewhere, once for all pages that show the same."""

    def __init__(self, visit: Visit, market: Market, group: int, interval: str) -> None:
        self._visit, self._market = visit, market
        choice = Choice(market, visit.account(market.tenant), visit.trading_accounts, group, interval)
        book, chart = (visit.share(("ticks", each), partial(Ticks, each)) for each in (BOOK_S, CHART_S))
        self._drawing = visit.share(choice, partial(MarketDrawing, choice, visit.connections, book, chart))
        self._is_old = False
        self._build()
        self._show_book(self._drawing.book)
        visit.listen(self._drawing.on_book, self._show_book)
        visit.listen(self._drawing.on_chart, self._show_chart)

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
                    Panel(self._visit, self._ask, self._show_chart, ASK_S)
                    self._source = ui.label().classes("muted text-xs")
                    self._depth = ui.html("", sanitize=False)
                self._tape = _region(f"Trades {label}", "part-trades")

    def _order(self) -> None:
        ask_for_order(self._visit, self._market)

    async def _ask(self, poll: Poll) -> ChartDrawing:
        await self._drawing.ask(poll)
        return self._drawing.chart

    def _show_book(self, drawn: BookDrawing) -> None:
        self._state.content = drawn.condition
        self._summary.content = drawn.summary
        self._ladder.content = drawn.ladder
        self._depth.content = drawn.depth
        self._tape.content = drawn.trades
        if drawn.is_old != self._is_old:
            self._is_old = drawn.is_old
            self._parts.classes(add="old") if drawn.is_old else self._parts.classes(remove="old")

    def _show_chart(self, drawn: ChartDrawing) -> None:
        self._source.text = drawn.source
        self._chart.draw(drawn.options)


def _region(label: str, style: str) -> ui.html:
    return ui.html("", sanitize=False).classes(style).props(f'role="region" aria-label="{label}"')
