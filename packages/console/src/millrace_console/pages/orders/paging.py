"""Pages of orders of several tenants together, newest first. Pure.

A page ends at a moment rather than at one API's cursor, so that one address serves any choice of tenants, and orders
that come meanwhile shift no page.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

Order = dict[str, Any]


class Answer(NamedTuple):
    """One tenant's newest orders before a moment."""

    tenant: str
    orders: Sequence[Order]
    """As `/orders` lists them, newest first."""
    has_more: bool


class OrderPage(NamedTuple):
    """What one page shows."""

    orders: list[tuple[str, Order]]
    """With their tenants, newest first."""
    before_ms: int | None
    """Where the next page begins, exclusive; None on the last one."""


def page_of(answers: Sequence[Answer]) -> OrderPage:
    """Return one page: down to the moment until which every tenant's answer reaches."""
    rows = [(answer.tenant, order) for answer in answers for order in answer.orders]
    rows.sort(key=lambda row: _created(row[1]), reverse=True)
    ends = [_created(answer.orders[-1]) for answer in answers if answer.has_more]
    if not ends:
        return OrderPage(rows, None)
    end = max(ends)
    # The answer may have ended amid orders of one ms: they come whole on the next page.
    above = [row for row in rows if _created(row[1]) > end]
    if above:
        return OrderPage(above, end + 1)
    return OrderPage([row for row in rows if _created(row[1]) == end], end)


def _created(order: Order) -> int:
    return int(order["createdMs"] or order["updatedMs"])
