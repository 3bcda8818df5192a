from millrace_core.names import StreamName
from millrace_core.near_names import did_you_mean, near_streams


def _streams(*names: str) -> list[StreamName]:
    return [StreamName.parse(f"stream.{name}") for name in names]


def test_near_names_are_suggested_and_others_are_not() -> None:
    """Case does not matter; a name that is near nothing gets no suggestion."""
    known = ["PingPong", "MarketMaker"]
    assert did_you_mean("pingpongg", known) == "; did you mean PingPong?"
    assert did_you_mean("Arbitrage", known) == ""
    assert did_you_mean("PingPong", []) == ""


def test_the_same_stream_of_another_tenant_comes_first() -> None:
    """It is what a forgotten `isPublic` misses."""
    (wanted,) = _streams("Ann.binance.watchOrderBook.ETH/BTC")
    existing = _streams(
        "Ann.binance.watchOrderBook.ETH/USDT",
        "Ann.binance.watchTrades.ETH/BTC",
        "PUBLIC.binance.watchOrderBook.ETH/BTC",
        "PUBLIC.kucoin.watchOrderBook.KCS/USDT",
    )
    assert near_streams(wanted, existing) == [existing[2], existing[0]]


def test_a_wrong_symbol_finds_the_right_one() -> None:
    """Swapped and misspelt symbols are near; other kinds of data never are."""
    right, other = _streams("PUBLIC.binance.watchTrades.ETH/BTC", "PUBLIC.binance.watchTrades.KCS/USDT")
    for symbol in ("BTC/ETH", "ETHBTC", "eth/btc"):
        assert near_streams(right._replace(symbol=symbol), [right, other]) == [right]  # type: ignore[arg-type]
    (account,) = _streams("Ann.binance.watchBalance")
    assert near_streams(account, _streams("Bob.binance.watchBalance", "Ann.binance.watchOrders.ETH/BTC")) == _streams(
        "Bob.binance.watchBalance"
    )
