"""The strategy of the backtests' benchmark: it looks at the best prices at each change of a book."""

from millrace_strategy import BookEvent, Strategy


class Watcher(Strategy):
    """Counts the books that have both best prices."""

    seen = 0

    def on_order_book(self, event: BookEvent) -> None:
        """Look."""
        if event.book.best_bid is not None and event.book.best_ask is not None:
            self.seen += 1
