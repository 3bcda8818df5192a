"""What a book's levels say of a trade of some size."""

from collections.abc import Callable
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.book import OrderBook
from millrace_core.market_terms import MarketTerms
from millrace_core.names import ExchangeId, Symbol
from millrace_strategy import LocalBook

_levels = st.dictionaries(st.integers(1, 50), st.integers(1, 100), min_size=1, max_size=8)


def local(bids: list[tuple[float, float]], asks: list[tuple[float, float]]) -> LocalBook:
    behind, book = OrderBook(), LocalBook(ExchangeId("binance"), Symbol("ETH/BTC"))
    behind.replace(bids, asks, None)
    book.show(behind, 1)
    return book


BOOK = local([(10.0, 1.0), (9.0, 2.0)], [(11.0, 3.0), (12.0, 4.0)])


def test_a_walk_ends_at_its_amount_or_its_cost() -> None:
    """A buy takes asks, a sell bids; a side that is too thin is said to be."""
    assert BOOK.walk("buy", amount=4.0) == (4.0, 45.0, 12.0, True)
    assert BOOK.walk("buy", cost=33.0) == (3.0, 33.0, 11.0, True)
    assert BOOK.walk("sell", amount=5.0) == (3.0, 28.0, 9.0, False)
    assert BOOK.walk("sell", amount=2.0).average_price == 9.5
    assert local([], []).walk("buy", amount=1.0) == (0.0, 0.0, None, False)


def test_the_amount_to_a_price_counts_what_is_as_good_or_better() -> None:
    """Levels beyond the price do not count."""
    assert [BOOK.amount_to("buy", price) for price in (10.9, 11.0, 12.0)] == [0.0, 3.0, 7.0]
    assert [BOOK.amount_to("sell", price) for price in (10.1, 10.0, 9.0)] == [0.0, 1.0, 3.0]


def test_a_side_that_is_none_and_nan_are_refused() -> None:
    """`BUY` walked the bids, and NaN took the whole side."""
    wrong: list[Callable[[], object]] = [
        lambda: BOOK.walk("BUY", amount=1.0),  # type: ignore[arg-type]
        lambda: BOOK.amount_to("BUY", 11.0),  # type: ignore[arg-type]
        lambda: MarketTerms("KCS", "USDT").fit("BUY", 11.0, 1.0),  # type: ignore[arg-type]
        lambda: BOOK.walk("buy", amount=nan),
        lambda: BOOK.walk("buy", cost=nan),
        lambda: BOOK.amount_to("buy", nan),
    ]
    for call in wrong:
        with pytest.raises(ValueError, match="must be"):
            call()


def test_microprice_and_imbalance_lean_to_the_thinner_side() -> None:
    """Three times as much is offered as is bid for: the next trade is likelier at the bid."""
    assert BOOK.microprice == 10.25
    assert BOOK.imbalance() == -0.5
    assert BOOK.imbalance(2) == -0.4
    assert (local([], []).microprice, local([], []).imbalance()) == (None, None)


@given(_levels, st.integers(1, 400))
def test_a_walk_costs_what_its_levels_cost(levels: dict[int, int], wanted: int) -> None:
    """Unit by unit from the best price on, the same amount costs the same."""
    book = local([], [(float(price), float(amount)) for price, amount in levels.items()])
    units = [price for price in sorted(levels) for _ in range(levels[price])][:wanted]
    walk = book.walk("buy", amount=float(wanted))
    assert walk.amount == len(units)
    assert walk.cost == pytest.approx(sum(units))
    assert walk.worst_price == units[-1]
    assert walk.is_complete == (wanted <= sum(levels.values()))
    assert book.walk("buy", cost=walk.cost).amount == pytest.approx(walk.amount)
