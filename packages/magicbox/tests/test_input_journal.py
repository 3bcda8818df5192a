"""What a strategy takes in is kept in a stream of its own, whole, from its beginning to its end."""

import asyncio
from typing import Any

import msgspec

from millrace_bus import Bus, Update
from millrace_core.clock import now_ns
from millrace_core.messages import encode
from millrace_core.names import Tenant, strategy_inputs
from millrace_core.strategy_inputs import Input, InputBatch, MessageTaken, StrategyMade, StrategyStopped, read_batch

TENANT = Tenant("StrankaXY")
SECOND_NS = 1_000_000_000
STRATEGY = """
from millrace_strategy import Strategy


class Looker(Strategy):
    async def on_order_book(self, event):
        await self.clock.sleep(1)
        self.trader.cancel_all_orders(exchange="binance", symbol="KCS/USDT")
"""


class Kept:
    """The batches of a strategy's inputs."""

    def __init__(self) -> None:
        self.batches: list[InputBatch] = []
        self.ended = asyncio.Event()

    def listen(self, update: Update) -> None:
        """Take a message of the stream."""
        if update.kind == "delta" and (batch := read_batch(msgspec.Raw(encode(update.data)))) is not None:
            self.batches.append(batch)
            if batch.ended:
                self.ended.set()

    @property
    def inputs(self) -> list[Any]:
        """Return what was taken in, in order."""
        inputs = [each for batch in self.batches for each in batch.inputs]
        return [each.what if isinstance(each, Input) else each for each in inputs]


async def test_every_input_of_a_run_is_kept_in_order(bus: Bus, venue: Any, magicbox: Any) -> None:
    """From the settings that it was made with to its end, with no number missing, and the ids of its requests."""
    kept, began = Kept(), now_ns()
    follower = bus.follow(strategy_inputs(TENANT, "Looker"), kept.listen, from_start=True)
    (magicbox.folder / "looker.py").write_text(STRATEGY)
    await magicbox.start({"pluginName": "Looker"})
    await magicbox.unit_in_state("Looker", "live")
    venue.tell_book(10.0, 10.1)
    request = await venue.next_request()
    await magicbox.configure()
    async with asyncio.timeout(60):
        await kept.ended.wait()
    await follower.close()
    assert [batch.first for batch in kept.batches] == [
        sum(len(batch.inputs) for batch in kept.batches[:number]) for number in range(len(kept.batches))
    ]
    inputs = [each for batch in kept.batches for each in batch.inputs if isinstance(each, Input)]
    assert isinstance(kept.inputs[0], StrategyMade)
    assert StrategyStopped() in kept.inputs[-3:]
    assert request.request_id in [request_id for each in inputs for request_id in each.request_ids]
    readings = [batch.clock for batch in kept.batches[1:]]
    assert readings == sorted(readings)
    # The machine's clock may be set a little meanwhile.
    assert all(began - SECOND_NS < reading < now_ns() + SECOND_NS for reading in readings)
    assert {each.status for each in kept.inputs if isinstance(each, MessageTaken)} >= {"live"}


async def test_a_strategy_without_a_journal_runs(bus: Bus, venue: Any, magicbox: Any) -> None:
    """One whose name no stream can have trades all the same; its unit says what is missing."""
    (magicbox.folder / "looker.py").write_text(STRATEGY)
    await magicbox.start({"pluginName": "Looker", "name": "look and see"})
    await magicbox.unit_in_state("look and see", "live")
    venue.tell_book(10.0, 10.1)
    assert (await venue.next_request()).payload.order_source == "look and see"
    beat = await magicbox.heartbeat()
    assert any("cannot be replayed" in error.message for error in beat.last_errors)
