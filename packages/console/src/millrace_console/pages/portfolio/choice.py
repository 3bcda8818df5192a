"""What of the portfolio is shown: all of it stands in the address."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from millrace_console.place import Place
from millrace_core.clock import DAY_MS, now_ms

NO_REQUEST = "▲ no known request"
"""Stands for the source of trades that belong to no known request."""
DATES = {"month": 7, "day": 10}
"""How many characters of a date tell each apart."""
DIMENSIONS = {
    "tenant": "Tenant", "exchange": "Exchange", "symbol": "Symbol", "source": "Strategy", "month": "Month (UTC)",
    "day": "Day (UTC)",
}  # fmt: skip
"""What profit can be separated by."""
DEFAULT_BY = ("tenant", "source")
NOTHING = "nothing"
"""In the address: separated by nothing, rather than by default."""
HOUR_MS = 3_600_000


class Range(NamedTuple):
    """A time range up to now."""

    title: str
    ms: int | None
    """None for everything."""
    profit: str
    """The interval of profits."""
    equity: str
    """The interval of equity."""


RANGES = {
    "1h": Range("last hour", HOUR_MS, "1h", "1m"),
    "24h": Range("last 24 hours", DAY_MS, "1h", "2m"),
    "7d": Range("last 7 days", 7 * DAY_MS, "1h", "1h"),
    "30d": Range("last 30 days", 30 * DAY_MS, "1d", "6h"),
    "all": Range("all", None, "1d", "1d"),
}


class Choice(NamedTuple):
    """What is shown."""

    span: Range
    exchange: str
    symbol: str
    sources: tuple[str, ...]
    """As they are shown; none for all."""
    by: tuple[str, ...]

    @classmethod
    def at(cls, place: Place) -> "Choice":
        """Return the choice that an address names."""
        by = place.all("by") or DEFAULT_BY
        return cls(
            RANGES.get(place.get("range"), RANGES["24h"]),
            place.get("exchange"),
            place.get("symbol"),
            place.all("source"),
            tuple(each for each in DIMENSIONS if each in by),
        )

    def since_ms(self, until_ms: int) -> int | None:
        """Return when the range begins that ends at a time, ms; None for everything."""
        return None if self.span.ms is None else until_ms - self.span.ms

    def shows(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a position is among what is chosen."""
        return (
            self.exchange in ("", row["exchange"])
            and self.symbol in ("", row["symbol"])
            and (not self.sources or source_of(row) in self.sources)
        )

    def query(self) -> dict[str, Any]:
        """Return the filters as `/pnl` takes them."""
        sources = ["" if each == NO_REQUEST else each for each in self.sources]
        return {"exchange": self.exchange or None, "symbol": self.symbol or None, "source": sources or None}

    def export(self, kind: str) -> dict[str, str | None]:
        """Return the filters as an export takes them: of strategies, one or all; balances belong to no market."""
        since_ms = self.since_ms(now_ms())
        since = None if since_ms is None else str(since_ms)
        if kind == "balances":
            return {"since": since, "exchange": self.exchange}
        one = self.sources[0] if len(self.sources) == 1 and self.sources[0] != NO_REQUEST else None
        return {"since": since, "exchange": self.exchange, "symbol": self.symbol, "source": one}


def source_of(row: Mapping[str, Any]) -> str:
    """Return a row's strategy or person as it is shown."""
    return row["orderSource"] or NO_REQUEST


def chosen_sources(checked: Collection[str], offered: Collection[str]) -> list[str]:
    """Return what the address names of checked strategies: nothing when it is all of them, or none."""
    return [] if len(checked) == len(offered) else sorted(checked)
