"""Positions and liquidations, as an exchange of contracts sends and answers them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from libs.exchange.tests.ccxt.contract_venue import SYMBOL, ContractVenue, contract_venue, liquidation, opened, position
from libs.exchange.tests.contracts.venue import RecordingListener, streaming

from millrace_core.market import ExchangePosition
from millrace_exchange import Exchange


@pytest.fixture
async def venue() -> AsyncIterator[ContractVenue]:
    """Run an exchange of contracts."""
    async with contract_venue() as venue:
        yield venue


@pytest.fixture
async def exchange(venue: ContractVenue) -> AsyncIterator[Exchange]:
    """Open it."""
    async with opened(venue) as exchange:
        yield exchange


def said(positions: list[ExchangePosition]) -> list[tuple[str | None, float]]:
    """Return side and size of each."""
    return [(one.side, one.contracts) for one in positions]


async def test_positions_are_streamed(exchange: Exchange, venue: ContractVenue) -> None:
    """Each whole; a closed one says so, and nothing of what is sent in one piece is left out."""
    listener = RecordingListener()
    async with streaming(exchange.account.positions(listener)):
        await venue.subscribed("position")
        await venue.send("position", position("3"))
        await venue.send("position", position("4"), position("2", "Sell"))
        await venue.send("position", position("0", positionIdx=0))
        await listener.until(lambda: len(listener.positions) == 4)
    assert said(listener.positions) == [("long", 3.0), ("long", 4.0), ("short", 2.0), (None, 0.0)]
    first = listener.positions[0]
    assert (first.symbol, first.entry_price, first.leverage, first.timestamp) == (
        SYMBOL,
        100.0,
        10.0,
        1_700_000_000_000,
    )


async def test_positions_are_answered(exchange: Exchange, venue: ContractVenue) -> None:
    """Without those that are closed."""
    venue.held = [position("3"), position("0")]
    assert said(await exchange.account.fetch_positions()) == [("long", 3.0)]


async def test_liquidations_are_streamed(exchange: Exchange, venue: ContractVenue) -> None:
    """Each once, also two alike and two in one piece: nothing but their number tells them apart."""
    listener = RecordingListener()
    topic = "allLiquidation.BTCUSDT"
    async with streaming(exchange.market.liquidations(SYMBOL, listener)):
        await venue.subscribed(topic)
        await venue.send(topic, liquidation("1"), liquidation("2"))
        await venue.send(topic, liquidation("2"))
        await listener.until(lambda: len(listener.liquidations) == 3)
    assert [one.contracts for one in listener.liquidations] == [1.0, 2.0, 2.0]
    first = listener.liquidations[0]
    assert (first.symbol, first.side, first.price, first.timestamp) == (SYMBOL, "sell", 100.0, 1_700_000_000_000)


async def test_what_is_not_streamed_is_asked_for(exchange: Any, venue: ContractVenue) -> None:
    """Liquidations come as the newest of all each time: which are new is for the listener to tell."""
    ccxt = exchange.caller.ccxt
    ccxt.has = {**ccxt.has, "watchLiquidations": False, "watchPositions": False}
    exchange.caller.poll_interval_s = 0.01
    later, earlier = ({"symbol": SYMBOL, "timestamp": at, "contracts": 1.0} for at in (2, 1))

    async def fetch_liquidations(symbol: str) -> list[dict[str, Any]]:
        return [later, earlier]

    ccxt.fetch_liquidations = fetch_liquidations
    venue.held = [position("3")]
    listener = RecordingListener()
    async with streaming(exchange.market.liquidations(SYMBOL, listener)):
        await listener.until(lambda: len(listener.liquidations) > 3)
    assert [one.timestamp for one in listener.liquidations[:4]] == [1, 2, 1, 2]
    async with streaming(exchange.account.positions(listener)):
        await listener.until(lambda: len(listener.positions) > 1)
    assert said(listener.positions[:2]) == [("long", 3.0)] * 2
