"""What was approved lately under some limits: for their rate, and to recognise an order that is sent twice."""

from collections import OrderedDict, deque
from collections.abc import Sequence

from millrace_core.config import OrderLimits
from millrace_executor.risk.checks import rate_window
from millrace_executor.risk.terms import Terms


class RecentOrders:
    """The orders that were approved as lately as the limits look back."""

    def __init__(self) -> None:
        self._sent_ms: deque[int] = deque()
        self._terms: OrderedDict[Terms, int] = OrderedDict()

    @property
    def sent_ms(self) -> Sequence[int]:
        """Return when orders were approved, oldest first."""
        return self._sent_ms

    def duplicate_of_ms(self, terms: Terms, elapsed_ms: int) -> int | None:
        """Return how long ago an order with the same terms was approved; None if none is remembered."""
        sent_ms = self._terms.get(terms)
        return None if sent_ms is None else elapsed_ms - sent_ms

    def approved(self, terms: Terms, limits: OrderLimits, elapsed_ms: int) -> None:
        """Remember an order; forget what the limits no longer look back to."""
        if limits.max_orders_per_second is not None:
            self._sent_ms.append(elapsed_ms)
        window_ms = rate_window(limits.max_orders_per_second)[1] if limits.max_orders_per_second else 0
        while self._sent_ms and self._sent_ms[0] <= elapsed_ms - window_ms:
            self._sent_ms.popleft()
        if limits.duplicate_window_ms is not None:
            self._terms[terms] = elapsed_ms
            self._terms.move_to_end(terms)
        while self._terms and next(iter(self._terms.values())) <= elapsed_ms - (limits.duplicate_window_ms or 0):
            self._terms.popitem(last=False)
