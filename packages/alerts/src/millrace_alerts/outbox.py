"""Messages that wait for their receivers. None is removed before its receiver took it."""

import asyncio
from collections.abc import Collection
from typing import Final

import structlog

from millrace_alerts.memory import Keeper, Letter

MOST_WAITING: Final = 500
"""Of one receiver; beyond, the oldest are given up, which is counted and said."""

log = structlog.get_logger()


class Outbox:
    """The messages of all receivers."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._news: dict[str, asyncio.Event] = {}

    def put(self, receiver: str, letter: Letter) -> int:
        """Add a message; return how many were given up for it. The caller saves."""
        letters = self._letters(receiver)
        letters.append(letter)
        given_up = max(0, len(letters) - MOST_WAITING)
        del letters[:given_up]
        if given_up:
            log.error("too many messages wait; the oldest is given up", receiver=receiver)
        self._event(receiver).set()
        return given_up

    async def waiting(self, receiver: str) -> list[Letter]:
        """Return the messages of a receiver, oldest first, once there are any."""
        await self._keeper.loaded()
        while not self._letters(receiver):
            event = self._event(receiver)
            event.clear()
            await event.wait()
        return list(self._letters(receiver))

    def count(self) -> int:
        """Return how many messages wait."""
        return sum(map(len, self._keeper.memory.outbox.values()))

    async def taken(self, receiver: str, letters: Collection[Letter]) -> None:
        """Remove messages that their receiver took."""
        done = set(map(id, letters))
        self._keeper.memory.outbox[receiver] = [each for each in self._letters(receiver) if id(each) not in done]
        await self._keeper.save()

    def forget_all_but(self, receivers: Collection[str]) -> list[str]:
        """Give up the messages of receivers that are no more; return which had any."""
        outbox = self._keeper.memory.outbox
        gone = [receiver for receiver in outbox if receiver not in receivers]
        return [receiver for receiver in gone if outbox.pop(receiver)]

    def _letters(self, receiver: str) -> list[Letter]:
        return self._keeper.memory.outbox.setdefault(receiver, [])

    def _event(self, receiver: str) -> asyncio.Event:
        return self._news.setdefault(receiver, asyncio.Event())
