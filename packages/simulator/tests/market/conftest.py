from collections.abc import Callable

import pytest

from millrace_simulator.config import default_config
from millrace_simulator.market import Market
from millrace_simulator.venue import ManualClock, Venue

Opener = Callable[..., tuple[Venue, Market]]


@pytest.fixture
def open_market() -> Opener:
    """Opens the built-in exchange, or some of its symbols, with a market that the test steps."""

    def opened(*symbols: str, seed: int = 1, events_per_second: float = 200) -> tuple[Venue, Market]:
        config = default_config()
        listed = [rules for rules in config.symbols if not symbols or rules.symbol in symbols]
        venue = Venue(listed, config.accounts, clock=ManualClock(), seed=seed)
        market = Market(venue, seed=seed, events_per_second=events_per_second)
        market.open()
        return venue, market

    return opened
