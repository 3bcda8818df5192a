import pytest

from millrace_core.book import OrderBook
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_strategy import Books, LocalBook, NotSubscribed, SubscribedStream

STREAM = SubscribedStream(ExchangeId("binance"), Symbol("ETH/BTC"), Action("watchOrderBook"), is_public=True)


def good_book() -> OrderBook:
    book = OrderBook()
    book.replace([(10.0, 1.0), (9.0, 2.0)], [(11.0, 3.0)], 7)
    return book


def test_a_book_is_found_by_its_names_and_by_its_feed() -> None:
    """Both keys return the same book, and iterating yields the names."""
    books = Books((STREAM, SubscribedStream(ExchangeId("binance"), None, Action("watchBalance"))))
    assert books["binance", "ETH/BTC"] is books[STREAM]
    assert list(books) == [("binance", "ETH/BTC")]


def test_a_book_that_nothing_feeds_says_what_to_do() -> None:
    """The error names the subscription that is missing."""
    with pytest.raises(NotSubscribed, match="kucoin KCS/USDT: subscribe to watchOrderBook"):
        Books((STREAM,))["kucoin", "KCS/USDT"]
    assert ("kucoin", "KCS/USDT") not in Books((STREAM,))


def test_a_book_is_live() -> None:
    """It shows later changes of the book behind it."""
    behind, local = good_book(), LocalBook(ExchangeId("binance"), Symbol("ETH/BTC"))
    local.show(behind, 1)
    behind.bids.apply([(10.5, 1.0)])
    assert (local.best_bid, local.best_ask) == ((10.5, 1.0), (11.0, 3.0))
    assert (local.mid, local.spread, local.nonce) == (10.75, 0.5, 7)
    assert local.bids(2) == [(10.5, 1.0), (10.0, 1.0)]
    assert local.asks() == [(11.0, 3.0)]


@pytest.mark.parametrize("status", ["untrusted", "stale", "closed", "dead"])
def test_a_book_is_trusted_only_while_it_is_proven_and_live(status: str) -> None:
    """It is trusted from its first state on, until its stream is not live."""
    local = LocalBook(ExchangeId("binance"), Symbol("ETH/BTC"))
    assert not local.trusted
    local.show(good_book(), 1)
    assert local.trusted
    local.take_status(status)
    assert not local.trusted
    assert local.best_bid == (10.0, 1.0)
    local.take_status("live")
    local.show(good_book(), 2)
    assert local.trusted
