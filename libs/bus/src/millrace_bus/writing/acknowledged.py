"""How far Redis has acknowledged a writer's messages, and who waits for that."""

import asyncio

from millrace_core.ids import MessageId


class Acknowledged:
    """Counts the messages of one epoch that Redis has taken; they are acknowledged in order."""

    def __init__(self) -> None:
        self.seq = 0
        """The last message that is acknowledged."""
        self._epoch = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def one(self) -> None:
        """Count the next message."""
        self.seq += 1
        if self._waiting and self._waiting[0][0] <= self.seq:
            self._settle()

    def restart(self, at: MessageId, last: int) -> None:
        """Count on from another place: the stream was met again, and ends with `last` by now.

        In a new epoch whoever waits waits for all of it: no message of the old one is acknowledged any more.
        """
        if at.epoch != self._epoch:
            self._waiting = [(last, done) for _, done in self._waiting]
        self._epoch, self.seq = at
        self._settle()

    def fail(self, error: Exception) -> None:
        """Tell everyone who waits that it will not come."""
        waiting, self._waiting = self._waiting, []
        for _, done in waiting:
            if not done.done():
                done.set_exception(error)

    async def wait_for(self, seq: int) -> None:
        """Wait until a message is acknowledged.

        Raises:
            whatever `fail` was told.
        """
        if seq > self.seq:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((seq, done))
            await done

    def _settle(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.seq:
            _, done = self._waiting.pop(0)
            if not done.done():
                done.set_result(None)
