"""What waits for a strategy: pure, no I/O.

A strategy that is slower than its feed shall act on the newest book, not work off a backlog of old ones:
the events of one order book become one while they wait. Everything else is told once each, in order.
"""

from collections import deque

import msgspec

from millrace_core.names import ExchangeId, Symbol
from millrace_strategy.events import BookEvent, Event

_BookKey = tuple[ExchangeId, Symbol]
DEFAULT_ALARM_AT = 10_000


class Inbox:
    """Events in the order of their arrival, those of each order book conflated.

    A book's event waits at the place of the oldest that it stands for, and says what the newest said.
    Nothing is ever dropped; `alarm_at` events in waiting set the alarm off, and each doubling again.
    """

    def __init__(self, alarm_at: int = DEFAULT_ALARM_AT) -> None:
        self._queue: deque[Event | _BookKey] = deque()
        self._books: dict[_BookKey, BookEvent] = {}
        self._first_alarm = self._next_alarm = alarm_at

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, event: Event) -> bool:
        """Add an event; tell whether so many wait by now that somebody should know."""
        if not isinstance(event, BookEvent):
            self._queue.append(event)
        else:
            key = (event.exchange, event.symbol)
            waiting = self._books.get(key)
            if waiting is None:
                self._queue.append(key)
            else:
                event = msgspec.structs.replace(event, changes=waiting.changes + event.changes)
            self._books[key] = event
        return self._alarms()

    def take(self) -> Event | None:
        """Take the event that waited longest; None when there is none."""
        if not self._queue:
            self._next_alarm = self._first_alarm
            return None
        entry = self._queue.popleft()
        return self._books.pop(entry) if isinstance(entry, tuple) else entry

    def clear(self) -> None:
        """Forget everything: nobody is there to be told any more."""
        self._queue.clear()
        self._books.clear()

    def _alarms(self) -> bool:
        if len(self._queue) < self._next_alarm:
            return False
        self._next_alarm *= 2
        return True
