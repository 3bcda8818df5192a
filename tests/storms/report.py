"""What a campaign found, as text."""

from collections.abc import Iterable, Sequence
from statistics import median

from tests.storms.figures import Figures

_MOST_SHOWN = 20
_FLAGGED_MS = 100
"""How soon a reader should see that a book's stream has a gap, where the processor is free."""


def progress(figures: Figures) -> str:
    """Return one line about a campaign that goes on."""
    books = figures.books
    parts = (
        f"{figures.frames:,} frames ({figures.frames / max(figures.seconds, 0.001):,.0f}/s)",
        f"{sum(figures.faults.values())} faults",
        f"{len(books.wrong)} wrong of {books.compared:,} books",
        f"gaps flagged {_times([flag.after_s for flag in books.flags])}",
        f"silences {_times(figures.silences_s)}",
        f"live {figures.live_percent:.2f} %",
        f"{len(figures.violations)} violations",
    )
    return ", ".join(parts)


def summary(figures: Figures) -> str:
    """Return everything about a campaign that has ended."""
    books, trades = figures.books, figures.trades
    lines = (
        progress(figures),
        f"faults: {', '.join(f'{kind} {count}' for kind, count in figures.faults.items())}",
        f"gaps: {len(books.flags)} flagged, {_late(flag.after_s for flag in books.flags)} of them later than"
        f" {_FLAGGED_MS} ms after the frame that showed them, and"
        f" {_late(flag.after_s - flag.stood_still_s for flag in books.flags)} without the time in which the judge"
        " itself stood still;"
        f" {books.healed} covered by a whole book, {len(books.unnoticed)} not",
        f"silences of busy streams: {len(figures.silences_s)} shown, {len(figures.unseen_silences)} not",
        f"trades: {trades.compared:,} compared, {trades.late} late, {figures.missing_trades} missing,"
        f" {sum(figures.untold.values())} of them untold",
        f"account right again: {_times(figures.right_again_s)} in {len(figures.right_again_s)} runs",
        f"counters: {', '.join(f'{name} {count:g}' for name, count in sorted(figures.counters.items()))}",
        f"violations: {len(figures.violations)}",
        *(f"  {violation}" for violation in figures.violations[:_MOST_SHOWN]),
    )
    return "\n".join(lines)


def _late(times_s: Iterable[float]) -> int:
    return sum(1000 * time_s > _FLAGGED_MS for time_s in times_s)


def _times(times_s: Sequence[float]) -> str:
    if not times_s:
        return "none"
    return f"p50 {1000 * median(times_s):.0f} ms, max {1000 * max(times_s):.0f} ms"
