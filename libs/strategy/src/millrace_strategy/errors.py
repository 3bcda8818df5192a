"""The errors between a strategy and the platform.

MillraceError
├── ConfigInvalid     problems     (core) the strategy's configuration has mistakes; it was not started
├── NotSubscribed     stream       there is no subscription for what is asked for; also a KeyError
├── StateTooLarge     field, size  what was assigned to the state would make it too large; also a ValueError
├── SavedRecordBroken              what an earlier run kept cannot be read
├── StrategyStopped                the strategy has ended and cannot trade
├── AnswerOverdue     request_id   an awaited answer did not come in time; its order may exist; also a TimeoutError
└── StrategyFaulty                 the strategy exceeded a limit and is stopped
    ├── TooManyErrors              its hooks raised too often
    ├── HookCancelled              the task of a hook was cancelled from inside
    ├── StartFailed                `on_start` of a new version raised
    └── EventTooSlow               its hooks took too long for one event
"""

from millrace_core.errors import MillraceError


class NotSubscribed(MillraceError, KeyError):
    """A strategy asks for data of a stream that its workplan does not subscribe to."""

    def __init__(self, stream: str, action: str) -> None:
        super().__init__(f"there is no {action} of {stream}: subscribe to {action} for it in the workplan")
        self.stream = stream

    def __str__(self) -> str:
        # A KeyError would print the repr of its argument.
        return str(self.args[0])


class StateTooLarge(MillraceError, ValueError):
    """The state of a strategy would become too large; it stays as it was."""

    def __init__(self, field: str, size: int, limit: int) -> None:
        super().__init__(f"with {field} the state would have {size:,} bytes; it may have {limit:,}")
        self.field, self.size = field, size


class SavedRecordBroken(MillraceError):
    """What an earlier run of a strategy kept cannot be read: it is not started without what it knew."""


class StrategyStopped(MillraceError):
    """The strategy has ended; nothing was sent."""


class AnswerOverdue(MillraceError, TimeoutError):
    """An awaited answer did not come in time. It may still come, and what was requested may still happen."""

    def __init__(self, what: str, request_id: str, within_ms: float, *, is_unknown: bool) -> None:
        known = "the executor does not know its outcome yet" if is_unknown else "no executor has acknowledged it"
        after = f"after {within_ms / 1_000:g} s"
        super().__init__(
            f"{what} has no final answer {after}: {known}; it may have been carried out, or still be carried out: "
            "do not send it again"
        )
        self.request_id = request_id
        self.is_unknown = is_unknown
        """Whether the executor has answered `unknown`; False if it has not answered at all."""


class StrategyFaulty(MillraceError):
    """The strategy exceeded one of its limits and is stopped. The hook's error, if there is one, is the cause."""


class TooManyErrors(StrategyFaulty):
    """The strategy's hooks raised too often, in a row or within a minute."""


class HookCancelled(StrategyFaulty):
    """The task of a hook was cancelled from inside: no hook is called any more, and live the strategy is restarted."""

    def __init__(self) -> None:
        super().__init__("the task of a hook was cancelled from inside: no hook is called any more")


class StartFailed(StrategyFaulty):
    """A new version of the strategy raised in its `on_start`."""


class EventTooSlow(StrategyFaulty):
    """The strategy's hooks took longer for one event than its limit allows."""
