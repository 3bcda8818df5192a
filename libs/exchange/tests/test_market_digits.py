"""Every number of market and account data has the digits that the exchange sent, however it says them."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace_core.actions import BALANCE, CANDLES, TICKER
from millrace_core.messages import encode
from millrace_core.names import ExchangeId
from millrace_core.position import EXACT
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.conversion import trade_of
from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.ccxt.recording.recorded_exchange import recorded
from millrace_exchange.native.binance import account as binance_account
from millrace_exchange.native.binance import frames as binance_frames
from millrace_exchange.native.binance.market import BinanceMarket
from millrace_exchange.native.kucoin import frames as kucoin_frames
from millrace_exchange.native.kucoin.account import KucoinAccount
from millrace_exchange.native.kucoin.market import KucoinMarket
from millrace_exchange.profiles import profile_of
from millrace_exchange.request_gate import RequestGate

SYMBOL = "KCS/USDT"
ALSO = "12345678.123456789012345678"
"""A second number that no float holds."""


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Return a number as JSON has it: 1 to 30 digits, tiny or huge, with zeros at the end or with an exponent."""
    digits, places = draw(st.integers(1, 10**30 - 1)), draw(st.integers(-15, 40))
    if draw(st.booleans()):
        return f"{digits}{draw(st.sampled_from('eE'))}{-places}"
    return format(Decimal(digits).scaleb(-places), "f") + draw(st.sampled_from(("", "0", "000"))) * (places > 0)


@cache
def opened(exchange: str) -> Any:
    """Return ccxt's instance of an exchange, with one market."""
    profile = profile_of(ExchangeId(exchange))
    ccxt = recorded(load_exchange(exchange))({"newUpdates": False}, profile, RequestGate(profile))
    ids = {"binance": "KCSUSDT", "kraken": "KCSUSDT", "kucoin": "KCS-USDT"}
    market = {"id": ids[exchange], "symbol": SYMBOL, "base": "KCS", "quote": "USDT", "type": "spot", "spot": True}
    ccxt.set_markets([ccxt.safe_market_structure({**market, "precision": {"price": 1e-8, "amount": 1e-8}})])
    return ccxt


def caller(exchange: str) -> CcxtCaller:
    """Return as much of a caller as dialects need."""
    return cast(CcxtCaller, SimpleNamespace(ccxt=opened(exchange), has_keys=False))


def frame(**fields: Any) -> bytes:
    """Return a frame in which numbers are texts."""
    return json.dumps(fields).encode()


def binance_trade(text: str) -> Any:
    """A trade of Binance's native stream."""
    event = binance_frames.decode(frame(e="trade", s="KCSUSDT", t=1, p=text, q=text, T=1, m=True))
    return BinanceMarket(caller("binance")).trade(cast(Any, event), SYMBOL)


def binance_candle(text: str) -> Any:
    """A candle of Binance's native stream."""
    kline = {"t": 0, "i": "1m", **dict.fromkeys("ohlcv", text)}
    return BinanceMarket(caller("binance")).candle(
        cast(Any, binance_frames.decode(frame(e="kline", E=1, s="KCSUSDT", k=kline)))
    )


def binance_ticker(text: str) -> Any:
    """A ticker of Binance's native stream."""
    numbers = dict.fromkeys("pPwxcbBaAohlvq", text)
    event = binance_frames.decode(frame(e="24hrTicker", E=1, s="KCSUSDT", C=1, **numbers))
    ticker = BinanceMarket(caller("binance")).fields(TICKER, event, SYMBOL)
    return {name: ticker[name] for name in ("last", "bid", "askVolume", "vwap", "baseVolume", "quoteVolume")}


def binance_balance(text: str) -> Any:
    """A balance of Binance's native stream, whose total is a sum."""
    event = binance_account.decode(
        frame(event={"e": "outboundAccountPosition", "E": 1, "u": 1, "B": [{"a": "KCS", "f": text, "l": "0.00"}]})
    )
    held = binance_account.BinanceAccount(caller("binance")).balances(cast(Any, event))["KCS"]
    return held.free, held.total


def binance_own_trade(text: str) -> Any:
    """An own trade of Binance's native stream, with its fee."""
    numbers = dict.fromkeys(("l", "L", "n", "Y", "q", "p", "P", "z", "Z", "Q"), text)
    report = {"e": "executionReport", "s": "KCSUSDT", "x": "TRADE", "X": "FILLED", "N": "BNB", "c": "1", "C": ""}
    report |= dict.fromkeys(("E", "I", "t", "T", "i", "O"), 1)
    event = binance_account.decode(frame(event={**report, "S": "BUY", "o": "LIMIT", "f": "GTC", "m": True, **numbers}))
    trade = binance_account.BinanceAccount(caller("binance")).trade(cast(Any, event))
    assert trade is not None
    assert trade.fee is not None
    return trade.price, trade.amount, trade.fee.cost


def kucoin(subject: str, data: dict[str, Any]) -> Any:
    """Return an event of KuCoin's native streams."""
    return kucoin_frames.decode(frame(topic="x:KCS-USDT", type="message", subject=subject, data=data))


def kucoin_trade(text: str) -> Any:
    """A trade of KuCoin's native stream."""
    data = {"sequence": "1", "price": text, "size": text, "side": "buy", "time": "1000000", "tradeId": "1"}
    return KucoinMarket(caller("kucoin")).trade(kucoin("trade.l3match", data), SYMBOL)


def kucoin_candle(text: str) -> Any:
    """A candle of KuCoin's native stream."""
    return KucoinMarket(caller("kucoin")).candle(
        kucoin("trade.candles.update", {"candles": ["1", *[text] * 6], "time": 1})
    )


