"""Messages that wait for their receivers. None is removed before its receiver took it."""

import asyncio
from collections.abc import Collection
from typing import Final

import structlog

from millrace_alerts.memory import AlertMessage, SavedMemory

MOST_WAITING: Final = 500
"""Of one receiver; beyond, the oldest are given up, which is counted and said."""

log = structlog.get_logger()


class Outbox:
    """The messages of all receivers."""

    def __init__(self, saved: SavedMemory) -> None:
        self._saved = saved
        self._news: dict[str, asyncio.Event] = {}

    def put(self, receiver: str, message: AlertMessage) -> int:
        """Add a message; return how many were given up for it. The caller saves."""
        messages = self._messages(receiver)
        messages.append(message)
        given_up = max(0, len(messages) - MOST_WAITING)
        del messages[:given_up]
        if given_up:
            log.error("too many messages wait; the oldest is given up", receiver=receiver)
        self._event(receiver).set()
        return given_up

    async def waiting(self, receiver: str) -> list[AlertMessage]:
        """Return the messages of a receiver, oldest first, once there are any."""
        await self._saved.loaded()
        while not self._messages(receiver):
            event = self._event(receiver)
            event.clear()
            await event.wait()
        return list(self._messages(receiver))

    def has(self, receiver: str, rule: str) -> bool:
        """Tell whether a message of a rule waits for a receiver."""
        return any(each.rule == rule for each in self._messages(receiver))

    def count(self) -> int:
        """Return how many messages wait."""
        return sum(map(len, self._saved.memory.outbox.values()))

    async def taken(self, receiver: str, messages: Collection[AlertMessage]) -> None:
        """Remove messages that their receiver took."""
        done = set(map(id, messages))
        self._saved.memory.outbox[receiver] = [each for each in self._messages(receiver) if id(each) not in done]
        await self._saved.save()

    def forget_all_but(self, receivers: Collection[str]) -> list[str]:
        """Drop the messages of receivers that were removed; return which had any."""
        outbox = self._saved.memory.outbox
        gone = [receiver for receiver in outbox if receiver not in receivers]
        return [receiver for receiver in gone if outbox.pop(receiver)]

    def _messages(self, receiver: str) -> list[AlertMessage]:
        return self._saved.memory.outbox.setdefault(receiver, [])

    def _event(self, receiver: str) -> asyncio.Event:
        return self._news.setdefault(receiver, asyncio.Event())
