"""The depth chart: what stands in a book on either side of the middle, as SVG. Pure."""

from collections.abc import Sequence

from millrace_console.display.ladder import Scale
from millrace_console.display.text import number
from millrace_core.book import OrderBook
from millrace_core.market import Level

WIDTH, HEIGHT = 400, 120
_LEVELS = 100


def depth_svg(book: OrderBook, scale: Scale) -> str:
    """Return the cumulated amounts by price, bids left and asks right of the middle; empty without both sides."""
    bids, asks = _cumulated(book.bids.levels(_LEVELS)), _cumulated(book.asks.levels(_LEVELS))
    if not bids or not asks:
        return ""
    mid = (bids[0][0] + asks[0][0]) / 2
    # The nearer end of the two: with both sides equally wide, the slopes can be compared.
    reach = min(mid - bids[-1][0], asks[-1][0] - mid)
    if reach <= 0:
        return ""
    bids = [each for each in bids if mid - each[0] <= reach]
    asks = [each for each in asks if each[0] - mid <= reach]
    most = max(bids[-1][1], asks[-1][1])
    low, high = number(mid - reach, scale.price), number(mid + reach, scale.price)
    bought, sold = (_sum_text(side[-1][1], scale.amount) for side in (bids, asks))
    paths = "".join(
        f'<path class="{side}" d="{_path(levels, mid, reach, most)}"/>'
        for side, levels in (("bid", bids), ("ask", asks))
    )
    return (
        f'<svg class="depth" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Depth from {low} to {high}: bids {bought}, asks {sold}">{paths}</svg>'
        f'<div class="depth-scale"><span>{low}</span><span>bids {bought} · asks {sold}</span><span>{high}</span></div>'
    )


def _sum_text(amount: float, decimals: int) -> str:
    """Return an amount with three significant digits at least, but no more decimals than the book has."""
    whole = len(str(int(amount))) if amount >= 1 else 0
    return number(amount, min(decimals, max(0, 3 - whole)))


def _cumulated(levels: Sequence[Level]) -> list[tuple[float, float]]:
    total, found = 0.0, []
    for price, amount in levels:
        total += amount
        found.append((price, total))
    return found


def _path(levels: Sequence[tuple[float, float]], mid: float, reach: float, most: float) -> str:
    """Return a staircase from the middle outwards, closed at the bottom."""
    steps = [f"M{WIDTH / 2:.0f} {HEIGHT}"]
    x = WIDTH / 2
    for price, total in levels:
        x = WIDTH / 2 * (1 + (price - mid) / reach)
        steps.append(f"H{x:.1f}V{HEIGHT - HEIGHT * 0.95 * total / most:.1f}")
    edge = 0 if x < WIDTH / 2 else WIDTH
    return "".join(steps) + f"H{edge}V{HEIGHT}Z"
