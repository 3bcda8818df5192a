"""A latency waterfall: one bar a hop, on a common scale, beside the numbers that it shows. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from millrace_console.display.text import duration, html

HOPS = {
    "exchange→received": "exchange → gatherer",
    "received→published": "gatherer → Redis",
    "published→delivered": "Redis → strategy",
    "delivered→decided": "strategy decides",
    "decided→accepted": "strategy → executor",
    "accepted→sent": "executor checks",
    "sent→acknowledged": "exchange answers",
}
"""What each hop of a trace is (docs/protocol.md, "Latency")."""


class Bar(NamedTuple):
    """One hop."""

    name: str
    start_ns: int
    """Since the first moment of the trace."""
    ns: int


def bars_of(latencies: Mapping[str, int]) -> list[Bar]:
    """Return the hops one after the other, in the order in which they were passed."""
    start, bars = 0, []
    for hop, ns in latencies.items():
        bars.append(Bar(HOPS.get(hop, hop), start, ns))
        start += ns
    return bars


def waterfall_html(bars: Sequence[Bar], caption: str) -> str:
    """Return the bars as the last column of the table of their numbers.

    A hop below zero comes from two machines whose clocks differ: it says so and has no bar.
    """
    if not bars:
        return '<p class="muted">No times are known of it.</p>'
    low = min(min(each.start_ns, each.start_ns + each.ns) for each in bars)
    high = max(max(each.start_ns, each.start_ns + each.ns) for each in bars)
    rows = "".join(_row(each, low, max(1, high - low)) for each in bars)
    whole = bars[-1].start_ns + bars[-1].ns
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{html(caption)}"><table class="data waterfall">'
        '<thead><tr><th scope="col">Hop</th><th scope="col" class="number">Took</th><th scope="col" class="number">'
        f'After the start</th><th scope="col" class="picture">Picture</th></tr></thead><tbody>{rows}'
        f'<tr><th scope="row">in all</th><td class="number">{duration(whole)}</td><td></td><td></td></tr>'
        "</tbody></table></div>"
    )


def _row(bar: Bar, low: int, whole: int) -> str:
    left, width = 100 * (bar.start_ns - low) / whole, max(0.4, 100 * bar.ns / whole)
    picture = f'<i style="margin-left:{left:.2f}%;width:{width:.2f}%"></i>' if bar.ns >= 0 else "clocks differ"
    return (
        f'<tr><td>{html(bar.name)}</td><td class="number">{duration(bar.ns)}</td>'
        f'<td class="number">{duration(bar.start_ns + bar.ns)}</td><td class="picture">{picture}</td></tr>'
    )
