"""How KuCoin's sockets are opened and kept, and what is the exchange's own of its streams."""

import asyncio
import json
from typing import Any

import pytest
from libs.exchange.tests.contracts import RecordingListener, streaming
from libs.exchange.tests.native.conftest import OpenFeed
from tests.support.line import Line

from millrace_core.actions import BIDS_ASKS, TICKER
from millrace_exchange import Retryable
from millrace_simulator.kucoin import tokens

SYMBOLS = ["ETH/BTC", "BTC/USDT"]


@pytest.fixture
def dialect() -> str:
    """KuCoin alone."""
    return "kucoin"


def requests(line: Line) -> list[dict[str, Any]]:
    """Return what was sent over sockets."""
    return [json.loads(text) for text in line.sent]


async def test_pings_are_sent_as_often_as_the_exchange_says_whatever_it_sends(
    monkeypatch: pytest.MonkeyPatch, open_feed: OpenFeed, line: Line
) -> None:
    """The exchange ends a connection that sends none."""
    monkeypatch.setattr(tokens, "PING_INTERVAL_MS", 50)
    feed, trades = await open_feed(), RecordingListener()
    async with streaming(feed.trades(SYMBOLS[0], trades)):
        await trades.until(lambda: sum(each["type"] == "ping" for each in requests(line)) >= 3)
    assert line.sockets == 1


async def test_nothing_is_asked_before_the_welcome(open_feed: OpenFeed, line: Line) -> None:
    """What is asked for earlier may be ignored."""
    welcome: list[str] = []

    def treat(frame: str) -> list[str]:
        if '"welcome"' in frame:
            welcome.append(frame)
            return []
        return [frame]

    line.treat = treat
    feed, trades = await open_feed(), RecordingListener()
    async with streaming(feed.trades(SYMBOLS[0], trades)):
        async with asyncio.timeout(60):
            while not welcome:
                await asyncio.sleep(0.01)
        assert line.sent == []
        await line.say(welcome[0])
        await trades.until(lambda: trades.trades)


async def test_streams_of_one_topic_are_asked_for_together(open_feed: OpenFeed, line: Line) -> None:
    """A request names one topic and several markets of it, but for those that are documented for one market alone."""
    feed, listeners = await open_feed(), [RecordingListener() for _ in range(6)]
    streams = [asyncio.create_task(feed.trades(*each)) for each in zip(SYMBOLS, listeners[:2], strict=True)]
    streams += [
        asyncio.create_task(feed.fields(action, symbol, listener))
        for (action, symbol), listener in zip(
            [(action, symbol) for action in (BIDS_ASKS, TICKER) for symbol in SYMBOLS], listeners[2:], strict=True
        )
    ]
    for listener in listeners:
        await listener.until(lambda listener=listener: listener.events)
    assert sorted(each["topic"] for each in requests(line)) == [
        "/market/match:ETH-BTC,BTC-USDT",
        "/market/snapshot:BTC-USDT",
        "/market/snapshot:ETH-BTC",
        "/spotMarket/level1:ETH-BTC,BTC-USDT",
    ]
    for stream in streams:
        stream.cancel()
    await asyncio.wait(streams)


async def test_a_connection_whose_token_is_not_taken_breaks_its_streams(open_feed: OpenFeed, line: Line) -> None:
    """The next one asks for another token."""
    line.replace = lambda path, body: body.replace(b'"token":"', b'"token":"x') if "bullet" in path else body
    feed = await open_feed(connect_interval_s=0.0)
    with pytest.raises(Retryable):
        await feed.trades(SYMBOLS[0], RecordingListener())
    line.replace = lambda path, body: body
    trades = RecordingListener()
    async with streaming(feed.trades(SYMBOLS[0], trades)):
        await trades.until(lambda: trades.trades)
