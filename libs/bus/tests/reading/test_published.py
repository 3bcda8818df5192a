"""Going on from what was published before: over restarts, take-overs and overlaps each trade is there once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from millrace_bus import BEGINNING, Bus, EmbeddedServer, Published, StreamWriter
from millrace_bus.writing import writer as writer_module
from millrace_core.ids import MessageId
from millrace_core.market import Trade, TradesDelta, TradesSnapshot
from millrace_core.messages import decode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.states import state_of

SYMBOL = "KCS/USDT"


class PublishedTrades:
    """A small gatherer: of trades numbered 1, 2, 3 … it publishes those that are not published yet."""

    def __init__(self, bus: Bus, name: StreamName) -> None:
        self.ids: list[int] = []
        self.resumed: list[Published | None] = []
        self.writer: StreamWriter = bus.writer(name, self.snapshot, resume=self.resume)

    def snapshot(self, as_of: MessageId) -> TradesSnapshot:
        """Return all trades."""
        return TradesSnapshot([_trade(number) for number in self.ids], str(as_of))

    def resume(self, published: Published | None) -> None:
        """Go on from what is published."""
        self.resumed.append(published)
        self.ids = [] if published is None else [int(trade.id) for trade in published.state.trades]  # type: ignore[attr-defined]

    def reach(self, number: int) -> None:
        """Publish what comes after the newest, up to a number."""
        for new in range(self.ids[-1] + 1 if self.ids else 1, number + 1):
            self.ids.append(new)
            self.writer.delta(TradesDelta([_trade(new)]))


def _trade(number: int) -> Trade:
    return Trade(id=str(number), timestamp=number, symbol=SYMBOL, side="buy", price=1.0, amount=1.0)


@pytest.fixture
def trades_name(tenant: Tenant) -> StreamName:
    """A stream of trades that no other test has."""
    return StreamName(tenant, ExchangeId("kucoin"), Action("watchTrades"), Symbol(SYMBOL))


@pytest.fixture
async def journal(other: Bus, trades_name: StreamName) -> AsyncIterator[Any]:
    """Return the numbers of the trades that stand in the journal, over all epochs."""
    async with other.journals() as journals:

        async def read() -> list[int]:
            found = await journals.read({str(trades_name): BEGINNING}, most=10_000)
            messages = [decode(entry.body or b"") for entry in found.get(str(trades_name), [])]
            state = state_of(trades_name.action)
            deltas = [state.apply(message.data) for message in messages if message.type == "delta"]
            return [int(trade.id) for delta in deltas for trade in delta.trades]

        yield read


async def test_the_first_writer_of_all_has_nothing_to_go_on_from(bus: Bus, trades_name: StreamName) -> None:
    """It is called with None, once."""
    trades = PublishedTrades(bus, trades_name)
    await trades.writer.open()
    assert trades.resumed == [None]


async def test_a_restarted_writer_goes_on_where_the_last_one_ended(
    bus: Bus, other: Bus, trades_name: StreamName, journal: Any, make_received: Any
) -> None:
    """The state that it is called with is what readers have, and they go on with it into the new epoch."""
    old, new, received = PublishedTrades(bus, trades_name), PublishedTrades(other, trades_name), make_received()
    await old.writer.open()
    old.reach(1_200)
    await old.writer.drained()
    follower = other.follow(trades_name, received)
    await new.writer.open()
    assert new.resumed[0] is not None
    assert len(new.resumed[0].deltas) == 1_200
    assert new.resumed[0].at_ms > old.writer.last.epoch - 60_000  # type: ignore[union-attr]
    new.reach(1_205)
    await received.right(follower, new.writer.last)
    assert await journal() == list(range(1, 1_206))
    assert [int(trade.id) for trade in follower.state.trades] == list(range(206, 1_206))  # type: ignore[union-attr]


async def test_what_the_writer_before_wrote_in_the_meantime_is_not_written_again(
    bus: Bus, other: Bus, trades_name: StreamName, journal: Any
) -> None:
    """A writer that is still at work while its successor opens is cut off exactly once, between two trades."""
    old, new = PublishedTrades(bus, trades_name), PublishedTrades(other, trades_name)
    await old.writer.open()
    old.reach(3)
    await old.writer.drained()
    read = new.resume

    async def resume_late(published: Published | None) -> None:
        """Let the old writer go on after the first reading."""
        if not new.resumed:
            old.reach(5)
            await old.writer.drained()
        read(published)

    new.writer = other.writer(trades_name, new.snapshot, resume=resume_late)
    await new.writer.open()
    old.reach(7)
    new.reach(8)
    await new.writer.drained()
    assert len(new.resumed) == 2
    assert await journal() == list(range(1, 9))


async def test_a_writer_that_stood_by_goes_on_from_the_newest(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, other: Bus, trades_name: StreamName, journal: Any, until: Any
) -> None:
    """It forgets what it could not publish and takes over what the other did."""
    monkeypatch.setattr(writer_module, "STANDBY_QUIET_S", 0.6)
    old, new = PublishedTrades(bus, trades_name), PublishedTrades(other, trades_name)
    await old.writer.open()
    old.reach(3)
    await old.writer.drained()
    await new.writer.open()
    old.reach(6)
    await until(lambda: old.writer.state == "standby")
    new.reach(5)
    await new.writer.close()
    await until(lambda: old.writer.state == "live")
    assert old.ids[-1] == 5
    old.reach(9)
    await old.writer.drained()
    assert await journal() == list(range(1, 10))


async def test_resuming_survives_an_outage(
    killable: EmbeddedServer, bus: Bus, other: Bus, trades_name: StreamName, journal: Any
) -> None:
    """A server that is away while the writer opens is waited for, and asked again."""
    old, new = PublishedTrades(bus, trades_name), PublishedTrades(other, trades_name)
    await old.writer.open()
    old.reach(3)
    await old.writer.drained()
    await old.writer.close()
    await killable.kill()
    opening = asyncio.create_task(new.writer.open())
    await killable.restart()
    await opening
    new.reach(4)
    await new.writer.drained()
    assert await journal() == [1, 2, 3, 4]
