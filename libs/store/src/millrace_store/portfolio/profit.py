"""Profit of periods: what positions gained between two moments, in any sums. Pure."""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal, localcontext
from typing import Literal, NamedTuple

from millrace_core.instrument import Instrument
from millrace_core.position import EXACT, Position, plain
from millrace_store.queries.portfolio_records import ProfitRecord

Apart = Literal["exchange", "symbol", "source"]
"""What profits may be separated by; they are summed over everything else."""


class Profit(NamedTuple):
    """One strategy's position in one market before a period and at its end."""

    at_ms: int
    """When the period began."""
    exchange: str
    symbol: str
    source: str
    before: Position
    after: Position

    def key(self, apart: Collection[Apart]) -> tuple[str | int | None, ...]:
        """Return what this profit must share with those that it is summed with."""
        parts = {"exchange": self.exchange, "symbol": self.symbol, "source": self.source}
        named = (value if name in apart else None for name, value in parts.items())
        return (self.at_ms, *named, Instrument.of(self.symbol).currency)


def summed(profits: Iterable[Profit], apart: Collection[Apart]) -> list[ProfitRecord]:
    """Return the sums, oldest first."""
    groups: dict[tuple[str | int | None, ...], list[Profit]] = {}
    for profit in profits:
        groups.setdefault(profit.key(apart), []).append(profit)
    keys = sorted(groups, key=lambda key: tuple("" if part is None else part for part in key))
    with localcontext(EXACT):
        return [_record(groups[key], apart) for key in keys]


def _record(group: list[Profit], apart: Collection[Apart]) -> ProfitRecord:
    first = group[0]
    return ProfitRecord(
        at_ms=first.at_ms,
        exchange=first.exchange if "exchange" in apart else None,
        symbol=first.symbol if "symbol" in apart else None,
        order_source=(first.source or None) if "source" in apart else None,
        currency=Instrument.of(first.symbol).currency,
        realised=plain(sum((one.after.realised - one.before.realised for one in group), Decimal(0))),
        fees=plain(sum((one.after.fees - one.before.fees for one in group), Decimal(0))),
        fees_by_currency=_difference([(one.before.fees_by_currency, one.after.fees_by_currency) for one in group]),
        unvalued_fees=_difference([(one.before.unvalued_fees, one.after.unvalued_fees) for one in group]),
        turnover=plain(sum((one.after.turnover - one.before.turnover for one in group), Decimal(0))),
        trades=sum(one.after.trades - one.before.trades for one in group),
    )


def _difference(pairs: Iterable[tuple[Mapping[str, Decimal], Mapping[str, Decimal]]]) -> dict[str, Decimal]:
    """Return how much the amounts of each currency grew; those that did not are left out."""
    sums: dict[str, Decimal] = {}
    for before, after in pairs:
        for code, amount in after.items():
            sums[code] = sums.get(code, Decimal(0)) + amount - before.get(code, Decimal(0))
    return {code: plain(amount) for code, amount in sums.items() if amount}
