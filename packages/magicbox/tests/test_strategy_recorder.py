"""What a strategy keeps and shows is in Redis, and the next run goes on from it."""

import asyncio
import json
from decimal import Decimal
from typing import Any

from millrace_bus import Bus
from millrace_core.names import AgentId, Tenant, strategy_key
from millrace_magicbox.strategy_recorder import StrategyRecorder
from millrace_service.health import ErrorLog, UnitHealthReporter

TENANT = Tenant("StrankaXY")
COUNTER = '''
from millrace_strategy import Strategy


class Counter(Strategy):
    """Buys at its first book, and counts runs and books."""

    def on_start(self, event):
        self.state["runs"] = self.state.get("runs", 0) + 1
        self.log.info("begins", run=self.state["runs"], held=str(self.positions["binance", "KCS/USDT"].quantity))

    def on_order_book(self, event):
        if event.book.mid is None:
            return
        self.plot("mid", event.book.mid)
        if not self.trader.pending and not self.orders:
            self.trader.create_order(
                exchange="binance", symbol="KCS/USDT", side="buy", type="limit", amount=2, price=10
            )
'''


async def kept(bus: Bus, field: str, value: object) -> None:
    """Wait until a field of the record holds, or contains, a value."""
    async with asyncio.timeout(60):
        while str(value) not in str(json.loads((await bus.strategy_records.get(TENANT, "Counter")).get(field, b'""'))):
            await asyncio.sleep(0.02)


async def test_the_next_run_goes_on_from_what_the_last_one_kept(magicbox: Any, venue: Any, bus: Bus) -> None:
    """State, position, plot and log lines outlive a restart of the strategy."""
    (magicbox.folder / "counter.py").write_text(COUNTER)
    await magicbox.start({"pluginName": "Counter"})
    await magicbox.unit_in_state("Counter", "live")
    venue.tell_book(9.98, 10.03)
    request = await venue.next_request()
    order = venue.order_of(request, "7")
    await venue.answer(request, order)
    await venue.tell_order(order, filled=order.amount, cost=Decimal(20), status="closed")
    await kept(bus, "state", {"runs": 1})
    await kept(bus, "plot.mid", "10.00")
    await kept(bus, "positions", "KCS/USDT")
    assert await bus.request_restart(AgentId("MAGICBOX"), f"{TENANT}.Counter")
    await kept(bus, "state", {"runs": 2})
    await kept(bus, "log", "begins  run=2  held=2")
    await kept(bus, "log", "begins  run=1  held=0")


async def test_what_redis_refuses_is_written_later(bus: Bus) -> None:
    """It is an error of the unit; the newest state is written once Redis takes it, also at the end."""
    health = UnitHealthReporter("unit", changed=lambda: None, errors=ErrorLog())
    recorder = StrategyRecorder(bus, TENANT, "A", health)
    assert await recorder.load() == (None, None)
    key = strategy_key(TENANT, "A")
    await bus._redis.call("SET", key, "no hash")
    recorder.keep_state(b"1")
    await recorder.close()
    assert health.report().counters["errors"] == 1
    await bus._redis.call("DEL", key)
    recorder.keep_state(b"2")
    recorder.plot("p", 1, 2.0)
    await recorder.close()
    assert await bus.strategy_records.get(TENANT, "A") == {"state": b"2", "plot.p": b"[[1,2.0]]"}
    again = StrategyRecorder(bus, TENANT, "A", health)
    assert (await again.load()).state == b"2"
    again.plot("p", 5_000, 3.0)
    again.plot("\ud800", 5_000, 3.0)
    await again.close()
    assert (await bus.strategy_records.get(TENANT, "A"))["plot.p"] == b"[[1,2.0],[5000,3.0]]"
