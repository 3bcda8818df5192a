"""Tickers arrive in whatever shape ccxt answers with."""

from typing import Any

import pytest

from millrace_core.actions import TICKER
from millrace_core.market import Fields
from millrace_core.names import ExchangeId
from millrace_exchange import EventTimes, profile_of
from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.ccxt.recording.recorded_exchange import recorded
from millrace_exchange.request_gate import RequestGate

SYMBOL = "BTC/USDT"
OKX = {"arg": {"channel": "tickers", "instId": "BTC-USDT"}, "data": [{"instId": "BTC-USDT", "last": "9.5", "ts": "1"}]}
KRAKEN = {"channel": "ticker", "type": "update", "data": [{"symbol": SYMBOL, "last": 9.5, "bid": 9.4, "ask": 9.6}]}
HITBTC = {"ch": "ticker/1s", "data": {"BTCUSDT": {"t": 1, "c": "9.5", "a": "9.6", "b": "9.4"}}}
BINANCE = {"e": "24hrTicker", "s": "BTCUSDT", "c": "9.5", "E": 1}
BITVAVO = {"event": "ticker24h", "data": [{"market": "BTC-USDT", "last": "9.5", "timestamp": 1}]}
POLONIEX = {"channel": "ticker", "data": [{"symbol": "BTC_USDT", "close": "9.5", "ts": 1}]}


class Taker:
    """Stands for a connection and its listener."""

    def __init__(self, ccxt: Any) -> None:
        self.tickers: list[Fields] = []
        self.subscriptions: dict[str, Any] = {}
        self.lastPong = 0
        self.futures: dict[str, Any] = {f"tickers::{SYMBOL}": None}
        self.url = ""
        self.ccxt = ccxt
        self._recorder = ccxt.recorder
        self._recorder.add((TICKER.name, SYMBOL, None), self)

    def resolve(self, result: Any, _message_hash: str) -> None:
        """Take what ccxt applied."""
        self._recorder.deliver(result, self)

    def fields_changed(self, ticker: Fields, event: EventTimes) -> None:
        """Take a ticker."""
        self.tickers.append(ticker)


@pytest.mark.parametrize(
    ("exchange", "market_id", "frame"),
    [
        ("okx", "BTC-USDT", OKX),
        ("kraken", "XBTUSDT", KRAKEN),
        ("hitbtc", "BTCUSDT", HITBTC),
        ("binance", "BTCUSDT", BINANCE),
        ("bitvavo", "BTC-USDT", BITVAVO),
        ("poloniex", "BTC_USDT", POLONIEX),
    ],
)
def test_a_ticker_is_delivered(exchange: str, market_id: str, frame: dict[str, Any]) -> None:
    """Alone, in a map by symbol, or in both: the listener of its symbol takes it once."""
    taker = taken(exchange, market_id, frame)
    assert [(ticker["symbol"], ticker["last"]) for ticker in taker.tickers] == [(SYMBOL, 9.5)]


def taken(exchange: str, market_id: str, *frames: dict[str, Any]) -> Taker:
    """Have ccxt handle frames."""
    profile = profile_of(ExchangeId(exchange))
    ccxt = recorded(load_exchange(exchange))({}, profile, RequestGate(profile))
    market = {"id": market_id, "symbol": SYMBOL, "base": "BTC", "quote": "USDT", "type": "spot", "spot": True}
    ccxt.set_markets([ccxt.safe_market_structure({**market, "precision": {"price": 0.1, "amount": 0.1}})])
    taker = Taker(ccxt)
    for frame in frames:
        ccxt.handle_message(taker, frame)
    return taker


def test_a_ticker_that_comes_late_changes_nothing() -> None:
    """By the exchange's own time; where it says none, as Kraken, each counts."""
    newer, older = ({**BINANCE, "c": last, "E": at} for last, at in (("9.5", 2), ("9.4", 1)))
    assert [ticker["last"] for ticker in taken("binance", "BTCUSDT", newer, older, newer).tickers] == [9.5, 9.5]
    assert len(taken("kraken", "XBTUSDT", KRAKEN, KRAKEN).tickers) == 2


def test_a_stream_that_begins_anew_takes_any_ticker() -> None:
    """Its exchange may have set its clock back."""
    taker = taken("binance", "BTCUSDT", {**BINANCE, "E": 2})
    again = Taker(taker.ccxt)
    taker.ccxt.handle_message(again, BINANCE)
    assert len(again.tickers) == 1
