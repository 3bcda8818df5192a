"""What KuCoin's frames say. The examples are those of its documentation."""

import msgspec
import pytest

from millrace_exchange.native.dialect import Ended, Other, Pong, Response, Unreadable, Welcome
from millrace_exchange.native.kucoin.frames import decode
from millrace_exchange.native.kucoin.messages import BestPrices, BookUpdate, CandleUpdate, Match, OrderChange


def test_a_change_of_a_book_has_its_numbers_and_its_levels() -> None:
    """A price of 0 moves the number alone."""
    event = decode(
        b'{"topic":"/market/level2:BTC-USDT","type":"message","subject":"trade.l2update","data":{"changes":{"asks":'
        b'[["67993.3","1.21427407","14701689783"],["0","0","14701689784"]],"bids":[]},"sequenceEnd":14701689784,'
        b'"sequenceStart":14701689783,"symbol":"BTC-USDT","time":1729816425625}}'
    )
    assert isinstance(event, BookUpdate)
    assert (event.first, event.last, event.time) == (14701689783, 14701689784, 1729816425625)
    assert (event.bids, event.asks) == ([], [(67993.3, 1.21427407)])
    assert event.route == "/market/level2:BTC-USDT"


def test_trades_candles_and_best_prices_are_distinguished() -> None:
    """Whatever the order of their fields."""
    trade = decode(
        b'{"topic":"/market/match:BTC-USDT","type":"message","subject":"trade.l3match","data":{"makerOrderId":'
        b'"671b5007389355000701b1d3","price":"67523","sequence":"11067996711960577","side":"buy","size":"0.003",'
        b'"symbol":"BTC-USDT","takerOrderId":"671b50161777ff00074c168d","time":"1729843222921000000",'
        b'"tradeId":"11067996711960577","type":"match"}}'
    )
    candle = decode(
        b'{"topic":"/market/candles:BTC-USDT_1hour","type":"message","subject":"trade.candles.update","data":{"symbol":'
        b'"BTC-USDT","candles":["1729839600","67644.9","67437.6","67724.8","67243.8","44.88321441","3027558.991928447"],'
        b'"time":1729842192785164840}}'
    )
    best = decode(
        b'{"topic":"/spotMarket/level1:BTC-USDT","type":"message","data":{"asks":["68145.8","0.51987471"],"bids":[],'
        b'"timestamp":1729816058766},"subject":"level1"}'
    )
    assert isinstance(trade, Match)
    assert isinstance(candle, CandleUpdate)
    assert isinstance(best, BestPrices)
    assert (trade.position, candle.data.candles[4], best.data.bids) == (11067996711960577, "67243.8", [])


@pytest.mark.parametrize(
    ("frame", "notice"),
    [
        (b'{"id":"hQvf8jkno","type":"welcome","pingInterval":18000,"pingTimeout":10000}', Welcome()),
        (b'{"id":"ping","type":"pong","timestamp":"1729816425625000"}', Pong()),
        (b'{"id":"3","type":"ack"}', Response(3, None)),
        (
            b'{"id":"4","type":"error","code":404,"data":"topic is not found"}',
            Response(4, "topic is not found (404)", "404"),
        ),
        (b'{"id":"public","type":"error","code":401,"data":"token is expired"}', Ended("token is expired (401)")),
        (b'{"type":"message","topic":"/market/ticker:all","subject":"BTC-USDT","data":{}}', Other()),
    ],
)
def test_what_is_no_message_of_a_stream_is_distinguished(frame: bytes, notice: object) -> None:
    """Responses have their number; an error without one ends the connection."""
    assert decode(frame) == notice


@pytest.mark.parametrize(
    ("frame", "route"),
    [
        (
            b'{"topic":"/market/level2:A-B","type":"message","subject":"trade.l2update","data":{"changes":{"asks":[],"bids":[]}}}',
            "/market/level2:A-B",
        ),
        (b'{"topic":"/market/match:A-B","type":"message","subject":"trade.l3match","data":{}}', "/market/match:A-B"),
        (
            b'{"topic":"/spotMarket/tradeOrdersV2","type":"message","subject":"orderChange","data":{"symbol":"A-B"}}',
            ("/spotMarket/tradeOrdersV2", "A-B"),
        ),
        (b'{"type":"message","subject":"orderChange","data":[]}', (None, None)),
    ],
)
def test_an_event_that_cannot_be_read_is_missing_in_its_stream(frame: bytes, route: object) -> None:
    """That must not pass for none; one that names no stream is of a route that nothing has."""
    event = decode(frame)
    assert isinstance(event, Unreadable)
    assert event.route == route


@pytest.mark.parametrize("frame", [b'{"topic":"/mark', b"<html>"])
def test_a_frame_of_another_form_is_an_error(frame: bytes) -> None:
    """What it said is missing in any stream."""
    with pytest.raises(msgspec.MsgspecError):
        decode(frame)


def test_an_order_says_in_which_market_it_is() -> None:
    """One stream has the orders of all."""
    event = decode(
        b'{"topic":"/spotMarket/tradeOrdersV2","type":"message","subject":"orderChange","userId":"x","channelType":"private",'
        b'"data":{"clientOid":"5c52e11203aa677f33e493fb","orderId":"6720da3fa30a360007f5f832","orderTime":1730206271588,'
        b'"orderType":"market","side":"buy","status":"new","symbol":"BTC-USDT","ts":1730206271616000000,"type":"received"}}'
    )
    assert isinstance(event, OrderChange)
    assert event.route == ("/spotMarket/tradeOrdersV2", "BTC-USDT")
    assert event.position == 1730206271616000000
