"""The newest trades of a market as an HTML table. Pure."""

from collections.abc import Iterable, Sequence
from itertools import islice

from millrace_console.display.ladder import Scale, decimals
from millrace_console.display.text import NONE, time_of_day
from millrace_core.market import Trade

_SIGNS = {
    "buy": ('<span title="a buyer took">▲</span>', "up"),
    "sell": ('<span title="a seller took">▼</span>', "down"),
}
_NO_SIDE = ("", "")


def trades_html(trades: Sequence[Trade], scale: Scale, count: int) -> str:
    """Return the newest trades, newest first."""
    if not trades:
        return '<p class="muted">No trade yet.</p>'
    rows = "".join(_row(each, scale) for each in islice(reversed(trades), count))
    return (
        '<table class="ladder trades"><thead><tr><th scope="col">Time (UTC)</th><th scope="col">Price</th>'
        f'<th scope="col">Amount</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _row(trade: Trade, scale: Scale) -> str:
    sign, style = _SIGNS.get(trade.side or "", _NO_SIDE)
    return (
        f'<tr><td>{time_of_day(trade.timestamp)}</td><td class="{style}">{sign} {trade.price:,.{scale.price}f}</td>'
        f"<td>{trade.amount:,.{scale.amount}f}</td></tr>"
    )


def last_price(trades: Sequence[Trade], scale: Scale) -> str:
    """Return the newest trade's price with the side that took, as HTML."""
    if not trades:
        return NONE
    last = trades[-1]
    sign, style = _SIGNS.get(last.side or "", _NO_SIDE)
    return f'<span class="{style}">{sign} {last.price:,.{scale.price}f}</span>'


def widened(scale: Scale, trades: Iterable[Trade]) -> Scale:
    """Return the scale that also holds the amounts of these trades."""
    return Scale(scale.price, max([scale.amount, *(decimals(each.amount) for each in trades)]))
