"""Every exchange of ccxt can be described and opened."""

import asyncio

import pytest

from millrace_core.config.common import Credentials
from millrace_exchange import UnknownExchange
from millrace_exchange.capabilities import DATA_POINTS
from millrace_exchange.ccxt.capabilities import capabilities_of
from millrace_exchange.ccxt.exchange import open_ccxt_exchange
from millrace_exchange.ccxt.loading import exchange_ids


async def test_every_exchange_is_described_and_opens() -> None:
    """Each offers something; nothing is sent."""
    streaming, opened = 0, []
    for exchange_id in exchange_ids():
        found = capabilities_of(exchange_id)
        assert set(found.data_points) == set(DATA_POINTS)
        assert any(found.data_points.values()), exchange_id
        streaming += found.has_streams
        exchange = await open_ccxt_exchange(exchange_id, Credentials())
        assert (exchange.id, exchange.profile) == (exchange_id, found.profile)
        opened.append(exchange)
    # ccxt waits before it has closed: all wait at once.
    await asyncio.gather(*(exchange.close() for exchange in opened))
    assert streaming == 76


@pytest.mark.parametrize(
    ("exchange_id", "point", "source"),
    [
        ("binance", "OrderBook", "watch"),
        ("kucoin", "OpenInterest", "fetch"),
        ("bitso", "OrderBook", "fetch"),
        ("kucoin", "Liquidations", None),
        ("okx", "Liquidations", "watch"),
        ("gate", "Liquidations", "fetch"),
        # It has its own alone.
        ("bingx", "Liquidations", None),
        ("binance", "Positions", "watch"),
        ("kraken", "Positions", "fetch"),
    ],
)
def test_the_source_of_a_data_point(exchange_id: str, point: str, source: str | None) -> None:
    """A stream where there is one, else a question."""
    assert capabilities_of(exchange_id).data_points[point] == source


def test_books_that_nobody_checks_are_unverified() -> None:
    """So are those of exchanges without a profile."""
    assert capabilities_of("binance").book_proof == "sequence"
    assert capabilities_of("hyperliquid").book_proof == "whole frames"
    assert capabilities_of("woo").book_proof == "unverified"


def test_an_unknown_exchange_names_those_that_are_near() -> None:
    """As any error of a configuration does."""
    with pytest.raises(UnknownExchange, match="did you mean kucoin"):
        capabilities_of("kucoim")
