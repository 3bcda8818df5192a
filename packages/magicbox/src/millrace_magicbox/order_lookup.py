"""Looks up the source of an order that the account's stream reported before its source was known."""

import asyncio
from collections.abc import Callable

from millrace_bus import Bus
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.orders import OrderKey
from millrace_core.strategy_inputs import OrderFound
from millrace_magicbox.failures import Failures
from millrace_magicbox.input_journal import InputJournal
from millrace_strategy import Runtime

PAUSES_S = (0.0, 0.05, 0.25, 1.0, 5.0)
"""The executor writes the source once the exchange has answered: usually within the first pauses."""


class OrderLookup:
    """Reads orders' hashes for one strategy, again until they name a source."""

    def __init__(
        self, bus: Bus, tenant: Tenant, runtime: Callable[[], Runtime], journal: InputJournal, failures: Failures
    ) -> None:
        self._bus = bus
        self._tenant = tenant
        self._runtime, self._journal = runtime, journal
        self._failures = failures
        self._asking: dict[tuple[ExchangeId, Symbol | None, str], asyncio.Task[None]] = {}

    def ask(self, exchange: ExchangeId, symbol: Symbol | None, order_id: str) -> None:
        """Look an order up in Redis, and report it to the strategy's runtime. One lookup of an order runs at a time."""
        which = exchange, symbol, order_id
        if which not in self._asking:
            task = self._asking[which] = asyncio.create_task(self._ask(*which), name=f"lookup of order {order_id}")
            self._failures.watch(task)
            task.add_done_callback(lambda _: self._asking.pop(which, None))

    async def close(self) -> None:
        """Cancel all lookups."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _ask(self, exchange: ExchangeId, symbol: Symbol | None, order_id: str) -> None:
        for pause_s in PAUSES_S:
            await asyncio.sleep(pause_s)
            record = await self._bus.orders.get(self._tenant, order_id, exchange=exchange, symbol=symbol)
            runtime = self._runtime()
            if record is not None:
                self._journal.take(OrderFound(record))
                runtime.order_found(record)
            if symbol is None:
                if record is not None:
                    return  # With its symbol, it is looked up further if need be.
            elif not runtime.orders.is_undecided(OrderKey(exchange, symbol, order_id)):
                return
