"""Merges order records into Redis, batching concurrent merges into one transaction per tenant.

`WATCH` belongs to a connection, so this one is used for nothing else. Transactions run one after the other; the records
that arrive during one are merged together by the next, in two round trips whatever their number. The keys of one tenant
lie in one slot, so a transaction never holds orders of two tenants.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from millrace_bus.connection.calls import until_answered
from millrace_bus.connection.connection import Connection, pack
from millrace_bus.connection.reconnecting import ReconnectingConnection
from millrace_bus.errors import BusError, CommandRefused, TaskFailed, UnmergeableOrder
from millrace_bus.orders.order_hash import Keys, check_numbers, is_of, keys_of, place, read_record, storing
from millrace_bus.tasks import BackgroundTask
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import Tenant
from millrace_core.orders import OrderRecord, join

MOST_AT_ONCE: Final = 64
"""Orders of one transaction, which is repeated as a whole if another client changed one of them."""
_MULTI, _EXEC = pack("MULTI"), pack("EXEC")
UNREADABLE_HASH: Final = (*UNREADABLE, LookupError, ValueError)
"""What reading a hash raises that somebody else has written."""


@dataclass(frozen=True, slots=True, eq=False)
class _Merge:
    """One record to be joined, and the future for its result."""

    record: OrderRecord
    keys: Keys
    done: "asyncio.Future[OrderRecord]"


class OrderMerger:
    """Merges records, one transaction after the other."""

    def __init__(self, reconnecting: ReconnectingConnection) -> None:
        self._reconnecting = reconnecting
        self._waiting: dict[Tenant, list[_Merge]] = {}
        self._at_work: list[_Merge] = []
        self._there_are = asyncio.Event()
        self._task: BackgroundTask | None = None

    async def merge(self, tenant: Tenant, record: OrderRecord) -> OrderRecord:
        """Join a record with the stored one; return the result, including records merged in the same transaction.

        If the caller is cancelled, the record may or may not be merged.

        Raises:
            CommandRefused: Redis does not read or write it.
            UnmergeableOrder: it, or the stored record of its id or its index, cannot be read or has numbers that are
                not finite. It may have been written without its index.
            TaskFailed: an unforeseen error; it may or may not be merged.
        """
        check_numbers(record)
        keys = keys_of(tenant, record.exchange, record.order.symbol, record.order.id)
        done: asyncio.Future[OrderRecord] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, []).append(_Merge(record, keys, done))
        self._there_are.set()
        if self._task is None:
            self._task = BackgroundTask(self._work(), "order merger", self._failed)
        return await done

    async def close(self) -> None:
        """Merge no more; callers that still wait are cancelled."""
        task, self._task = self._task, None
        if task is not None:
            await task.close()
        for merge in (*self._at_work, *(each for merges in self._waiting.values() for each in merges)):
            merge.done.cancel()
        self._waiting.clear()
        await self._reconnecting.close()

    async def _work(self) -> None:
        while True:
            await self._there_are.wait()
            while self._waiting:
                tenant = next(iter(self._waiting))
                merges = self._waiting.pop(tenant)
                if rest := merges[MOST_AT_ONCE:]:
                    # Behind the other tenants.
                    self._waiting[tenant] = rest
                self._at_work = merges[:MOST_AT_ONCE]
                await self._merge(tenant, self._at_work)
                self._at_work = []
            self._there_are.clear()

    def _failed(self, failure: TaskFailed) -> None:
        """Fail the merges of the transaction with an unforeseen error; a new task merges the others."""
        merges, self._at_work = self._at_work, []
        for merge in merges:
            if not merge.done.done():
                merge.done.set_exception(failure)
        self._task = BackgroundTask(self._work(), "order merger", self._failed) if self._waiting else None

    async def _merge(self, tenant: Tenant, merges: Sequence[_Merge]) -> None:
        try:
            while not (merged := await until_answered(lambda: self._try(tenant, merges))):
                pass
        except (CommandRefused, UnmergeableOrder) as error:
            await self._separate(tenant, merges, error)
            return
        for merge, record in zip(merges, merged, strict=True):
            if not merge.done.done():
                merge.done.set_result(record)

    async def _separate(self, tenant: Tenant, merges: Sequence[_Merge], error: BusError) -> None:
        """Find the order that cannot be merged, and merge the others."""
        if len(merges) > 1:
            for merge in merges:
                await self._merge(tenant, [merge])
        elif not merges[0].done.done():
            if isinstance(error, CommandRefused) and error.code == "WRONGTYPE":
                # A key of this order's, or of an index that it belongs to, is something else.
                error = UnmergeableOrder(merges[0].record.order.id, str(error))
            merges[0].done.set_exception(error)

    async def _try(self, tenant: Tenant, merges: Sequence[_Merge]) -> list[OrderRecord] | None:
        """Merge once; return None, with nothing done, if another client changed one of the orders.

        Raises:
            Disconnected, CommandRefused: it may or may not have been merged.
            UnmergeableOrder: the stored record cannot be read, or is another order's.
        """
        connection = await self._reconnecting.up()
        found = await _watched(connection, merges)
        merged: list[tuple[str, OrderRecord]] = []
        changed: dict[str, OrderRecord] = {}
        for merge in merges:
            record, keys = merge.record, merge.keys
            key, present = place(keys, found[keys.plain], found[keys.full], record.exchange, record.order.symbol)
            if present is not None and not is_of(present, record.exchange, record.order.symbol):
                raise UnmergeableOrder(record.order.id, f"{key} holds another order of this id")
            joined = record if present is None else join(present, record)
            if joined != present:
                found[key] = changed[key] = joined
            merged.append((key, joined))
        commands = [part for key, record in changed.items() for part in storing(tenant, key, record)]
        return [found[key] or joined for key, joined in merged] if await _committed(connection, commands) else None


async def _watched(connection: Connection, merges: Sequence[_Merge]) -> dict[str, OrderRecord | None]:
    """Watch orders' hashes and read them, in one pipeline."""
    keys = {key: merge.record.order.id for merge in merges for key in merge.keys}
    _, *hashes = await _replies(connection, [pack("WATCH", *keys), *(pack("HGETALL", key) for key in keys)])
    found: dict[str, OrderRecord | None] = {}
    for (key, order_id), fields in zip(keys.items(), hashes, strict=True):
        try:
            found[key] = record = read_record(fields)
        except UNREADABLE_HASH as error:
            raise UnmergeableOrder(order_id, f"{key} cannot be read: {error}") from error
        if record is None:
            continue
        if record.order.id != order_id:
            raise UnmergeableOrder(order_id, f"{key} holds order {record.order.id}")
        check_numbers(record)
    return found


async def _committed(connection: Connection, commands: list[bytes]) -> bool:
    """Run commands as one transaction, unless a watched key has changed."""
    if not commands:
        connection.send(pack("UNWATCH"), [None])
        return True
    carried_out = (await _replies(connection, [_MULTI, *commands, _EXEC]))[-1]
    if carried_out is None:
        return False
    _raise_first(carried_out)
    return True


async def _replies(connection: Connection, commands: Sequence[bytes]) -> list[Any]:
    """Send commands as one pipeline; return their replies.

    Raises:
        Disconnected, CommandRefused: one of them failed.
    """
    all_there: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    replies: list[Any] = []

    def take(reply: Any) -> None:
        replies.append(reply)
        if len(replies) == len(commands) and not all_there.done():
            all_there.set_result(None)

    connection.send(b"".join(commands), [take] * len(commands))
    await all_there
    _raise_first(replies)
    return replies


def _raise_first(replies: Sequence[Any]) -> None:
    for reply in replies:
        if isinstance(reply, BusError):
            raise reply
