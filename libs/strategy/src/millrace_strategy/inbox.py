"""The events that wait for a strategy. Pure.

A strategy that is slower than its feed should act on the newest book, not on a backlog of old ones: waiting events of
one order book are merged into one. All other events are delivered once each, in order.
"""

from collections import deque

import msgspec

from millrace_core.names import ExchangeId, Symbol
from millrace_strategy.events import BookEvent, Event

_BookKey = tuple[ExchangeId, Symbol]
DEFAULT_ALARM_AT = 10_000


class Inbox:
    """Events in the order of their arrival, those of each order book conflated.

    A book's event has the place of the oldest that it stands for, and the content of the newest. Nothing is dropped;
    `put` raises an alarm at `alarm_at` waiting events and at each doubling.
    """

    def __init__(self, alarm_at: int = DEFAULT_ALARM_AT) -> None:
        self.entries: deque[Event | _BookKey] = deque()
        """What waits, oldest first; for reading."""
        self._books: dict[_BookKey, BookEvent] = {}
        self._first_alarm = self._next_alarm = alarm_at

    def __len__(self) -> int:
        return len(self.entries)

    def put(self, event: Event) -> bool:
        """Add an event, and tell whether the number of waiting events is an alarm."""
        if not isinstance(event, BookEvent):
            self.entries.append(event)
        else:
            key = (event.exchange, event.symbol)
            waiting = self._books.get(key)
            if waiting is None:
                self.entries.append(key)
            else:
                event = msgspec.structs.replace(event, changes=waiting.changes + event.changes)
            self._books[key] = event
        return self._alarms()

    def take(self) -> Event | None:
        """Return the event that waited longest; None if none waits."""
        if not self.entries:
            return None
        entry = self.entries.popleft()
        if not self.entries:
            self._next_alarm = self._first_alarm
        return self._books.pop(entry) if isinstance(entry, tuple) else entry

    def take_all(self) -> list[Event]:
        """Return all waiting events, in the order in which `take` would."""
        events = []
        while (event := self.take()) is not None:
            events.append(event)
        return events

    def clear(self) -> None:
        """Drop all events: the strategy has ended."""
        self.entries.clear()
        self._books.clear()

    def _alarms(self) -> bool:
        if len(self.entries) < self._next_alarm:
            return False
        self._next_alarm *= 2
        return True
