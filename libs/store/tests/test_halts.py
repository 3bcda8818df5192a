"""Stored halts, on both databases."""

import asyncio

from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.names import ExchangeId, Tenant
from millrace_store import Store

T, BINANCE = Tenant("T"), ExchangeId("binance")


async def test_halts_are_joined_with_those_that_are_stored(store: Store) -> None:
    """Nothing that a caller does not know is lost; a resumption is remembered; tenants are apart."""
    first = HaltState().halted(HaltScope(BINANCE, "James/Bond"), HaltNote(5, "stop\0", "Ann"))
    second = HaltState().halted(HaltScope(), HaltNote(7))
    await store.halts.merge(T, first)
    joined = await store.halts.merge(T, second)
    assert joined.halts.keys() == {HaltScope(), HaltScope(BINANCE, "James/Bond")}
    assert await store.halts.merge(T, HaltState()) == joined
    resumed = joined.resume(HaltScope(), 9)
    await store.halts.merge(T, resumed)
    assert await store.halts.merge(T, second) == await store.halts.get(T)
    assert (await store.halts.get(T)).halts.keys() == {HaltScope(BINANCE, "James/Bond")}
    assert (await store.halts.get(T)).resumed == {HaltScope(): 9}
    assert await store.halts.get(Tenant("OTHER")) == HaltState()


async def test_halts_of_several_writers_at_once_are_all_stored(store: Store) -> None:
    """Executor and API write side by side."""
    states = [HaltState().halted(HaltScope(order_source=f"S{n}"), HaltNote(n + 1)) for n in range(8)]
    await asyncio.gather(*(store.halts.merge(T, state) for state in states))
    assert len((await store.halts.get(T)).halts) == 8
