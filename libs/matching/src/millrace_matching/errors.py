"""Why the engine rejects a call; a rejected call has changed nothing.

MatchingError
├── InvalidOrder        reason      the order contradicts itself
├── DuplicateOrder      order_id    this id is in the book
├── UnknownOrder        order_id    no such order rests or waits
├── WouldTake           order_id    a limit-maker order would have traded
└── WouldTrigger        order_id    the trigger is reached already
"""

from __future__ import annotations


class MatchingError(Exception):
    """Root of the engine's rejections."""


class InvalidOrder(MatchingError):
    """An order contradicts itself; `reason` says how."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OrderError(MatchingError):
    """A rejection that concerns one order."""

    def __init__(self, order_id: int) -> None:
        super().__init__(f"order {order_id}")
        self.order_id = order_id


class DuplicateOrder(OrderError):
    """An order with this id already rests or waits."""


class UnknownOrder(OrderError):
    """No order with this id rests or waits: it never existed, or it is final."""


class WouldTake(OrderError):
    """A limit-maker order would have traded at once."""


class WouldTrigger(OrderError):
    """The last trade price has already reached the trigger."""
