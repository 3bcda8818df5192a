"""What the exchange takes in the market of a form's order, as the form says it."""

from nicegui import ui

from millrace_console.markets import Market, terms_of
from millrace_console.pages.orders.checks import terms_text
from millrace_console.visit import Visit
from millrace_core.market_terms import MarketTerms


class KnownTerms:
    """The terms of one market at a time, and the line of the form that names them."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._market: Market | None = None
        self._line = ui.label().classes("muted")
        self.terms: MarketTerms | None = None
        """None if nobody knows them, and until they are known."""

    async def learn(self, market: Market) -> None:
        """Ask for the terms of a market, unless they are known."""
        if market == self._market and self.terms is not None:
            return
        if market != self._market:
            self._market, self.terms, self._line.text = market, None, ""
        terms = await terms_of(self._visit, market)
        if market == self._market:
            self.terms, self._line.text = terms, terms_text(terms)
