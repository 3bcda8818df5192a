"""A part of a strategy that handles events by itself."""

from millrace_strategy.events import Event
from millrace_strategy.strategy import Strategy


class StrategyPart:
    """Derive from it, and override `handle`, which is called before the strategy's own hooks.

    It is called with every event, or with those of some kinds.
    """

    def __init__(self, strategy: Strategy, *kinds: type[Event]) -> None:
        self.strategy = strategy
        strategy.attach(self.handle, *kinds)

    def handle(self, event: Event) -> None:
        """Handle an event. State comes first: orders and positions already show what it says."""

    def detach(self) -> None:
        """Handle no more events. Open orders stay as they are."""
        self.strategy.detach(self.handle)
