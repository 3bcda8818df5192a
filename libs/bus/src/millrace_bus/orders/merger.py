"""Joining what is known of orders with what Redis holds, all that comes at once in one transaction.

`WATCH` belongs to a connection, so this one is for nothing else, and one transaction follows the other: what is
handed in meanwhile is merged together by the next. Two round trips serve however many orders that are.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from millrace_bus.connection.calls import until_answered
from millrace_bus.connection.connection import Wire, pack
from millrace_bus.connection.reconnecting import Link
from millrace_bus.errors import BusError, Refused
from millrace_bus.orders.order_hash import Keys, keys_of, place, read_record, storing
from millrace_core.names import Tenant
from millrace_core.orders import OrderRecord, join

MOST_AT_ONCE: Final = 64
"""Orders of one transaction: it is tried again as a whole when somebody else changed one of them."""
_MULTI, _EXEC = pack("MULTI"), pack("EXEC")
_UNREADABLE: Final = (msgspec.MsgspecError, LookupError, ValueError)
"""What reading a hash raises that somebody else has written."""


@dataclass(frozen=True, slots=True, eq=False)
class _Merge:
    """One record to be joined, and who waits for the result."""

    tenant: Tenant
    record: OrderRecord
    keys: Keys
    done: "asyncio.Future[OrderRecord]"


class Merging:
    """Merges records, one transaction after the other."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting: deque[_Merge] = deque()
        self._task: asyncio.Task[None] | None = None

    async def merge(self, tenant: Tenant, record: OrderRecord) -> OrderRecord:
        """Join a record with what is there; give the result, with whatever else was merged at once.

        A caller that is cancelled meanwhile leaves open whether it was merged.

        Raises:
            Refused: Redis does not read or write it.
            MsgspecError, LookupError, ValueError: what is there is no order.
        """
        keys = keys_of(tenant, record.exchange, record.order.symbol, record.order.id)
        done: asyncio.Future[OrderRecord] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Merge(tenant, record, keys, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="merging orders")
        return await done

    async def close(self) -> None:
        """Merge no more; who still waits is cancelled."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        while self._waiting:
            self._waiting.popleft().done.cancel()
        await self._link.close()

    async def _work(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]
            try:
                await self._merge(batch)
            finally:
                # Nobody is left waiting, whatever happened here.
                for merge in batch:
                    merge.done.cancel()

    async def _merge(self, batch: Sequence[_Merge]) -> None:
        try:
            while not (merged := await until_answered(lambda: self._try(batch))):
                pass
        except (Refused, *_UNREADABLE) as error:
            await self._failed(batch, error)
            return
        for merge, record in zip(batch, merged, strict=True):
            if not merge.done.done():
                merge.done.set_result(record)

    async def _failed(self, batch: Sequence[_Merge], error: Exception) -> None:
        """Find out whose order it is that cannot be merged: the others are."""
        if len(batch) > 1:
            for merge in batch:
                await self._merge([merge])
        elif not batch[0].done.done():
            batch[0].done.set_exception(error)

    async def _try(self, batch: Sequence[_Merge]) -> list[OrderRecord] | None:
        """Merge once; None if somebody else changed one of the orders meanwhile: nothing was done.

        Raises:
            Disconnected, Refused: it may have been merged, or was not.
        """
        wire = await self._link.up()
        found = await _watched(wire, {key for merge in batch for key in merge.keys})
        merged: list[tuple[str, OrderRecord]] = []
        changed: dict[str, tuple[Tenant, OrderRecord]] = {}
        for merge in batch:
            record, order = merge.record, merge.record.order
            key, present = place(
                merge.keys, found[merge.keys.plain], found[merge.keys.full], record.exchange, order.symbol
            )
            joined = record if present is None else join(present, record)
            if joined != present:
                found[key] = joined
                changed[key] = (merge.tenant, joined)
            merged.append((key, joined))
        commands = [part for key, (tenant, record) in changed.items() for part in storing(tenant, key, record)]
        return [found[key] or joined for key, joined in merged] if await _committed(wire, commands) else None


async def _watched(wire: Wire, keys: set[str]) -> dict[str, OrderRecord | None]:
    """Watch orders' hashes and read them, in one pipeline."""
    ordered = list(keys)
    _, *hashes = await _replies(wire, [pack("WATCH", *ordered), *(pack("HGETALL", key) for key in ordered)])
    return {key: read_record(fields) for key, fields in zip(ordered, hashes, strict=True)}


async def _committed(wire: Wire, commands: list[bytes]) -> bool:
    """Carry commands out together, unless something watched has changed."""
    if not commands:
        wire.send(pack("UNWATCH"), [None])
        return True
    carried_out = (await _replies(wire, [_MULTI, *commands, _EXEC]))[-1]
    if carried_out is None:
        return False
    _raise_first(carried_out)
    return True


async def _replies(wire: Wire, commands: Sequence[bytes]) -> list[Any]:
    """Send commands as one pipeline; give their replies.

    Raises:
        Disconnected, Refused: one of them failed.
    """
    all_there: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    replies: list[Any] = []

    def take(reply: Any) -> None:
        replies.append(reply)
        if len(replies) == len(commands) and not all_there.done():
            all_there.set_result(None)

    wire.send(b"".join(commands), [take] * len(commands))
    await all_there
    _raise_first(replies)
    return replies


def _raise_first(replies: Sequence[Any]) -> None:
    for reply in replies:
        if isinstance(reply, BusError):
            raise reply
