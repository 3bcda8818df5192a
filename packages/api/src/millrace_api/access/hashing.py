"""Checking secrets against their hashes: slow on purpose, so it is bounded, and beside the event loop."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from millrace_api.access.tokens import is_secret_of
from millrace_api.problems import ApiError
from millrace_store.queries.records import TokenRecord

MAX_WAITING: Final = 8
"""Secrets that one address may have checked or waiting at a time."""


class Hashing:
    """One thread that checks secrets, in turn for the addresses that sent them."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hashing")
        self._waiting: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Lock] = {}
        """By address: of each, one secret at a time is in the thread's queue."""

    async def is_secret_of(self, secret: str, record: TokenRecord, address: str) -> bool:
        """Tell whether a secret that an address sent belongs to a token.

        Raises:
            ApiError: too many of the address are waiting.
        """
        if self._waiting[address] >= MAX_WAITING:
            raise ApiError(429, "too many tokens of this address are being checked", headers={"Retry-After": "1"})
        self._waiting[address] += 1
        try:
            async with self._turns.setdefault(address, asyncio.Lock()):
                return await asyncio.get_running_loop().run_in_executor(self._thread, is_secret_of, secret, record)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address], self._turns[address]
