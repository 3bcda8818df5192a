"""The crowd: every background participant of every symbol."""

from __future__ import annotations

from millrace_simulator.venue import Venue


class Market:
    """Moves the venue's books; fully determined by the seed and the steps."""

    paused: bool
    """While True the participants do nothing; time and steps go on."""
    events_per_second: float
    """Changes of books wanted, over all symbols; may be set at any time."""

    def __init__(self, venue: Venue, *, seed: int, events_per_second: float) -> None:
        raise NotImplementedError

    def open(self) -> None:
        """Fill the books, so that the venue can begin."""
        raise NotImplementedError

    def step(self, until_us: int) -> None:
        """Let everything happen that is due by `until_us`, in one burst, then tell listeners `on_step`."""
        raise NotImplementedError


async def run(market: Market, *, step_ms: int = 10) -> None:
    """Step the market along the wall clock until cancelled."""
    raise NotImplementedError
