"""The pauses before something that failed is tried again."""

from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

_MOST_DOUBLINGS: Final = 30
_random: Final = SystemRandom().random


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Pauses, in seconds, that double from `first_s` up to `limit_s`."""

    first_s: float = 0.5
    limit_s: float = 30.0
    healthy_after_s: float = 30.0
    """After this long without a failure, the next one starts with the first pause again."""

    def pause_s(self, failures: int, random: Callable[[], float] = _random) -> float:
        """Return the seconds to wait after this many failures in a row, from the upper half of the range; 0 for none.

        The jitter keeps units that failed together, as in an exchange's outage, from returning together.
        """
        if failures < 1:
            return 0.0
        pause = self.first_s * (1 << min(failures - 1, _MOST_DOUBLINGS))
        return min(pause, self.limit_s) * (0.5 + random() / 2)


class Backoff:
    """Counts the failures of one thing in a row."""

    def __init__(self, policy: BackoffPolicy, random: Callable[[], float] = _random) -> None:
        self.policy = policy
        self.failures = 0
        """Failures in a row."""
        self._random = random

    def failed(self, *, at_least_s: float = 0.0) -> float:
        """Count a failure, and return the seconds to wait: `at_least_s`, or longer."""
        self.failures += 1
        return max(at_least_s, self.policy.pause_s(self.failures, self._random))

    def recovered(self) -> None:
        """Forget the failures: it has run for `healthy_after_s`."""
        self.failures = 0
