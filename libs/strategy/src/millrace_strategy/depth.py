"""What an order book's levels say of a trade of some size. Pure.

Levels are floats, exactly as the exchange printed them, and so are the sums here: they decide, they do not account.
"""

from collections.abc import Iterable
from typing import NamedTuple

from millrace_core.book import OrderBook
from millrace_core.market import Level


class Walk(NamedTuple):
    """What an order would do that takes levels from the best price on."""

    amount: float
    """How much it would fill, in base currency."""
    cost: float
    """What that would cost, in quote currency."""
    worst_price: float | None
    """The price of the last level that it would reach; None if the side is empty."""
    is_complete: bool
    """Whether the side has enough for the whole order."""

    @property
    def average_price(self) -> float | None:
        """The volume-weighted average price; None if nothing would fill."""
        return self.cost / self.amount if self.amount else None


def walk(levels: Iterable[Level], *, amount: float = float("inf"), cost: float = float("inf")) -> Walk:
    """Return the walk through levels, best first, that ends at an amount or a cost, whichever comes first."""
    filled, paid, worst = 0.0, 0.0, None
    for price, offered in levels:
        if filled >= amount or paid >= cost:
            break
        taken = min(offered, amount - filled, (cost - paid) / price if price > 0 else offered)
        filled, paid, worst = filled + taken, paid + taken * price, price
        if taken < offered:
            # The order ends within this level: rounding must not leave a crumb for the next one.
            return Walk(filled, paid, worst, True)
    return Walk(filled, paid, worst, filled >= amount or paid >= cost)


def amount_to_price(levels: Iterable[Level], price: float, *, is_bid: bool) -> float:
    """Return the sum of the levels at a price or better."""
    total = 0.0
    for level, offered in levels:
        if (level < price) if is_bid else (level > price):
            break
        total += offered
    return total


def microprice(book: OrderBook) -> float | None:
    """Return the mid price weighted by the amounts at the best prices; None if a side is empty.

    More bids than asks move it towards the ask, where the next trade is likelier.
    """
    bid, ask = book.bids.best(), book.asks.best()
    if bid is None or ask is None:
        return None
    return (bid[0] * ask[1] + ask[0] * bid[1]) / (bid[1] + ask[1])


def imbalance(book: OrderBook, depth: int) -> float | None:
    """Return (bids - asks) / (bids + asks) of the best levels' amounts: 1 only bids, -1 only asks; None if empty."""
    bids = sum(amount for _, amount in book.bids.levels(depth))
    asks = sum(amount for _, amount in book.asks.levels(depth))
    return (bids - asks) / (bids + asks) if bids + asks else None
