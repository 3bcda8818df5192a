"""A budget within one process: for a process alone, for tests, and for when Redis is away."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from millrace_core.budget.budget import Charge, Pauses, Verdict


def monotonic_ms() -> float:
    """Return a clock that never goes back, ms."""
    return time.monotonic() * 1000


_User = tuple[bool, str]
"""Whether it was urgent, and the tenant."""
_OUTSIDE: Final[_User] = (False, "")
"""What the exchange counted and nobody here sent."""


class Window:
    """What was used of one limit, by whom, within its newest window."""

    def __init__(self) -> None:
        self._uses: deque[tuple[float, _User, int]] = deque()
        self._by_user: Counter[_User] = Counter()

    @property
    def used(self) -> int:
        """What everybody used, as of the last call of `forget`."""
        return self._by_user.total()

    def forget(self, before_ms: float) -> None:
        """Drop what was used before a time."""
        while self._uses and self._uses[0][0] <= before_ms:
            _, user, weight = self._uses.popleft()
            self._by_user[user] -= weight
            if not self._by_user[user]:
                del self._by_user[user]

    def add(self, now_ms: float, weight: int, user: _User = _OUTSIDE) -> None:
        """Count a use."""
        self._uses.append((now_ms, user, weight))
        self._by_user[user] += weight

    def fits(self, charge: Charge, user: _User) -> bool:
        """Tell whether a request may go."""
        sharing = {each for each in self._by_user if each[0] == user[0] and each != _OUTSIDE} | {user}
        return charge.fits(self.used, self._by_user[user], len(sharing))

    def oldest_ms(self, now_ms: float) -> float:
        """Return when the oldest use was made that still counts."""
        return self._uses[0][0] if self._uses else now_ms


class LocalBudget:
    """The port `Budget` over this process's own count."""

    def __init__(self, clock_ms: Callable[[], float] = monotonic_ms) -> None:
        self._clock_ms = clock_ms
        self._windows: dict[str, Window] = {}
        self._pauses = Pauses()

    @property
    def used(self) -> Mapping[str, int]:
        """What was used of each limit."""
        return {key: window.used for key, window in self._windows.items()}

    async def take(self, charges: Sequence[Charge], tenant: str, *, urgent: bool = False) -> Verdict:
        """Count a request against all of its limits, or against none if it does not fit into each."""
        return self.take_now(charges, tenant, urgent=urgent)

    def take_now(self, charges: Sequence[Charge], tenant: str, *, urgent: bool = False) -> Verdict:
        """Do what `take` does; it needs no waiting here."""
        now_ms = self._clock_ms()
        if stopped_ms := self._pauses.left_ms([charge.key for charge in charges], now_ms):
            return Verdict(stopped_ms, is_stopped=True)
        windows = [self._window(charge.key, charge.window_ms, now_ms) for charge in charges]
        waits_ms = [
            charge.window_ms - (now_ms - window.oldest_ms(now_ms))
            for charge, window in zip(charges, windows, strict=True)
            if not window.fits(charge, (urgent, tenant))
        ]
        if waits_ms:
            return Verdict(max(1, -int(-max(waits_ms) // 1)))
        for charge, window in zip(charges, windows, strict=True):
            if not charge.is_open:
                window.add(now_ms, charge.weight, (urgent, tenant))
        return Verdict()

    def stop(self, key: str, ms: int) -> None:
        """Grant nothing that is charged to a limit for a time; a longer pause that is known already stays."""
        self._pauses.add(key, self._clock_ms(), ms)

    def stopped_ms(self, keys: Sequence[str]) -> int:
        """Return how much of the longest pause of some limits is left."""
        return self._pauses.left_ms(keys, self._clock_ms())

    def observe(self, key: str, window_ms: int, used: int) -> None:
        """Take over how much of a limit the exchange itself has counted, if it is more than is known here."""
        now_ms = self._clock_ms()
        window = self._window(key, window_ms, now_ms)
        if (more := used - window.used) > 0:
            window.add(now_ms, more)

    def _window(self, key: str, window_ms: int, now_ms: float) -> Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = Window()
        window.forget(now_ms - window_ms)
        return window
