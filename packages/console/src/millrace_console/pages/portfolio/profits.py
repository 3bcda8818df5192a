"""Profits of several tenants, summed over whatever is not told apart. Pure, and exact to the last digit."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any, NamedTuple

import msgspec

from millrace_console.display.text import date_and_time
from millrace_console.pages.portfolio.choice import DATES, source_of

_EXACT = Context(prec=400)
"""Sums are never rounded."""


class Profit(NamedTuple):
    """One row of `/pnl`."""

    tenant: str
    row: Mapping[str, Any]

    def part(self, dimension: str) -> str:
        """Return where it stands in a dimension."""
        if dimension == "tenant":
            return self.tenant
        if dimension == "source":
            return source_of(self.row)
        if dimension in DATES:
            return date_and_time(self.row["atMs"])[: DATES[dimension]]
        return str(self.row[dimension])


class Sum(msgspec.Struct):
    """Profits of one currency, added up."""

    realised: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    turnover: Decimal = Decimal(0)
    trades: int = 0
    charged: dict[str, Decimal] = {}
    """Fees as they were charged, by currency."""
    unvalued: dict[str, Decimal] = {}
    """Those of them whose value is not known."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row of `/pnl`."""
        self.realised = _EXACT.add(self.realised, Decimal(row["realised"]))
        self.fees = _EXACT.add(self.fees, Decimal(row["fees"]))
        self.turnover = _EXACT.add(self.turnover, Decimal(row["turnover"]))
        self.trades += row["trades"]
        _add_all(self.charged, row["feesByCurrency"])
        _add_all(self.unvalued, row["unvaluedFees"])


def summed(profits: Iterable[Profit], by: Sequence[str]) -> dict[tuple[str, ...], Sum]:
    """Return sums by the dimensions and, last, the currency; months and days newest first."""
    found: dict[tuple[str, ...], Sum] = defaultdict(Sum)
    for each in profits:
        found[(*(each.part(dimension) for dimension in by), each.row["currency"])].add(each.row)
    ordered = dict(sorted(found.items()))
    dates = [place for place, each in enumerate(by) if each in DATES]
    return dict(sorted(ordered.items(), key=lambda item: [item[0][place] for place in dates], reverse=True))


def cumulated(
    profits: Iterable[Profit], by: Sequence[str], interval_ms: int, until_ms: int
) -> dict[str, list[tuple[int, Decimal]]]:
    """Return the realised profit of each line over time: its value at the end of each interval, from zero on."""
    steps: dict[str, dict[int, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for each in profits:
        name = " · ".join((*(each.part(dimension) for dimension in by), each.row["currency"]))
        at = each.row["atMs"]
        steps[name][at] = _EXACT.add(steps[name][at], Decimal(each.row["realised"]))
    return {name: _line(steps[name], interval_ms, until_ms) for name in sorted(steps)}


def _line(steps: Mapping[int, Decimal], interval_ms: int, until_ms: int) -> list[tuple[int, Decimal]]:
    total, line = Decimal(0), list[tuple[int, Decimal]]()
    for at in sorted(steps):
        if not line or line[-1][0] < at:
            line.append((at, total))
        total = _EXACT.add(total, steps[at])
        line.append((min(at + interval_ms, until_ms), total))
    return line


def _add_all(total: dict[str, Decimal], amounts: Mapping[str, str]) -> None:
    for currency, amount in amounts.items():
        total[currency] = _EXACT.add(total.get(currency, Decimal(0)), Decimal(amount))
