"""What a backtest is run with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf

from millrace_backtest.exchange.fees import ANY_EXCHANGE, FeeRates


@dataclass(frozen=True, kw_only=True)
class BacktestSettings:
    """How the exchanges of a backtest behave, and of what of the recording it is made."""

    latency: str = "5"
    """As `latency_of` reads it."""
    fees: Mapping[str, FeeRates] = field(default_factory=lambda: {ANY_EXCHANGE: FeeRates()})
    balances: Mapping[str, Decimal] | None = None
    """What each account holds at first, by currency; None for what was recorded, or else for no limit."""
    seed: int = 1
    since_ns: int | None = None
    """From when on strategies run; what is before only builds the state of streams."""
    until_ns: int | None = None

    @property
    def end_ns(self) -> float:
        """Return when the backtest ends at the latest."""
        return inf if self.until_ns is None else self.until_ns