def kucoin_balance(text: str) -> Any:
    """A balance of KuCoin's native stream."""
    data = {"currency": "KCS", **dict.fromkeys(("available", "hold", "total"), text), "time": "1"}
    return KucoinAccount(caller("kucoin")).balances(kucoin("account.balance", {**data, "relationEvent": "trade_hf.x"}))


def kucoin_ticker(text: str) -> Any:
    """A ticker of KuCoin's native stream, whose numbers are none of texts."""
    data = f'{{"datetime":1,"symbol":"KCS-USDT","lastTradedPrice":{text},"volValue":{text},"vol":{text}}}'
    whole = f'{{"topic":"x","type":"message","subject":"trade.snapshot","data":{{"data":{data}}}}}'
    ticker = KucoinMarket(caller("kucoin")).fields(TICKER, kucoin_frames.decode(whole.encode()), SYMBOL)
    return {name: ticker[name] for name in ("last", "quoteVolume", "baseVolume")}


def asked_trade(text: str) -> Any:
    """A trade that ccxt was asked for, in JSON whose numbers are none of texts."""
    ccxt = opened("binance")
    row = ccxt.parse_json(f'{{"id":1,"price":{text},"qty":{text},"time":1,"isBuyerMaker":true,"commission":{text}}}')
    return trade_of(ccxt.parse_trade({**row, "commissionAsset": "BNB"}, ccxt.market(SYMBOL)))


def asked_candle(text: str) -> Any:
    """A candle that ccxt was asked for."""
    ccxt = opened("binance")
    return ccxt.parse_ohlcv(ccxt.parse_json(f"[1,{text},{text},{text},{text},{text}]"), ccxt.market(SYMBOL))


SOURCES = (
    *(binance_trade, binance_candle, binance_ticker, binance_balance, binance_own_trade),
    *(kucoin_trade, kucoin_candle, kucoin_balance, kucoin_ticker),
    *(asked_trade, asked_candle),
)


def numbers_in(value: Any) -> Iterator[Decimal]:
    """Yield the numbers of a value as it travels, but times and what was calculated."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name not in ("timestamp", "cost") or isinstance(value.get("currency"), str):
                yield from numbers_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from numbers_in(each)
    elif isinstance(value, int | Decimal):
        yield Decimal(value)


def travelled(value: Any) -> Any:
    """Return what a reader of a message finds who keeps every digit."""
    return _exact(encode(value))


_exact = msgspec.json.Decoder(float_hook=Decimal).decode


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
@given(text=texts())
@settings(max_examples=20)
def test_a_number_travels_digit_for_digit(source: Callable[[str], Any], text: str) -> None:
    """From a frame or an answer of an exchange into a message."""
    value = travelled(source(text))
    found = set(numbers_in(value[1:] if "candle" in source.__name__ else value))
    assert found == {Decimal(text)}
    if "trade" in source.__name__ and isinstance(value, dict):
        assert Decimal(value["cost"]) == EXACT.multiply(Decimal(text), Decimal(text))


class Taker:
    """Takes what ccxt's sockets bring."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def fields_changed(self, fields: Any, event: Any) -> None:
        """Take a ticker."""
        self.values.append({"last": fields["last"], "baseVolume": fields["baseVolume"]})

    def balance_changed(self, balances: Any, event: Any) -> None:
        """Take balances."""
        self.values.append(balances)

    def candles_changed(self, candles: Any, event: Any) -> None:
        """Take candles."""
        self.values.append(list(candles[-1][1:]))


@given(text=texts())
@settings(max_examples=20, deadline=None)
async def test_a_number_of_a_frame_travels_through_ccxt(text: str) -> None:
    """Also one that is no text in its frame, and one that ccxt reads again from what it keeps."""
    kraken, kucoin, binance, taker = opened("kraken"), opened("kucoin"), opened("binance"), Taker()
    for ccxt, key in (
        (kraken, (TICKER.name, SYMBOL, None)),
        (kucoin, (BALANCE.name, None, None)),
        (binance, (CANDLES.name, SYMBOL, "1m")),
    ):
        ccxt.recorder.add(key, taker)
    socket = kraken.client("wss://ws.kraken.com/v2")
    ticker = f'{{"symbol":"{SYMBOL}","last":{text},"volume":{text}}}'
    socket.handle_text_or_binary_message(f'{{"channel":"ticker","type":"update","data":[{ticker}]}}')
    socket = kucoin.client("wss://ws-api-spot.kucoin.com")
    for currency, balance in (("KCS", text), ("USDT", ALSO)):
        held = f'"currency":"{currency}","available":"{balance}","hold":"{balance}","total":"{balance}"'
        data = f'{{{held},"relationEvent":"trade_hf.hold","time":"1"}}'
        envelope = '"topic":"/account/balance","type":"message","subject":"account.balance"'
        socket.handle_text_or_binary_message(f'{{{envelope},"data":{data}}}')
    kline = {"t": 0, "i": "1m", "s": "KCSUSDT", **dict.fromkeys("ohlcv", text)}
    socket = binance.client("wss://stream.binance.com:9443/ws/0")
    socket.handle_text_or_binary_message(frame(e="kline", E=1, s="KCSUSDT", k=kline).decode())
    found = [set(numbers_in(travelled(value))) for value in taker.values]
    assert found[0] == {Decimal(text)}
    assert found[-2] == {Decimal(text), Decimal(ALSO)}
    assert found[-1] == {Decimal(text)}
