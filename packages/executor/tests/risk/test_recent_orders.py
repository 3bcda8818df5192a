"""What is remembered of approved orders, and for how long."""

from dataclasses import replace
from decimal import Decimal

from millrace_core.config import OrderLimits
from millrace_executor.risk.recent_orders import RecentOrders
from millrace_executor.risk.terms import Terms

A = Terms(
    "KCS/USDT", "buy", is_market=False, amount=Decimal(2), quote=None, price=Decimal(10), trigger=None, source="A"
)
B, C = replace(A, source="B"), replace(A, source="C")
BOTH = OrderLimits(max_orders_per_second=2, duplicate_window_ms=500)


def remembered(recent: RecentOrders, elapsed_ms: int) -> tuple[list[int], list[int | None]]:
    """Return when orders were approved, and how long ago each of `A`, `B` and `C` was."""
    return list(recent.sent_ms), [recent.duplicate_of_ms(terms, elapsed_ms) for terms in (A, B, C)]


def test_orders_are_remembered_as_long_as_their_limits_look_back() -> None:
    """A second for the rate, half a second for duplicates; one that is sent again counts from then on."""
    recent = RecentOrders()
    for terms, elapsed_ms, expected in (
        (A, 100, ([100], [0, None, None])),
        (B, 300, ([100, 300], [200, 0, None])),
        (A, 400, ([100, 300, 400], [0, 100, None])),
        (C, 799, ([100, 300, 400, 799], [399, 499, 0])),
        (C, 800, ([100, 300, 400, 799, 800], [400, None, 0])),
        (C, 1_099, ([100, 300, 400, 799, 800, 1_099], [None, None, 0])),
        (C, 1_300, ([400, 799, 800, 1_099, 1_300], [None, None, 0])),
    ):
        recent.approved(terms, BOTH, elapsed_ms)
        assert remembered(recent, elapsed_ms) == expected


def test_what_no_limit_looks_back_to_is_not_remembered() -> None:
    """Nor what one looked back to before it was removed."""
    for limits, sent_ms, ago_ms in (
        (OrderLimits(), [], None),
        (OrderLimits(max_orders_per_second=2), [1_000], None),
        (OrderLimits(duplicate_window_ms=500), [], 1),
    ):
        recent = RecentOrders()
        recent.approved(A, limits, 1_000)
        assert remembered(recent, 1_001) == (sent_ms, [ago_ms, None, None])
        recent.approved(A, BOTH, 1_000)
        recent.approved(B, OrderLimits(), 1_000)
        assert remembered(recent, 1_001) == ([], [None, None, None])
