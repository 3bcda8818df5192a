"""Binance's native feed, as the simulator speaks its protocol."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from libs.exchange.tests.contracts import (
    RecordingListener,
    Venue,
    streaming,
)

from millrace_core.actions import TICKER
from millrace_core.config.common import Credentials
from millrace_exchange import Exchange, Rejected, open_exchange
from millrace_exchange.native.exchange import NativeExchange


@pytest.fixture
async def through_ccxt(credentials: Credentials) -> AsyncIterator[Exchange]:
    """The same account through ccxt alone."""
    opened = await open_exchange("binance", credentials.model_copy(update={"adapter": "ccxt"}))
    await opened.prepare()
    yield opened
    await opened.close()


async def test_an_account_chooses_its_adapter(exchange: Exchange, through_ccxt: Exchange) -> None:
    """The native feed is the default where there is one."""
    kraken = await open_exchange("kraken", Credentials())
    await kraken.close()
    assert [isinstance(each, NativeExchange) for each in (exchange, through_ccxt, kraken)] == [True, False, False]


async def test_it_says_what_ccxt_says(exchange: Exchange, through_ccxt: Exchange, venue: Venue) -> None:
    """Trades, tickers and candles are the same in every field that ccxt takes from the exchange.

    It takes the small ticker, without the best prices, and works out percentage and average price.
    """
    ours, theirs = RecordingListener(), RecordingListener()
    async with asyncio.TaskGroup() as streams:
        running = [
            streams.create_task(stream)
            for market, listener in ((exchange.market, ours), (through_ccxt.market, theirs))
            for stream in (
                market.trades(venue.symbol, listener),
                market.fields(TICKER, venue.symbol, listener),
                market.candles(venue.symbol, "1m", listener),
            )
        ]
        for listener in (ours, theirs):
            while not (listener.trades and listener.ticker and len(listener.candles) > 1):
                venue.step(1_000)
                await asyncio.sleep(0.02)
        venue.step(1_000)
        newest = (await exchange.market.fetch_trades(venue.symbol))[-1].id
        for listener in (ours, theirs):
            await listener.until(lambda listener=listener: newest in [trade.id for trade in listener.trades])
        async with asyncio.timeout(60):
            while ours.ticker.get("timestamp") != theirs.ticker.get("timestamp"):
                venue.step(1_000)
                await asyncio.sleep(0.02)
        for each in running:
            each.cancel()
    known = {trade.id: trade for trade in theirs.trades}
    both = [trade for trade in ours.trades if trade.id in known]
    assert len(both) > 3
    assert both == [known[trade.id] for trade in both]
    taken = theirs.ticker.keys() - {"percentage", "vwap"}
    assert {name: ours.ticker[name] for name in taken} == {name: theirs.ticker[name] for name in taken}
    assert {"bid", "bidVolume", "ask", "askVolume"} <= ours.ticker.keys()
    assert set(ours.candles[-5:]) & set(theirs.candles)


async def test_a_symbol_that_is_no_spot_market_is_ccxts(exchange: Exchange) -> None:
    """It knows what the exchange has beside them, and what it has not."""
    with pytest.raises(Rejected, match="NO/SUCH"):
        async with streaming(exchange.market.trades("NO/SUCH", RecordingListener())) as stream:
            await stream
