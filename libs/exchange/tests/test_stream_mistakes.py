"""Mistakes that show offline are named, with what was probably meant."""

import inspect
import re
import sys
from typing import Any

import pytest
from ccxt.base.errors import BaseError

from millrace_core.names import ExchangeId
from millrace_exchange import StreamMistake, capability_mistakes, stream_mistakes
from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.profiles import profiles

LIMITED = sorted(name for name, profile in profiles().items() if profile.book.limits and name == profile.exchange)


@pytest.mark.parametrize(
    ("exchange", "symbol", "depth", "expected"),
    [
        ("kucon", "KCS/USDT", None, StreamMistake("exchangeId", "ccxt has no exchange kucon; did you mean kucoin?")),
        (
            "kucoin",
            "KCSUSDT",
            None,
            StreamMistake(
                "assetPairs",
                "KCSUSDT is an exchange's own name of a market, not ccxt's symbol; did you mean KCS/USDT?",
            ),
        ),
        (
            "kucoin",
            "KCS/USDT",
            10,
            StreamMistake("limit", "kucoin has no order books of 10 levels: leave it out, or take 5, 20, 50, 100"),
        ),
    ],
)
def test_a_mistake_is_named(exchange: str, symbol: str, depth: int | None, expected: StreamMistake) -> None:
    """The field that has it, and what is near."""
    assert list(stream_mistakes(exchange, "watchOrderBook", symbol, depth)) == [expected]


@pytest.mark.parametrize("symbol", ["KCSUSDT", "KCS-USDT", "kcs_usdt", "KCS:USDT"])
def test_an_exchanges_own_name_is_no_symbol(symbol: str) -> None:
    """Whichever form it has, the unified symbol is suggested."""
    [mistake] = stream_mistakes("kucoin", "watchTrades", symbol, None)
    assert "KCS/USDT?" in mistake.message


@pytest.mark.parametrize("symbol", ["KCS/USDT", "BTC/USDT:USDT", "BTC/USD:BTC-240628-40000-C", "ELECTION", None])
def test_what_may_be_right_is_no_mistake(symbol: str | None) -> None:
    """Only what is certainly wrong is refused: the markets themselves are not known offline."""
    assert list(stream_mistakes("binance", "watchTrades", symbol, None)) == []
    assert list(stream_mistakes("binance", "watchOrderBook", symbol, 20)) == []


def test_streams_and_timeframes_that_an_exchange_has_not_are_named() -> None:
    """What it has instead is listed."""
    [action] = capability_mistakes("paymium", "watchMyTrades", [])
    assert (action.place, action.message) == (
        "action",
        "paymium has no watchMyTrades; it has watchOrderBook, watchTrades, watchBalance, watchTicker",
    )
    assert list(capability_mistakes("hitbtc", "watchMyTrades", [])) == []  # hitbtc can only be asked
    [timeframe] = capability_mistakes("kraken", "watchOHLCV", ["1m", "7m"])
    assert (timeframe.place, "no candles of 7m; it has 1m" in timeframe.message) == ("timeframe", True)
    assert list(capability_mistakes("binance", "watchOrders", [])) == []


@pytest.mark.parametrize("exchange", LIMITED)
async def test_ccxt_refuses_other_depths(exchange: str) -> None:
    """The depths of a profile are those that ccxt takes: it refuses another before it asks the exchange anything."""
    ccxt: Any = load_exchange(exchange)({})
    ccxt.set_markets([_market(ccxt)])
    with pytest.raises(BaseError, match="limit"):
        await ccxt.watch_order_book("BTC/USDT", 7)
    modules = {sys.modules[base.__module__] for base in type(ccxt).__mro__ if base.__module__.startswith("ccxt.pro")}
    source = "".join(map(inspect.getsource, modules))
    assert all(re.search(rf"\b{depth}\b", source) for depth in profiles()[ExchangeId(exchange)].book.limits)


def _market(ccxt: Any) -> Any:
    market = {"id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "type": "spot", "spot": True}
    return ccxt.safe_market_structure(market)
