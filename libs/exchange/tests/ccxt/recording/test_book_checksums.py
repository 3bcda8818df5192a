"""Checksums are computed as the exchanges document them."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_exchange.ccxt.recording.book_checksums import Claim, PaddedDecimals, SignedPairs, decimals

KRAKEN_ASKS = "45285.2 0.00100000 45286.4 1.54571953 45286.6 1.54571109 45289.6 1.54560911 45290.2 0.15890660 \
45291.8 1.54553491 45294.7 0.04454749 45296.1 0.35380000 45297.5 0.09945542 45299.5 0.18772827"
KRAKEN_BIDS = "45283.5 0.10000000 45283.4 1.54582015 45282.1 0.10000000 45281.0 0.10000000 45280.3 1.54592586 \
45279.0 0.07990000 45277.6 0.03310103 45277.5 0.30000000 45277.3 1.54602737 45276.6 0.15445238"


def levels(text: str) -> list[list[float]]:
    """Levels as JSON has them."""
    numbers = [json.loads(word) for word in text.split()]
    return [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]


def test_krakens_own_example() -> None:
    """The book of docs.kraken.com, "Book checksum (WebSocket v2)", has the checksum that is given there."""
    book = {"asks": levels(KRAKEN_ASKS), "bids": levels(KRAKEN_BIDS)}
    market = {"precision": {"price": 0.1, "amount": 1e-8}}
    assert PaddedDecimals().checksum(book, market) == 3310070434
    book["bids"][9][1] += 1e-8
    assert PaddedDecimals().checksum(book, market) != 3310070434


def test_bitfinexs_levels_alternate_and_asks_are_negative() -> None:
    """Numbers stand as JavaScript prints them, and the sum is signed; the shorter side ends first."""
    book = {"bids": [[100.5, 0.25, 1], [100.0, 3e-7, 1]], "asks": [[101.0, 0.00001, 2]]}
    expected = zlib.crc32(b"100.5:0.25:101:-0.00001:100:3e-7")
    assert SignedPairs().checksum(book, {}) == (expected - 2**32 if expected >= 2**31 else expected)


@given(number=st.decimals("0.0000001", "1000000", places=7).map(float))
def test_numbers_are_printed_as_by_javascript(number: float) -> None:
    """A number of up to seven decimals, as Bitfinex has them: without an exponent unless there are six zeros."""
    book = {"bids": [[number, 1.0, 1]], "asks": []}
    text = f"{number:.7f}".rstrip("0").rstrip(".") if number >= 1e-6 else f"{round(number * 1e7)}e-7"
    unsigned = zlib.crc32(f"{text}:1".encode())
    assert SignedPairs().checksum(book, {}) % 2**32 == unsigned


@pytest.mark.parametrize(
    ("step", "places"), [(1.0, 0), (0.1, 1), (0.01, 2), (1e-8, 8), (5e-05, 5), (10.0, 0), (0.25, 2)]
)
def test_the_decimals_of_a_step(step: float, places: int) -> None:
    """As many as a multiple of the step can have."""
    assert decimals(step) == places


def test_only_frames_with_a_checksum_hold_one() -> None:
    """Other channels, heartbeats and acknowledgements hold none."""
    kraken: list[Any] = [{}, {"channel": "heartbeat"}, {"channel": "book", "data": []}, [1, "cs", 2]]
    assert [PaddedDecimals().claim(frame, {}) for frame in kraken] == [None] * 4
    frame = {"channel": "book", "data": [{"symbol": "BTC/USD", "checksum": 7}]}
    assert PaddedDecimals().claim(frame, {}) == Claim("BTC/USD", 7)
    subscriptions = {"5": {"symbol": "tBTCUSD"}}
    bitfinex: list[Any] = [{}, [5, "hb"], [5, [1, 2, 3]], [6, "cs", 1], {"event": "info"}]
    assert [SignedPairs().claim(frame, subscriptions) for frame in bitfinex] == [None] * 5
    assert SignedPairs().claim([5, "cs", -9], subscriptions) == Claim("tBTCUSD", -9)
