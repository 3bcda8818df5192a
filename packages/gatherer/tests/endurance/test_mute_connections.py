"""A connection that answers pings and brings nothing else is opened again."""

from collections.abc import Callable
from typing import Any

import pytest
from packages.gatherer.tests.endurance.conftest import Watch, account, configure

from millrace_bus import Bus

SYMBOL = "ETH/BTC"


@pytest.mark.usefixtures("gatherer")
@pytest.mark.parametrize("adapter", ["native", "ccxt"])
@pytest.mark.parametrize("action", ["watchOrderBook", "watchTrades", "watchBidsAsks"])
async def test_a_mute_connection_is_opened_again(
    bus: Bus, line: Any, watch: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch, action: str, adapter: str
) -> None:
    """Subscribing again would bring nothing: the exchange does not read from it either."""
    monkeypatch.setattr("millrace_gatherer.streams.silence.LEARNED_AFTER_S", 0.2)
    monkeypatch.setattr("millrace_gatherer.streams.silence.LEARNED_AFTER_MESSAGES", 2)
    monkeypatch.setattr("millrace_gatherer.streams.silence.LEAST_S", 0.5)
    monkeypatch.setattr("millrace_gatherer.streams.silence.CONNECTING_S", 2.0)
    monkeypatch.setattr("millrace_exchange.ccxt.subscriptions.MUTE_MS", 500)
    monkeypatch.setattr("millrace_exchange.native.connection._SILENCE_NS", 300_000_000)
    await configure(
        bus, "binance", account(line.url, adapter=adapter), {"assetPairs": [SYMBOL], "dataPoints": [action]}
    )
    stream = watch("binance", action, SYMBOL)
    await stream.until(lambda w: w.is_live and w.deltas > 30)
    opened = line.sockets
    line.treat = lambda frame: frame if line.sockets > opened else None
    seen = stream.deltas
    await stream.until(lambda w: w.breaks and w.is_live and w.deltas > seen + 3)
    assert line.sockets > opened
