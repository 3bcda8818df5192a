"""The orders of one symbol as they were last published. Pure."""

from collections.abc import Iterable
from typing import Final

from millrace_core.orders import Order, OrderRecord, join

REMEMBERED: Final = 1_000
"""How many final orders are recognised, so that a late message about one changes nothing."""
_PUBLISHED_CHANGES: Final = ("status", "filled", "amount", "remaining", "price", "average", "cost", "fees")


class OrderCache:
    """The orders of one symbol as they were last published: finds which changed, and holds the open ones."""

    def __init__(self) -> None:
        self._records: dict[str, OrderRecord] = {}

    @property
    def open(self) -> list[Order]:
        """Return the open orders."""
        return [record.order for record in self._records.values() if not record.order.is_final]

    def restart(self, records: Iterable[OrderRecord]) -> None:
        """Hold these orders, as they were published, and no others."""
        self._records.clear()
        self.take(records)

    def take(self, records: Iterable[OrderRecord]) -> list[Order]:
        """Join records with those held; return the orders of which something that matters changed."""
        changed: dict[str, Order] = {}
        for record in records:
            known = self._records.pop(record.order.id, None)
            joined = record if known is None else join(known, record)
            self._records[record.order.id] = joined
            if known is None or any(getattr(joined.order, n) != getattr(known.order, n) for n in _PUBLISHED_CHANGES):
                changed[joined.order.id] = joined.order
        self._forget()
        return list(changed.values())

    def _forget(self) -> None:
        excess = len(self._records) - REMEMBERED
        final = (order_id for order_id, record in self._records.items() if record.order.is_final)
        for order_id in [order_id for order_id, _ in zip(final, range(excess), strict=False)]:
            del self._records[order_id]
