"""Events of the engine, in order.

Every call of the engine returns the list of what it caused. Prices are ticks, quantities lots.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from millrace_matching.orders import Side


class ExpiryReason(StrEnum):
    """Why the engine ended an order by itself."""

    UNFILLED = "UNFILLED"
    """Immediate-or-cancel, fill-or-kill or market: nothing was left to trade with."""
    SELF_TRADE = "SELF_TRADE"
    """It would have traded with an order of its own owner."""
    PARTNER = "PARTNER"
    """The order that it was paired with trades, works or ended."""


class Accepted(Struct, frozen=True, gc=False):
    """An order was accepted: it works from now on, or waits for its trigger."""

    order_id: int
    waits: bool


class Triggered(Struct, frozen=True, gc=False):
    """The last trade price reached the trigger of a waiting order, which works from now on."""

    order_id: int


class Traded(Struct, frozen=True, gc=False):
    """A taker met a resting order, at the resting order's price."""

    trade_id: int
    """Consecutive from the engine's first."""
    price: int
    quantity: int
    maker_id: int
    taker_id: int
    taker_side: Side
    maker_remaining: int
    """What of the maker still rests; 0 when this filled it."""


class LevelChanged(Struct, frozen=True, gc=False):
    """The total that is shown at a price has changed; hidden orders are not part of it."""

    update_id: int
    """Consecutive: one for each change of a level."""
    side: Side
    price: int
    quantity: int
    """The new total; 0 when the level is gone."""


class Canceled(Struct, frozen=True, gc=False):
    """An order was canceled on request."""

    order_id: int
    remaining: int


class Expired(Struct, frozen=True, gc=False):
    """The engine ended an order that was not filled whole."""

    order_id: int
    reason: ExpiryReason


class Prevented(Struct, frozen=True, gc=False):
    """Two orders of one owner met and did not trade; what each lost of its quantity. Those that end expire next."""

    taker_id: int
    maker_id: int
    price: int
    taker_quantity: int
    maker_quantity: int
    taker_ends: bool
    maker_ends: bool


class Completed(Struct, frozen=True, gc=False):
    """A taker is filled: by its quantity, or so far that its budget buys no further lot."""

    order_id: int


Event = Accepted | Triggered | Traded | LevelChanged | Canceled | Expired | Prevented | Completed
