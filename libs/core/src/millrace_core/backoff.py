"""The pauses before something that failed is tried again."""

from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

_MOST_DOUBLINGS: Final = 30


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Pauses, in seconds, that double from `first_s` up to `limit_s`."""

    first_s: float = 0.5
    limit_s: float = 30.0
    healthy_after_s: float = 30.0
    """After this long without a failure, the next one starts with the first pause again."""


class Backoff:
    """Counts the failures of one thing, and draws each pause from the upper half of its range.

    The jitter keeps units that failed together, as in an exchange's outage, from returning together.
    """

    def __init__(self, policy: BackoffPolicy, random: Callable[[], float] | None = None) -> None:
        self.policy = policy
        self.failures = 0
        """Failures in a row."""
        self._random = random or SystemRandom().random

    def failed(self) -> float:
        """Count a failure, and return the seconds to wait."""
        pause = self.policy.first_s * (1 << min(self.failures, _MOST_DOUBLINGS))
        self.failures += 1
        return min(pause, self.policy.limit_s) * (0.5 + self._random() / 2)

    def recovered(self) -> None:
        """Forget the failures: it has run for `healthy_after_s`."""
        self.failures = 0
