"""The strategy of the test of markets' terms: keeps, at each change of a book, what it knows of the market's terms."""

from millrace_core.market_terms import terms_as_text
from millrace_strategy import BookEvent, Strategy


class Surveyor(Strategy):
    """Keeps the terms of each market in its state, as they were at the first event of its book and as they are."""

    def on_order_book(self, event: BookEvent) -> None:
        """Note them."""
        terms = terms_as_text(self.markets[event.exchange, event.symbol])
        self.state.setdefault(f"{event.exchange} at first", terms)
        self.state[event.exchange] = terms
