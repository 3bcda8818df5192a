"""The newest messages of a writer, kept for resending if Redis loses them, and their acknowledgements."""

import asyncio
from collections import deque

from millrace_core.ids import MessageId

KEPT_NS = 5_000_000_000
"""How long an acknowledged message is kept: Redis flushes to disk every second, two when the disk is busy."""


class ResendBuffer:
    """The newest messages of one epoch, to be written again if Redis lost them.

    Numbered without gaps, but for those that were forgotten; bounded in count and, once acknowledged, in age.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: deque[tuple[int, int, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, seq: int, at_ns: int, message: bytes, acknowledged: int, *, is_connected: bool = True) -> bool:
        """Keep a message; tell whether all unacknowledged messages are still kept.

        `at_ns` is when it was written, by the monotonic clock. Drops acknowledged messages older than 5 s, except
        during an outage: Redis may return without them. If there are too many, the oldest is dropped.
        """
        entries = self._entries
        entries.append((seq, at_ns, message))
        while is_connected and entries[0][0] <= acknowledged and at_ns - entries[0][1] > KEPT_NS:
            entries.popleft()
        if len(entries) <= self._most:
            return True
        return entries.popleft()[0] <= acknowledged

    @property
    def first(self) -> int | None:
        """Return the number of the oldest kept message, or None."""
        return self._entries[0][0] if self._entries else None

    def after(self, seq: int) -> list[tuple[int, bytes]]:
        """Return the kept messages after a number, in order."""
        return [(number, message) for number, _, message in self._entries if number > seq]

    def forget(self, seq: int) -> None:
        """Forget one message: it will not be written again."""
        self._entries = deque(entry for entry in self._entries if entry[0] != seq)

    def clear(self) -> None:
        """Forget everything: another epoch begins."""
        self._entries.clear()


class Acknowledged:
    """Counts the acknowledged messages of one epoch; acknowledgements come in order."""

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
        """Continue at another position: a new session began, and the stream ends with `last` by now.

        In a new epoch every waiter waits for all of it: no message of the old one is acknowledged any more.
        """
        if at.epoch != self._epoch:
            self._waiting = [(last, done) for _, done in self._waiting]
        self._epoch, self.seq = at
        self._settle()

    def fail(self, error: Exception) -> None:
        """Fail all waiters with an error."""
        waiting, self._waiting = self._waiting, []
        for _, done in waiting:
            if not done.done():
                done.set_exception(error)

    async def wait_for(self, seq: int) -> None:
        """Wait until a message is acknowledged.

        Raises:
            Exception: what `fail` was called with.
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
