"""The depth ladder: an order book as rows of prices, grouped and cumulated, and their HTML. Pure.

It is drawn up to ten times a second, so it takes the book's floats as they are and formats only the rows that show.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from millrace_console.display.text import NONE, number, places, rounded
from millrace_core.book import OrderBook
from millrace_core.market import Level

Side = Literal["bid", "ask"]
GROUPS = (1, 5, 10, 50, 100)
"""How many ticks may share a row."""
_MOST_LEVELS = 2_000


class Scale(NamedTuple):
    """The decimals of a market's prices and amounts, as its book shows them."""

    price: int
    amount: int

    def widened(self, levels: Iterable[Level]) -> "Scale":
        """Return the scale that also holds these levels: an exchange leaves zeros at the end out."""
        price, amount = self
        for level_price, level_amount in levels:
            price = max(price, decimals(level_price))
            amount = max(amount, decimals(level_amount))
        return Scale(price, amount)


NO_SCALE = Scale(0, 0)
"""Of a market of which nothing is known yet."""


class Rung(NamedTuple):
    """A row of the ladder."""

    price: float
    amount: float
    total: float
    """The amount from the best price to here."""


class OwnAmounts(NamedTuple):
    """What is open of one's own orders."""

    by_row: Mapping[float, float]
    """Amounts by the price of the row in which they stand."""
    is_old: bool = False
    """Whether their stream is not live, so that these orders may be gone."""


@lru_cache(maxsize=16_384)
def decimals(value: float) -> int:
    """Return how many decimals a float has as the exchange printed it."""
    return places(value)


def rungs(levels: Sequence[Level], side: Side, scale: Scale, group: int, count: int) -> list[Rung]:
    """Return the best `count` rows; `group` ticks share a row, bids rounded down to it and asks up.

    So a row never promises a better price than its levels have.
    """
    unit = 10**scale.price
    sums: dict[int, float] = {}
    for price, amount in levels:
        ticks = round(price * unit)
        step = ticks // group if side == "bid" else -(-ticks // group)
        if step not in sums and len(sums) == count:
            break
        sums[step] = sums.get(step, 0.0) + amount
    rows, total = [], 0.0
    for step, amount in sums.items():
        total += amount
        rows.append(Rung(step * group / unit, round(amount, scale.amount), round(total, scale.amount)))
    return rows


def book_rungs(book: OrderBook, scale: Scale, group: int, count: int) -> tuple[list[Rung], list[Rung]]:
    """Return the rows of bids and of asks, best first."""
    depth = min(_MOST_LEVELS, count * group)
    bids = rungs(book.bids.levels(depth), "bid", scale, group, count)
    return bids, rungs(book.asks.levels(depth), "ask", scale, group, count)


def ladder_html(bids: Sequence[Rung], asks: Sequence[Rung], scale: Scale, own: OwnAmounts, between: str) -> str:
    """Return the ladder as an HTML table: asks above, bids below, best prices in the middle.

    Rows at whose prices there are own open orders are marked; `between` is the text between asks and bids.
    """
    most = max((side[-1].total for side in (bids, asks) if side), default=0.0)
    above = "".join(_row(each, "ask", scale, own, most) for each in reversed(asks))
    below = "".join(_row(each, "bid", scale, own, most) for each in bids)
    return (
        '<table class="ladder"><thead><tr><th scope="col">Price</th><th scope="col">Amount</th>'
        f'<th scope="col">Total</th></tr></thead><tbody>{above}'
        f'<tr class="between"><td colspan="3">{between}</td></tr>{below}</tbody></table>'
    )


def _row(rung: Rung, side: Side, scale: Scale, own: OwnAmounts, most: float) -> str:
    share = 100 * rung.total / most if most else 0
    mine = own.by_row.get(rung.price)
    style, old = (' class="old"', ", not up to date") if own.is_old else ("", "")
    mark = f'<b{style} title="own orders: {rounded(mine)}{old}">◆</b>' if mine else ""
    return (
        f'<tr class="{side}" style="--share:{share:.0f}%"><td>{mark}{rung.price:,.{scale.price}f}</td>'
        f"<td>{rung.amount:,.{scale.amount}f}</td><td>{rung.total:,.{scale.amount}f}</td></tr>"
    )


def own_by_row(orders: Iterable[tuple[str, float, float]], scale: Scale, group: int) -> dict[float, float]:
    """Return the open amount by the price of the row in which each order stands.

    An order is its side (`buy` or `sell`), price and remaining amount.
    """
    found: dict[float, float] = {}
    for side, price, amount in orders:
        (row,) = rungs([(price, amount)], "bid" if side == "buy" else "ask", scale, group, 1)
        found[row.price] = found.get(row.price, 0.0) + amount
    return found


def spread_text(book: OrderBook, scale: Scale) -> tuple[str, str]:
    """Return spread and mid: the spread also in basis points, the mid with one decimal more than prices have."""
    bid, ask = book.bids.best(), book.asks.best()
    if bid is None or ask is None:
        return NONE, NONE
    mid = (bid[0] + ask[0]) / 2
    spread = ask[0] - bid[0]
    return f"{number(spread, scale.price)} ({spread / mid * 10_000:,.1f} bp)", number(mid, scale.price + 1)


def scale_of(book: OrderBook, before: Scale = NO_SCALE) -> Scale:
    """Return the scale of what is near the middle of a book, no narrower than before."""
    return before.widened([*book.bids.levels(50), *book.asks.levels(50)])
