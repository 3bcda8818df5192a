from difflib import SequenceMatcher
from itertools import permutations

import pytest

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


def test_streams_that_are_far_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing letter by letter is slow: of 2,000 symbols it is done for a few, and for each exchange once."""
    compared: list[str] = []
    ratio = SequenceMatcher.ratio

    def counted(matcher: SequenceMatcher[str]) -> float:
        compared.append(str(matcher.a))
        return ratio(matcher)

    monkeypatch.setattr(SequenceMatcher, "ratio", counted)
    (wanted,) = _streams("Ann.binance.watchTrades.ETHBTC")
    bases = ["".join(letters) for letters in permutations("XYZVWQU", 4)]
    existing = _streams(*(f"Ann.binance.watchTrades.{base}/{quote}" for base in bases for quote in ("USDT", "EUR")))
    (right,) = _streams("Ann.binance.watchTrades.ETH/BTC")
    assert near_streams(wanted, [*existing, right])[0] == right
    assert len(compared) < 10
