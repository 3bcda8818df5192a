"""What Binance's frames say. The examples are those of its documentation."""

import msgspec
import pytest

from millrace_exchange.native.binance.frames import decode
from millrace_exchange.native.binance.messages import BestPrices, DepthUpdate, KlineEvent, TickerEvent, TradeEvent
from millrace_exchange.native.dialect import Farewell, Other, Response, Unreadable


def test_a_depth_update_has_its_levels_as_they_were_printed() -> None:
    """Texts become the floats that print back as the same digits."""
    event = decode(
        b'{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10"]],"a":[["0.10","0"]]}'
    )
    assert event == DepthUpdate(1672515782136, "BNBBTC", 157, 160, [(0.0024, 10.0)], [(0.1, 0.0)])


def test_trades_candles_and_tickers_are_distinguished() -> None:
    """Each has the route of its stream."""
    trade = decode(b'{"e":"trade","E":2,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1,"m":true,"M":true}')
    kline = decode(
        b'{"e":"kline","E":2,"s":"BNBBTC","k":{"t":1,"T":2,"s":"BNBBTC","i":"1m","f":1,"L":2,"o":"0.0010","c":"0.0020",'
        b'"h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0000","V":"500","Q":"0.500","B":"123456"}}'
    )
    ticker = decode(
        b'{"e":"24hrTicker","E":3,"s":"BNBBTC","p":"0.0015","P":"250.00","w":"0.0018","x":"0.0009","c":"0.0025",'
        b'"Q":"10","b":"0.0024","B":"10","a":"0.0026","A":"100","o":"0.0010","h":"0.0025","l":"0.0010","v":"10000",'
        b'"q":"18","O":0,"C":86400000,"F":0,"L":18150,"n":18151}'
    )
    assert trade == TradeEvent("BNBBTC", 12345, "0.001", "100", 1, True)
    assert isinstance(kline, KlineEvent)
    assert isinstance(ticker, TickerEvent)
    assert [event.route for event in (trade, kline, ticker)] == [
        (TradeEvent, "BNBBTC"),
        (KlineEvent, "BNBBTC", "1m"),
        (TickerEvent, "BNBBTC"),
    ]


@pytest.mark.parametrize(
    "frame",
    [
        b'{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}',
        b'{"s":"BNBUSDT","u":400900217,"b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}',
    ],
)
def test_best_prices_name_no_kind(frame: bytes) -> None:
    """Whatever field comes first."""
    assert decode(frame) == BestPrices(400900217, "BNBUSDT", 25.3519, 31.21, 25.3652, 40.66)


@pytest.mark.parametrize(
    ("frame", "notice"),
    [
        (b'{"result":null,"id":3}', Response(3, None)),
        (b'{"error":{"code":2,"msg":"Invalid request"},"id":0}', Response(0, "Invalid request (2)", "2")),
        (b'{"code":2,"msg":"Invalid request","id":4}', Response(4, "Invalid request (2)", "2")),
        (b'{"e":"serverShutdown","E":1770123456789}', Farewell()),
        (b'{"event":{"e":"serverShutdown","E":1770123456789}}', Farewell()),
        (b'{"e":"avgPrice","s":"BTCUSDT"}', Other()),
        (b'{"error":{"code":3,"msg":"Invalid JSON"},"id":null}', Other()),
    ],
)
def test_what_is_no_event_is_distinguished(frame: bytes, notice: object) -> None:
    """Answers have their number, 0 included; what is unknown concerns nobody."""
    assert decode(frame) == notice


@pytest.mark.parametrize(
    ("frame", "route"),
    [
        (
            b'{"e":"depthUpdate","E":1,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024",null]],"a":[]}',
            (DepthUpdate, "BNBBTC"),
        ),
        (b'{"e":"depthUpdate","E":1,"s":"BNBBTC","U":157,"b":[],"a":[]}', (DepthUpdate, "BNBBTC")),
        (b'{"e":"trade","E":2,"s":"BNBBTC","t":"x","p":"0.001","q":"1","T":1,"m":true}', (TradeEvent, "BNBBTC")),
        (b'{"e":"trade","E":2,"t":7}', (TradeEvent, "None")),
        (b'{"e":"kline","E":2,"s":"BNBBTC","k":{"t":1,"i":"1m"}}', (KlineEvent, "BNBBTC", "1m")),
        (b'{"e":"kline","E":2,"s":"BNBBTC","k":[]}', (KlineEvent, "BNBBTC", "None")),
        (b'{"u":4,"s":"BNBBTC","b":null,"B":"1","a":"2","A":"1"}', (BestPrices, "BNBBTC")),
    ],
)
def test_an_event_that_cannot_be_read_is_missing_in_its_stream(frame: bytes, route: object) -> None:
    """That must not pass for none; one that names no stream is of a route that nothing has."""
    event = decode(frame)
    assert isinstance(event, Unreadable)
    assert event.route == route


@pytest.mark.parametrize("frame", [b'{"e":"depthUpd', b"<html>", b"[]", b'{"u":4,"s"'])
def test_a_frame_of_another_form_is_an_error(frame: bytes) -> None:
    """What it said is missing in any stream."""
    with pytest.raises(msgspec.MsgspecError):
        decode(frame)
