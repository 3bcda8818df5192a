"""What stands before our orders at one price of the recorded book. Pure."""

from millrace_matching import Engine

_CREDIT_NS = 1_000_000_000
"""For how long a level that shrank in the book may still be explained by a trade that is reported later."""


class Queue:
    """One price at which our orders rest: the recorded orders before them, as the engine holds them.

    Recorded books say how much rests at a price, not whose it is. So what is cancelled counts as the last of what was
    there: it moves our orders forward only when nothing else is left to be cancelled.
    """

    __slots__ = ("_credit", "_credit_ns", "_engine", "ahead", "orders", "price")

    def __init__(self, engine: Engine, price: int) -> None:
        self.price = price
        self.ahead: list[int] = []
        """The numbers of the recorded market's orders in the engine, first come first."""
        self.orders: set[int] = set()
        """The numbers of ours."""
        self._engine = engine
        self._credit = 0
        self._credit_ns = 0

    @property
    def quantity(self) -> int:
        """Return how much of the recorded market the engine holds here."""
        return sum(map(self._engine.remaining, self.ahead))

    def limit(self, quantity: int, now_ns: int) -> None:
        """Take it that no more than a quantity of the recorded market is left here."""
        excess = self.quantity - quantity
        if excess <= 0:
            return
        self._credit = excess + (self._credit if now_ns - self._credit_ns < _CREDIT_NS else 0)
        self._credit_ns = now_ns
        while excess > 0 and self.ahead:
            last = self.ahead[-1]
            remaining = self._engine.remaining(last)
            if remaining > excess:
                self._engine.reduce(last, remaining - excess)
                return
            excess -= remaining
            self._drop(last, remaining)

    def uncounted(self, traded: int, now_ns: int) -> int:
        """Return how much of a trade the book has not shown yet: the same must not move our orders twice."""
        if not self._credit or now_ns - self._credit_ns >= _CREDIT_NS:
            return traded
        counted = min(self._credit, traded)
        self._credit -= counted
        return traded - counted

    def clear(self) -> None:
        """Take it that nothing of the recorded market is left here."""
        for number in reversed(self.ahead):
            if self._engine.remaining(number):
                self._engine.cancel(number)
        self.ahead.clear()

    def _drop(self, number: int, remaining: int) -> None:
        self.ahead.pop()
        if remaining:
            self._engine.cancel(number)
