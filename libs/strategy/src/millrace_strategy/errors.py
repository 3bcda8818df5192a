"""What can go wrong between a strategy and the platform.

MillraceError
├── ConfigInvalid     problems   (core) the strategy's configuration has mistakes; it was not started
├── NotSubscribed     feed       a strategy asks for a book that nothing feeds; also a KeyError
├── StrategyStopped              a strategy that was stopped, or has failed, wants to trade
└── StrategyFaulty               hooks raised so many times in a row that the strategy was given up
"""

from millrace_core.errors import MillraceError


class NotSubscribed(MillraceError, KeyError):
    """A strategy asks for a book that nothing feeds: its workplan lacks the subscription."""

    def __init__(self, feed: str) -> None:
        super().__init__(f"there is no book of {feed}: subscribe to watchOrderBook for it in the workplan")
        self.feed = feed

    def __str__(self) -> str:
        # A KeyError would print the repr of its argument.
        return str(self.args[0])


class StrategyStopped(MillraceError):
    """Nothing was sent: the strategy was stopped or has failed."""


class StrategyFaulty(MillraceError):
    """The strategy was given up after too many errors in a row; the last one is its cause."""

    def __init__(self, strategy: str, in_a_row: int, last: BaseException) -> None:
        super().__init__(f"{strategy} was stopped after {in_a_row} errors in a row, the last {last!r}")
        self.in_a_row = in_a_row
