"""The depth ladder: what a trader reads prices from."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from millrace_console.display.ladder import (
    NO_SCALE,
    OwnAmounts,
    Rung,
    Scale,
    book_rungs,
    ladder_html,
    own_by_row,
    rungs,
    scale_of,
    spread_text,
)
from millrace_core.book import OrderBook

SCALE = Scale(3, 2)
LEVELS = st.dictionaries(st.integers(1, 5_000), st.integers(1, 10_000), min_size=1, max_size=60).map(
    lambda found: [(ticks / 1_000, hundredths / 100) for ticks, hundredths in sorted(found.items())]
)


def _book() -> OrderBook:
    book = OrderBook()
    book.replace([(12.501, 1.5), (12.499, 2.25), (12.49, 4.0)], [(12.503, 1.0), (12.506, 3.0)], None)
    return book


def test_rows_are_the_best_levels_with_their_running_total() -> None:
    """One tick a row: prices and amounts as the book has them."""
    bids, asks = book_rungs(_book(), SCALE, 1, 2)
    assert bids == [Rung(12.501, 1.5, 1.5), Rung(12.499, 2.25, 3.75)]
    assert asks == [Rung(12.503, 1.0, 1.0), Rung(12.506, 3.0, 4.0)]


def test_grouped_rows_never_promise_a_better_price() -> None:
    """Bids are rounded down to a multiple of the row's ticks, asks up."""
    bids, asks = book_rungs(_book(), SCALE, 5, 9)
    assert bids == [Rung(12.5, 1.5, 1.5), Rung(12.495, 2.25, 3.75), Rung(12.49, 4.0, 7.75)]
    assert asks == [Rung(12.505, 1.0, 1.0), Rung(12.51, 3.0, 4.0)]


@given(LEVELS, st.sampled_from([1, 5, 10, 50, 100]))
def test_grouping_keeps_every_amount(levels: list[tuple[float, float]], group: int) -> None:
    """However many ticks share a row, the whole is the sum of the book, and each row lies on its grid."""
    whole = sum(Decimal(str(amount)) for _, amount in levels)
    for side, ordered in (("ask", levels), ("bid", levels[::-1])):
        rows = rungs(ordered, side, SCALE, group, 10_000)  # type: ignore[arg-type]
        assert Decimal(str(rows[-1].total)) == whole
        assert all(round(row.price * 1_000) % group == 0 for row in rows)
        assert len({row.price for row in rows}) == len(rows)


def test_a_scale_only_widens() -> None:
    """The exchange leaves zeros at the end out: a price without them must not move the others."""
    book = _book()
    assert scale_of(book) == Scale(3, 2)
    book.replace([(12.5, 1.0)], [(12.6, 1.0)], None)
    assert scale_of(book, Scale(3, 2)) == Scale(3, 2)


def test_the_ladder_shows_asks_above_bids_and_marks_own_orders() -> None:
    """Best prices meet in the middle; rows are told apart by their place, not by colour alone."""
    bids, asks = book_rungs(_book(), SCALE, 1, 2)
    own = own_by_row([("buy", 12.499, 1.0), ("sell", 12.506, 2.0), ("buy", 12.499, 0.5)], SCALE, 1)
    assert own == {12.499: 1.5, 12.506: 2.0}
    text = ladder_html(bids, asks, SCALE, OwnAmounts(own), "spread")
    places = [text.index(each) for each in ("12.506", "12.503", "spread", "12.501", "12.499")]
    assert places == sorted(places)
    assert text.count("◆") == 2


def test_spread_and_mid_in_the_digits_of_the_market() -> None:
    """The mid may lie between two ticks."""
    assert spread_text(_book(), SCALE) == ("0.002 (1.6 bp)", "12.5020")
    assert spread_text(OrderBook(), NO_SCALE) == ("–", "–")


def test_own_orders_fade_when_their_stream_is_not_live() -> None:
    """They may be gone: the mark fades and says so, the book stays as it is."""
    bids, asks = book_rungs(_book(), SCALE, 1, 2)
    text = ladder_html(bids, asks, SCALE, OwnAmounts({12.499: 1.0}, is_old=True), "spread")
    assert '<b class="old" title="own orders: 1, not up to date">◆</b>12.499' in text
