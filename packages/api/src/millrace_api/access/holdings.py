"""What tokens hold open: requests, sockets, event streams, exports. All of it ends soon after its token."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from millrace_core.clock import now_ms
from millrace_store import DatabaseUnavailable, Store

CHECK_S = 1.0
"""How often the database is asked which tokens are still in force, all in one statement."""
_TOKENS_A_TIME: Final = 1_000

End = Callable[[], None]


class Holdings:
    """What is held by each token, and how to end it."""

    def __init__(self, store: Store) -> None:
        self._access = store.access
        self._held: defaultdict[str, set[End]] = defaultdict(set)

    @contextmanager
    def held(self, token_id: str, end: End) -> Iterator[None]:
        """Hold something for a block; `end` is called once its token is no longer in force."""
        self.hold(token_id, end)
        try:
            yield
        finally:
            self.release(token_id, end)

    def hold(self, token_id: str, end: End) -> None:
        """Hold something until it is released."""
        self._held[token_id].add(end)

    def release(self, token_id: str, end: End) -> None:
        """Note that something has ended; harmless if it was released before."""
        held = self._held[token_id]
        held.discard(end)
        if not held:
            del self._held[token_id]

    def end(self, token_id: str) -> None:
        """End everything that a token holds."""
        for end in tuple(self._held.get(token_id, ())):
            end()

    async def watch(self) -> None:
        """End what tokens hold that were revoked or have expired, until cancelled.

        While the database is unavailable, they are taken to be in force.
        """
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                for token_id in await self._ended(list(self._held)):
                    self.end(token_id)
            except DatabaseUnavailable:
                continue

    async def _ended(self, token_ids: list[str]) -> list[str]:
        in_force: set[str] = set()
        for at in range(0, len(token_ids), _TOKENS_A_TIME):
            in_force |= await self._access.in_force(token_ids[at : at + _TOKENS_A_TIME], now_ms())
        return [token_id for token_id in token_ids if token_id not in in_force]
