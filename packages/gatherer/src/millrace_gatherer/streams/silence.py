"""How long a stream may be silent: learned from how long it usually is. Pure.

A silence proves nothing by itself: the market may be quiet, or the exchange may have stopped sending on a connection
that still answers pings. So a stream that is silent for much longer than is usual for its symbol is taken again. If
that shows that nothing happened meanwhile, the silence was a usual one, and the next may last longer.
"""

from typing import Final

UNUSUAL: Final = 4.0
"""A silence this many times as long as the longest of the last minutes is unusual."""
LEAST_S: Final = 3.0
BUSY_S: Final = 0.5
"""A stream with a message this often on average is busy."""
BUSY_LIMIT_S: Final = 3.5
"""How long a busy one may be silent, though it once was for longer: its connection may have stalled. It is looked at
once a second, so the silence shows within 5 s also where the process is late."""
MOST_S: Final = 3_600.0
CONNECTING_S: Final = 30.0
"""How long the first message of a subscription may take, at least."""
LEARNED_AFTER_S: Final = 15.0
LEARNED_AFTER_MESSAGES: Final = 30
WINDOW_S: Final = 60.0
"""The longest silence counts for one to two of these."""


class UsualSilence:
    """The silences of one stream. Times are those of any steady clock, in s."""

    def __init__(self, unknown_s: float | None, now_s: float) -> None:
        self._unknown_s = unknown_s
        """The limit until the usual silence is known; None for no limit."""
        self._last_s = self._window_s = self._began_s = now_s
        self._longest_s = self._former_s = 0.0
        """The longest silence of this window and of the one before."""
        self._proved_s = self._former_proved_s = 0.0
        """The same of those in which nothing happened."""
        self._counted = self._former_counted = (now_s, 0)
        """When this window and the one before began, and how many messages there were by then."""
        self._messages = 0
        self._is_subscribed = self._is_proved = False
        self.is_mute = False
        """Whether things happened in a silence: until the next message the subscription is not trusted to bring any."""

    def subscribe(self, now_s: float) -> None:
        """Note that the stream was subscribed anew: the time without a subscription was no silence."""
        self._last_s, self._is_subscribed = now_s, False

    def received(self, now_s: float) -> bool:
        """Note a message; tell whether the stream was mute until now."""
        silent_s, self._last_s = now_s - self._last_s, now_s
        was_mute, self.is_mute = self.is_mute, False
        if not self._is_subscribed:
            self._is_subscribed = True
            return was_mute
        self._messages += 1
        if silent_s > self._longest_s:
            self._longest_s = silent_s
        if now_s - self._window_s > WINDOW_S:
            self._former_s, self._longest_s, self._window_s = self._longest_s, 0.0, now_s
            self._former_proved_s, self._proved_s = self._proved_s, 0.0
            self._former_counted, self._counted = self._counted, (now_s, self._messages)
        return was_mute

    def was_usual(self, silent_s: float) -> None:
        """Learn that nothing happened in a silence."""
        self._longest_s = max(self._longest_s, silent_s)
        self._proved_s = max(self._proved_s, silent_s)
        self._is_proved = True

    @property
    def last_s(self) -> float:
        """When the last message came."""
        return self._last_s

    @property
    def limit_s(self) -> float | None:
        """Return how long the stream may be silent now; None if silence proves nothing yet.

        A mute one is given the time of connecting, so that it is not asked for again all the time.
        """
        limit_s = self._usual_limit_s
        if limit_s is None or (self._is_subscribed and not self.is_mute):
            return limit_s
        return max(limit_s, CONNECTING_S)

    @property
    def _usual_limit_s(self) -> float | None:
        if not (self._is_proved or self._is_learned):
            return self._unknown_s
        limit_s = UNUSUAL * max(self._longest_s, self._former_s)
        if self._is_busy:
            proved_s = UNUSUAL * max(self._proved_s, self._former_proved_s)
            limit_s = max(min(limit_s, BUSY_LIMIT_S), proved_s)
        return min(max(limit_s, LEAST_S), MOST_S)

    @property
    def _is_busy(self) -> bool:
        since_s, before = self._former_counted
        return self._is_learned and self._last_s - since_s < BUSY_S * (self._messages - before)

    @property
    def _is_learned(self) -> bool:
        return self._messages >= LEARNED_AFTER_MESSAGES and self._last_s - self._began_s >= LEARNED_AFTER_S
