"""What outlives a run of a strategy, and what it shows of itself: the port to where that is kept."""

from typing import Final, NamedTuple, Protocol

MAX_PLOTS: Final = 16
"""Names of plots that are kept; values of further ones are dropped."""


class SavedStrategy(NamedTuple):
    """What an earlier run left."""

    state: bytes | None = None
    """The document of `StrategyState`; None if there is none."""
    positions: bytes | None = None
    """What `StrategyPositions.saved` returned; None if there is nothing."""


class Recorder(Protocol):
    """Keeps what outlives a run. Calls return at once, and are carried out in their order."""

    def keep_state(self, document: bytes) -> None:
        """Keep this state from now on."""

    def positions_changed(self) -> None:
        """Take note that positions have changed: `Runtime.saved` returns them."""

    def plot(self, name: str, at_ms: int, value: float) -> None:
        """Keep a value of a plot, beside the newest of earlier ones."""


class NothingKept:
    """A recorder of a run after which nothing is wanted."""

    def keep_state(self, document: bytes) -> None:
        """Drop it."""

    def positions_changed(self) -> None:
        """Do nothing."""

    def plot(self, name: str, at_ms: int, value: float) -> None:
        """Drop it."""
