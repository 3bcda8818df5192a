"""A book that nothing proves is said to be unverified, and is compared with the exchange's own answer."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from millrace_bus import Bus
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant
from millrace_gatherer.streams import order_book

from .conftest import Line, Reader

pytestmark = pytest.mark.usefixtures("gatherer")

EXCHANGE, SYMBOL = "binanceus", "ETH/BTC"
"""An exchange without a profile, whose protocol is Binance's."""
NAME = StreamName(Tenant("T"), ExchangeId(EXCHANGE), Action("watchOrderBook"), Symbol(SYMBOL))


@pytest.fixture
async def reader(bus: Bus, line: Line) -> AsyncIterator[Reader]:
    """A reader of the book, the gatherer configured to take it."""
    plan = {
        "tenant": "T",
        "exchangeId": EXCHANGE,
        "assetPairs": [SYMBOL],
        "dataPoints": ["watchOrderBook"],
        "retention": 100,
    }
    account = {"urls": {"base": line.url}}
    config = {"agent": {"id": "GATHERER"}, "exchanges": {"T": {EXCHANGE: account}}, "workplans": [plan]}
    await bus.put_config(AgentId("GATHERER"), json.dumps({**config, "workers": 0}))
    reader = Reader(bus, NAME)
    yield reader
    await reader.follower.close()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare all the time."""
    monkeypatch.setattr(order_book, "COMPARE_EVERY_S", 0.1)
    monkeypatch.setattr(order_book, "COMPARED_S", 0.3)


async def test_a_book_that_nothing_proves_is_unverified(bus: Bus, reader: Reader) -> None:
    """The stream's status and the heartbeat say so and why; a reader that comes later learns it with its first book."""
    # Of 100 messages that are kept, a snapshot is written every 50.
    await reader.until(lambda r: len(r.deltas()) > 120)
    assert reader.follower.status == "unverified"
    late = Reader(bus, NAME)
    await late.until(lambda r: r.follower.trusted and r.deltas())
    assert late.follower.status == "unverified"
    await late.follower.close()
    async with asyncio.timeout(60):
        while "unverified" not in (
            found := {unit.state: unit.detail for b in await bus.heartbeats() for unit in b.units}
        ):
            # A heartbeat is a key that tells nobody of its change.
            await asyncio.sleep(0.1)
    assert "nothing that the exchange sends" in (found["unverified"] or "")


@pytest.mark.usefixtures("often")
async def test_a_book_that_differs_from_the_exchanges_own_is_taken_again(line: Line, reader: Reader) -> None:
    """Levels with other amounts than the exchange has are found, and the book is right again."""
    await reader.until(lambda r: len(r.deltas()) > 5)
    line.treat = doubled
    await reader.until(lambda r: any("levels are others" in (why or "") for _, why in r.statuses()))
    line.treat = lambda frame: frame
    await reader.until(lambda r: r.statuses()[-1][0] == "unverified" and r.deltas())


@pytest.mark.usefixtures("often")
async def test_a_right_book_stays_as_it_is(reader: Reader) -> None:
    """However fast the market moves: the comparison takes no right book for a wrong one."""
    await reader.until(lambda r: len(r.deltas()) > 120)
    assert reader.follower.status == "unverified"
    assert not [status for status, _ in reader.statuses() if status != "unverified"]


def doubled(frame: str) -> str:
    """A frame in which every bid's amount is twice what it is."""
    message = json.loads(frame)
    if message.get("e") == "depthUpdate":
        message["b"] = [[price, f"{2 * float(amount):.8f}"] for price, amount in message["b"]]
    return json.dumps(message)
