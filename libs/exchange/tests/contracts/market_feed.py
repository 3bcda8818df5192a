"""What every `MarketFeed` does."""

import asyncio

import pytest
from libs.exchange.tests.contracts.venue import RecordingListener, Venue, streaming

from millrace_core.actions import BIDS_ASKS, TICKER
from millrace_core.market import Trade
from millrace_exchange import EventTimes, Exchange, Retryable


class FaultyListener:
    """A listener with a mistake."""

    was_called = False

    def traded(self, trades: list[Trade], event: EventTimes) -> None:
        """Fail on any trade."""
        self.was_called = True
        raise ValueError("a mistake in the listener")


async def moved(venue: Venue, listener: RecordingListener) -> None:
    """Move the market until the listener received something more."""
    received = len(listener.events)
    async with asyncio.timeout(60):
        while len(listener.events) == received:
            venue.step()
            # Exchanges gather changes for some time before they send them.
            await asyncio.sleep(0.012)


async def begun(venue: Venue, listener: RecordingListener) -> None:
    """Move the market until the first book has come: some adapters wait for changes before they ask for it."""
    async with asyncio.timeout(60):
        while not listener.resets:
            venue.step()
            await asyncio.sleep(0.012)


class MarketFeedContract:
    """Public data arrives whole, once, in order."""

    async def test_every_change_of_the_book_arrives(self, exchange: Exchange, venue: Venue) -> None:
        """The book that the changes add up to is the exchange's own of the same number."""
        listener = RecordingListener()
        async with streaming(exchange.market.order_book(venue.symbol, listener)):
            await begun(venue, listener)
            for _ in range(20):
                await moved(venue, listener)
                own = await venue.book(venue.symbol)
                await listener.until(lambda nonce=own.nonce: listener.book.nonce == nonce)
                assert (listener.book.bids.levels(), listener.book.asks.levels()) == (own.bids, own.asks)
        assert listener.resets == 1
        assert listener.events[-1].timestamp is not None

    async def test_a_book_can_be_streamed_again(self, exchange: Exchange, venue: Venue) -> None:
        """After a cancellation the next listener begins with the whole book."""
        for _ in range(2):
            listener = RecordingListener()
            async with streaming(exchange.market.order_book(venue.symbol, listener)):
                await begun(venue, listener)
                await moved(venue, listener)
                own = await venue.book(venue.symbol)
                await listener.until(lambda listener=listener, own=own: listener.book.nonce == own.nonce)
                assert listener.book.bids.levels() == own.bids

    async def test_the_book_can_be_asked_for(self, exchange: Exchange, venue: Venue) -> None:
        """The answer is the best levels of the exchange's own book."""
        venue.step(1_000)
        bids, asks = await exchange.market.fetch_order_book(venue.symbol, 5)
        own = await venue.book(venue.symbol)
        assert (bids, asks) == (own.bids[:5], own.asks[:5])

    async def test_every_trade_arrives_once_and_in_order(self, exchange: Exchange, venue: Venue) -> None:
        """Of a burst of more trades than one answer holds none is missing, and none comes twice."""
        listener = RecordingListener()
        async with streaming(exchange.market.trades(venue.symbol, listener)):
            while not listener.trades:
                await moved(venue, listener)
            for _ in range(12):
                venue.step(400)
            newest = await exchange.market.fetch_trades(venue.symbol)
            await listener.until(lambda: listener.trades[-1].id == newest[-1].id)
        ids = [trade.id for trade in listener.trades]
        assert len(ids) == len(set(ids)) > 1_000
        assert ids[-len(newest) :] == [trade.id for trade in newest]
        if exchange.profile.ids.numbers_public_trades:
            assert [int(trade_id or 0) for trade_id in ids] == list(range(int(ids[0] or 0), int(ids[-1] or 0) + 1))

    async def test_trades_after_one_can_be_asked_for(self, exchange: Exchange, venue: Venue) -> None:
        """The answer reaches from the trade named, at the latest, to the newest, under the stream's own ids."""
        venue.step(2_000)
        newest = await exchange.market.fetch_trades(venue.symbol)
        after = await exchange.market.fetch_trades(venue.symbol, newest[-3])
        assert [trade.id for trade in after][-2:] == [trade.id for trade in newest[-2:]]
        assert not exchange.profile.history.public_trades_after_id or len(after) == 2

    async def test_tickers_and_candles_arrive(self, exchange: Exchange, venue: Venue) -> None:
        """Ticker and best prices are of their symbol and without the raw payload, a candle opens on its timeframe."""
        ticker, best, candles = RecordingListener(), RecordingListener(), RecordingListener()
        async with (
            streaming(exchange.market.fields(BIDS_ASKS, venue.symbol, best)),
            streaming(exchange.market.fields(TICKER, venue.symbol, ticker)),
            streaming(exchange.market.candles(venue.symbol, "1m", candles)),
        ):
            async with asyncio.timeout(60):
                while not (ticker.ticker and best.ticker and candles.candles):
                    venue.step(1_000)
                    await asyncio.sleep(0.02)
        assert ticker.ticker["symbol"] == venue.symbol
        assert "info" not in ticker.ticker | best.ticker
        assert best.ticker["symbol"] == venue.symbol
        assert 0 < best.ticker["bid"] < best.ticker["ask"]
        assert best.ticker["bidVolume"] > 0 < best.ticker["askVolume"]
        assert candles.candles[-1][0] % 60_000 == 0

    async def test_a_message_that_cannot_be_taken_breaks_the_stream(self, exchange: Exchange, venue: Venue) -> None:
        """An error of a listener ends its stream, which can be streamed again, instead of silencing it forever."""
        faulty, listener = FaultyListener(), RecordingListener()
        task = asyncio.create_task(exchange.market.trades(venue.symbol, faulty))
        async with asyncio.timeout(60):
            while not faulty.was_called:
                venue.step()
                await asyncio.sleep(0.012)
            with pytest.raises(Retryable):
                await task
        async with streaming(exchange.market.trades(venue.symbol, listener)):
            await moved(venue, listener)
        assert listener.trades

    async def test_the_end_of_a_connection_breaks_its_streams(self, exchange: Exchange, venue: Venue) -> None:
        """When the exchange goes away, a stream ends at once."""
        listener = RecordingListener()
        task = asyncio.create_task(exchange.market.order_book(venue.symbol, listener))
        await begun(venue, listener)
        await venue.close()
        with pytest.raises(Retryable):
            async with asyncio.timeout(5):
                await task
