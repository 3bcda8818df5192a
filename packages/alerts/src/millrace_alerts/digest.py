"""What there is to tell of one rule since its last message: a storm becomes one message. Pure."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import msgspec

MOST_EXAMPLES: Final = 5


class Active(msgspec.Struct):
    """A condition that holds."""

    text: str
    since_ms: int


class Summary(NamedTuple):
    """What one message of a rule says."""

    raised: int
    """Conditions that began, and events, since the message before."""
    first_ms: int
    last_ms: int
    examples: Mapping[str, int]
    """Some of them, and how often each was."""
    over: int
    """Conditions that ended since."""
    over_examples: Collection[str]
    active: int
    """Conditions that hold still."""


class Digest(msgspec.Struct):
    """The state of one rule; it is kept in Redis, so that a restart neither repeats nor loses anything."""

    active: dict[str, Active] = {}
    raised: int = 0
    first_ms: int = 0
    last_ms: int = 0
    examples: dict[str, int] = {}
    over: int = 0
    over_ms: int = 0
    """When the first of those that are over, and not told, ended."""
    over_examples: list[str] = []
    sent_ms: int = 0

    def observe(self, conditions: Mapping[str, str], now_ms: int, unseen: Collection[str] = ()) -> int:
        """Take the conditions that hold now, by key; return how many are new.

        A key begins with what it was seen at. A condition of what is `unseen` stays as it was: nobody knows.
        """
        begun = [key for key in conditions if key not in self.active]
        for key in begun:
            self.active[key] = Active(conditions[key], now_ms)
            self.add(conditions[key], now_ms)
        for key in [*self.active]:
            if key not in conditions and key.partition(" ")[0] not in unseen:
                self._end(self.active.pop(key), now_ms)
        return len(begun)

    def add(self, text: str, now_ms: int) -> None:
        """Take something that happened."""
        self.first_ms = self.first_ms if self.raised else now_ms
        self.last_ms = now_ms
        self.raised += 1
        if text in self.examples or len(self.examples) < MOST_EXAMPLES:
            self.examples[text] = self.examples.get(text, 0) + 1

    def is_due(self, now_ms: int, *, least: float, gather_s: float, quiet_s: float) -> bool:
        """Tell whether a message is to be sent: `least` things happened or one is over, gathered, and not too soon."""
        began = [self.first_ms] if self.raised and self.raised >= least else []
        began += [self.over_ms] if self.over else []
        return bool(began) and now_ms >= max(min(began) + gather_s * 1000, self.sent_ms + quiet_s * 1000)

    def take(self, now_ms: int) -> Summary:
        """Return what there is to tell, which counts as told from then on."""
        summary = Summary(
            raised=self.raised,
            first_ms=self.first_ms,
            last_ms=self.last_ms,
            examples=self.examples,
            over=self.over,
            over_examples=self.over_examples,
            active=len(self.active),
        )
        self.raised, self.over, self.examples, self.over_examples, self.sent_ms = 0, 0, {}, [], now_ms
        return summary

    def _end(self, condition: Active, now_ms: int) -> None:
        self.over_ms = self.over_ms if self.over else now_ms
        self.over += 1
        if len(self.over_examples) < MOST_EXAMPLES:
            lasted_s = max(0, now_ms - condition.since_ms) // 1000
            self.over_examples.append(f"{condition.text} (lasted {lasted_s} s)")
