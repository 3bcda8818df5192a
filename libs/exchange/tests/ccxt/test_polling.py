"""What an exchange does not stream is asked for again and again; a listener cannot tell the difference."""

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from libs.exchange.tests.contracts.venue import RecordingListener, Venue, streaming

from millrace_core.actions import ACTIONS, BIDS_ASKS, FUNDING_RATE, OPEN_INTEREST, ORDER_BOOK, TICKER, TRADES
from millrace_core.config.common import Credentials
from millrace_core.requests import CreatePayload
from millrace_exchange import Exchange, open_exchange
from millrace_exchange.ccxt.exchange import CcxtExchange
from millrace_exchange.ccxt.polling import fields_of

BID = CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal(5))
Stream = Callable[[Exchange, str, RecordingListener], Any]
STREAMS: dict[str, tuple[Stream, Callable[[RecordingListener], Any]]] = {
    "order book": (lambda of, symbol, to: of.market.order_book(symbol, to), lambda got: got.resets > 2),
    "trades": (lambda of, symbol, to: of.market.trades(symbol, to), lambda got: got.trades),
    "ticker": (lambda of, symbol, to: of.market.fields(TICKER, symbol, to), lambda got: got.ticker.get("last")),
    "best": (lambda of, symbol, to: of.market.fields(BIDS_ASKS, symbol, to), lambda got: got.ticker.get("bid")),
    "candles": (lambda of, symbol, to: of.market.candles(symbol, "1m", to), lambda got: len(got.candles) > 2),
    "balance": (lambda of, _, to: of.account.balance(to), lambda got: got.balances),
    "orders": (lambda of, symbol, to: of.account.orders(symbol, to), lambda got: got.orders),
}


@pytest.fixture
async def asked(credentials: Credentials) -> AsyncIterator[Exchange]:
    """Return an exchange as ccxt has it that sends nothing by itself."""
    exchange = await open_exchange("binance", credentials.model_copy(update={"delay_on_fetch": 0.1}))
    assert isinstance(exchange, CcxtExchange)
    exchange.caller.ccxt.has = {**exchange.caller.ccxt.has, **dict.fromkeys(ACTIONS, False)}
    await exchange.prepare()
    yield exchange
    assert not [url for url in exchange.caller.ccxt.clients if "stream" in url]
    await exchange.close()


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_is_asked_for(asked: Exchange, venue: Venue, name: str) -> None:
    """Without a socket for it."""
    stream, has_arrived = STREAMS[name]
    listener = RecordingListener()
    venue.step(1_000)
    await asked.execution.create_order(BID, "asked")
    symbol = venue.own_symbol if name == "orders" else venue.symbol
    async with streaming(stream(asked, symbol, listener)):
        await listener.until(lambda: has_arrived(listener))


async def test_what_is_asked_for_is_known(asked: Exchange, exchange: Exchange) -> None:
    """How often, for those that show it; open interest is nowhere streamed."""
    assert asked.poll_interval_s(TRADES) == 0.1
    assert exchange.poll_interval_s(TRADES) is None
    assert exchange.poll_interval_s(OPEN_INTEREST) == 1.0
    assert exchange.poll_interval_s(FUNDING_RATE) == 1.0
    assert [await of.source(TRADES, "KCS/USDT") for of in (asked, exchange)] == ["fetch", "watch"]


async def test_an_exchange_without_streams_is_opened() -> None:
    """Each of its answers is a whole book, so nothing of it can be missed unnoticed."""
    exchange = await open_exchange("bitso", Credentials())
    assert exchange.poll_interval_s(ORDER_BOOK) == 1.0
    assert exchange.profile.book.unproved(None) is None
    await exchange.close()


@pytest.mark.parametrize("answer", [{"symbol": "A/B", "bid": 1}, {"A/B": {"symbol": "A/B", "bid": 1, "ask": None}}])
def test_an_object_may_come_in_a_map_by_symbol(answer: dict[str, Any]) -> None:
    """As the best bids and asks do; fields without a value are left out."""
    assert fields_of(answer, "A/B") == {"symbol": "A/B", "bid": 1}
