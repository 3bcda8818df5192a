"""The errors between a strategy and the platform.

MillraceError
├── ConfigInvalid     problems   (core) the strategy's configuration has mistakes; it was not started
├── NotSubscribed     stream     there is no subscription for the book; also a KeyError
├── StrategyStopped              the strategy has ended and cannot trade
└── StrategyFaulty               too many events in a row raised; the strategy is stopped
"""

from millrace_core.errors import MillraceError


class NotSubscribed(MillraceError, KeyError):
    """A strategy asks for an order book that its workplan does not subscribe to."""

    def __init__(self, stream: str) -> None:
        super().__init__(f"there is no book of {stream}: subscribe to watchOrderBook for it in the workplan")
        self.stream = stream

    def __str__(self) -> str:
        # A KeyError would print the repr of its argument.
        return str(self.args[0])


class StrategyStopped(MillraceError):
    """The strategy has ended; nothing was sent."""


class StrategyFaulty(MillraceError):
    """The strategy was stopped after too many errors in a row."""

    def __init__(self, strategy: str, in_a_row: int, last: BaseException) -> None:
        super().__init__(f"{strategy} was stopped after {in_a_row} errors in a row, the last {last!r}")
        self.in_a_row = in_a_row
