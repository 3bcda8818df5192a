"""What a campaign found."""

from dataclasses import dataclass, field

from tests.storms.books import BookFigures
from tests.storms.trades import TradeFigures


@dataclass
class Figures:
    """What a campaign found."""

    frames: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    books: BookFigures = field(default_factory=BookFigures)
    trades: TradeFigures = field(default_factory=TradeFigures)
    silences_s: list[float] = field(default_factory=list)
    """How long each silence of a busy stream lasted until it was shown."""
    unseen_silences: list[str] = field(default_factory=list)
    right_again_s: list[float] = field(default_factory=list)
    """How long after each run the account was right."""
    account: list[str] = field(default_factory=list)
    """What differed of the account in the end of a run."""
    missing_trades: int = 0
    """How many were never shown."""
    untold: dict[str, int] = field(default_factory=dict)
    """Those that were not reported lost although the exchange's numbers show them, by stream."""
    counters: dict[str, float] = field(default_factory=dict)
    """Those of the gatherer's heartbeat, summed over its units."""

    @property
    def violations(self) -> list[str]:
        """Return everything that must not be."""
        return [
            *self.books.wrong,
            *self.books.unnoticed,
            *self.trades.wrong,
            *self.unseen_silences,
            *self.account,
            *(f"{name}: {count} trades are missing and were not reported" for name, count in self.untold.items()),
        ]

    @property
    def live_percent(self) -> float:
        """Return how much of the time books were live."""
        return 100 * self.books.live_s / self.books.watched_s if self.books.watched_s else 0.0
