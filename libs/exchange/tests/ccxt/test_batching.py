"""Many symbols are subscribed with few requests, and each is followed by itself all the same."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from libs.exchange.tests.contracts.venue import RecordingListener, streaming

from millrace_core.config.common import Credentials
from millrace_exchange import Exchange, Rejected, Retryable, open_exchange

SYMBOLS = [f"C{number}/USDT" for number in range(25)]
TOGETHER = 3
"""Requests for all: ten symbols each."""


class Venue:
    """A server that takes subscriptions, and sends what a test wants."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[str] = []
        """Those to subscribe and to unsubscribe."""
        self.answer_to: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda _asked: None
        self._sockets: set[web.WebSocketResponse] = set()
        self._asked = asyncio.Event()

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until a request makes something true."""
        async with asyncio.timeout(60):
            while not holds():
                self._asked.clear()
                await self._asked.wait()

    async def send(self, frame: Any) -> None:
        """Send a frame to every client."""
        for socket in self._sockets:
            await socket.send_json(frame)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Take a connection's requests."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT and "ubscribe" in message.data.lower():
                self.requests.append(message.data)
                self._asked.set()
                if answer := self.answer_to(json.loads(message.data)):
                    await socket.send_json(answer)
        self._sockets.discard(socket)
        return socket


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """Run the server."""
    venue = Venue()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", venue.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    venue.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield venue
    await runner.cleanup()


@asynccontextmanager
async def opened(exchange_id: str, venue: Venue) -> AsyncIterator[Exchange]:
    """Open an exchange there, with its markets given instead of loaded."""
    exchange: Any = await open_exchange(exchange_id, Credentials(urls={"base": venue.url}, adapter="ccxt"))
    ccxt = exchange.caller.ccxt
    ccxt.open()
    ccxt.enableRateLimit = False
    ccxt.set_markets([ccxt.safe_market_structure(_market(symbol)) for symbol in SYMBOLS])
    try:
        yield exchange
    finally:
        await exchange.close()


def _market(symbol: str) -> dict[str, Any]:
    base, quote = symbol.split("/")
    return {
        "id": base + quote,
        "lowercaseId": (base + quote).lower(),
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "baseId": base,
        "quoteId": quote,
        "type": "spot",
        "spot": True,
        "active": True,
        "info": {"wsname": symbol},
        "precision": {"price": 0.1, "amount": 0.001},
    }


@asynccontextmanager
async def following(
    exchange: Exchange, symbols: list[str]
) -> AsyncIterator[dict[str, tuple["asyncio.Task[None]", RecordingListener]]]:
    """Follow the trades of all symbols at once."""
    listeners = {symbol: RecordingListener() for symbol in symbols}
    followed = {
        symbol: (asyncio.create_task(exchange.market.trades(symbol, listener)), listener)
        for symbol, listener in listeners.items()
    }
    yield followed
    for task, _ in followed.values():
        task.cancel()
    await asyncio.gather(*(task for task, _ in followed.values()), return_exceptions=True)


def names(requests: list[str]) -> int:
    """Return how many of the symbols are named in requests."""
    return sum(any(f"{form}" in request for request in requests) for symbol in SYMBOLS for form in _forms(symbol))


def _forms(symbol: str) -> list[str]:
    base = symbol.partition("/")[0]
    return [f"{base}USDT", f"{base.lower()}usdt", f"{base}/USDT"]


@pytest.mark.parametrize("exchange_id", ["bybit", "okx", "gate", "bitget", "kraken", "deribit"])
async def test_symbols_are_subscribed_together(exchange_id: str, venue: Venue) -> None:
    """Ten with each request, where each can be followed by itself then."""
    async with opened(exchange_id, venue) as exchange, following(exchange, SYMBOLS):
        await venue.until(lambda: names(venue.requests) == len(SYMBOLS))
        assert len(venue.requests) == TOGETHER


async def test_symbols_subscribe_alone_where_they_would_be_subscribed_twice(venue: Venue) -> None:
    """Binance's streams of several symbols are other streams, on other connections, for ccxt."""
    async with opened("binance", venue) as exchange, following(exchange, SYMBOLS):
        await venue.until(lambda: len(venue.requests) == len(SYMBOLS))
    assert all(len(json.loads(request)["params"]) == 1 for request in venue.requests)


def trade(base: str, number: int) -> dict[str, Any]:
    """Return Bybit's frame of a trade."""
    data = {"T": 1_700_000_000_000, "s": f"{base}USDT", "S": "Buy", "v": "1", "p": "2", "i": str(number)}
    return {"topic": f"publicTrade.{base}USDT", "type": "snapshot", "ts": 1_700_000_000_000, "data": [data]}


async def test_each_symbol_is_followed_by_itself(venue: Venue) -> None:
    """It gets its own trades, and its end ends its own subscription alone."""
    symbols = SYMBOLS[:5]
    async with opened("bybit", venue) as exchange, following(exchange, symbols) as followed:
        await venue.until(lambda: names(venue.requests) == len(symbols))
        assert len(venue.requests) == 1
        for number, symbol in enumerate(symbols):
            await venue.send(trade(symbol.partition("/")[0], number))
            listener = followed[symbol][1]
            await listener.until(lambda listener=listener: listener.trades)
        followed["C1/USDT"][0].cancel()
        await asyncio.wait({followed["C1/USDT"][0]})
        [unsubscribed] = venue.requests[1:]
        assert json.loads(unsubscribed)["args"] == ["publicTrade.C1USDT"]
        await venue.send(trade("C2", 9))
        listener = followed["C2/USDT"][1]
        await listener.until(lambda: len(listener.trades) == 2)
        assert [one.id for _, each in followed.values() for one in each.trades] == ["0", "1", "2", "9", "3", "4"]


async def test_what_the_exchange_refuses_together_is_subscribed_alone(venue: Venue) -> None:
    """One symbol that it does not know must not cost the others their stream."""
    symbols = SYMBOLS[:5]

    def answer_to(asked: dict[str, Any]) -> dict[str, Any]:
        is_refused = "publicTrade.C3USDT" in asked["args"]
        refused = {"ret_msg": "error:handler not found,topic:publicTrade.C3USDT"} if is_refused else {"ret_msg": ""}
        return {"success": not is_refused, "op": asked["op"], "req_id": asked["req_id"], "conn_id": "1", **refused}

    async def follow_again(exchange: Exchange, symbol: str) -> None:
        while True:
            try:
                await exchange.market.trades(symbol, RecordingListener())
            except (Rejected, Retryable):
                await asyncio.sleep(0.05)

    venue.answer_to = answer_to
    async with opened("bybit", venue) as exchange, AsyncExitStack() as streams:
        for symbol in symbols:
            await streams.enter_async_context(streaming(follow_again(exchange, symbol)))
        alone = {f"publicTrade.C{number}USDT" for number in range(5)}
        await venue.until(lambda: alone <= {json.loads(each)["args"][0] for each in venue.requests[1:]})
    assert {len(json.loads(each)["args"]) for each in venue.requests[1:]} == {1}
