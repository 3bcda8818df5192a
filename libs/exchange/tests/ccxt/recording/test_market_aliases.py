"""Markets that share a book: each stream has what was asked for, under its own name."""

import json
from typing import Any, Final

import pytest
from libs.exchange.tests.ccxt.recording.test_account_events import opened

from millrace_core.actions import TRADES
from millrace_core.market import Trade
from millrace_exchange import EventTimes

TRADE: Final = {"trade_id": "42", "product_id": "BTC-USD", "price": "100", "size": "0.5", "side": "BUY"}
LEVEL: Final = {"side": "bid", "event_time": "1970-01-01T00:00:00Z", "price_level": "99", "new_quantity": "1"}
FRAMES: Final = [
    {"channel": "l2_data", "events": [{"type": "snapshot", "product_id": "BTC-USD", "updates": [LEVEL]}]},
    {"channel": "market_trades", "events": [{"type": "update", "trades": [{**TRADE, "time": "2026-02-09T20:32:50Z"}]}]},
]


class Taker:
    """Takes the trades of one market."""

    def __init__(self, ccxt: Any, symbol: str) -> None:
        self.trades: list[Trade] = []
        ccxt.recorder.add((TRADES.name, symbol, None), self)

    def traded(self, trades: list[Trade], event: EventTimes) -> None:
        """Take trades."""
        self.trades += trades


@pytest.mark.parametrize("asked", [("BTC/USDC",), ("BTC/USD",), ("BTC/USD", "BTC/USDC")])
async def test_what_was_asked_for_comes_under_its_own_name(asked: tuple[str, ...]) -> None:
    """Coinbase answers BTC-USDC as BTC-USD; the stream would be silent, or have what is another's."""
    ccxt = opened("coinbase")
    known = next(iter(ccxt.markets.values()))
    markets = [("BTC-USD", "USD", "BTC-USDC"), ("BTC-USDC", "USDC", None)]
    ccxt.set_markets(
        [
            {**known, "id": name, "symbol": f"BTC/{quote}", "quote": quote, "alias": alias}
            for name, quote, alias in markets
        ]
    )
    takers = {symbol: Taker(ccxt, symbol) for symbol in ("BTC/USD", "BTC/USDC")}
    client = ccxt.client("ws://127.0.0.1:1")
    client.subscriptions = {f"{channel}::{symbol}": True for symbol in asked for channel in ("level2", "market_trades")}
    for number, frame in enumerate(FRAMES):
        client.handle_text_or_binary_message(json.dumps({**frame, "sequence_num": number}))
    await ccxt.close()
    assert set(ccxt.orderbooks) == set(asked)
    seen = {symbol: [(trade.symbol, trade.id) for trade in taker.trades] for symbol, taker in takers.items()}
    assert seen == {symbol: [(symbol, "42")] if symbol in asked else [] for symbol in takers}
