"""The page on exchanges agrees with the profiles."""

import re
from pathlib import Path

import pytest

from millrace_core.clock import DAY_MS
from millrace_core.names import ExchangeId
from millrace_exchange.profile import ExchangeProfile, HistoryWindow
from millrace_exchange.profiles import profiles

PAGE = Path(__file__).parents[4] / "docs" / "exchanges.md"
LINES = PAGE.read_text().splitlines()
ROW = re.compile(r"\| `(\w+)`")
LISTED = sorted({found[1] for line in LINES if (found := ROW.match(line))})
"""The exchanges that the page lists; a profile need not be among them."""


def row(*cells: object) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def orders_row(profile: ExchangeProfile) -> str:
    """Return what the page says of orders."""
    ids = profile.client_order_ids
    found = ("open and closed" if ids.finds_closed else "open") if ids.fetches else "no"
    form = f"`{ids.prefix}`, {ids.form}" if ids.prefix else ids.form
    edit = (profile.edit, profile.edit_amount, profile.edit_client_order_id)
    if profile.edit == "unsupported":
        edit = ("unsupported", "", "")  # type: ignore[assignment]
    names = ", ".join(f"`{name}`" for name in (profile.exchange, *sorted(profile.aliases)))
    return row(names, form, ids.uniqueness, found, "yes" if ids.cancels else "no", *edit, profile.order_transport)


def data_row(profile: ExchangeProfile) -> str:
    """Return what the page says of books, history and time."""
    book = profile.book
    proof = "whole frames" if book.whole_frames else book.proof
    return row(
        f"`{profile.exchange}`",
        proof,
        book.checked_by,
        book.snapshot_levels or "all",
        book.stream_levels or "all",
        "yes" if book.unsubscribes else "no",
        history(profile.history.own_trades),
        history(profile.history.closed_orders),
        f"{profile.settlement_window_ms // 1_000} s",
    )


def history(window: HistoryWindow) -> str:
    """Return how far one question reaches."""
    days = f"{window.width_ms // DAY_MS} d, " if window.width_ms else ""
    back = f", {window.reach_ms // DAY_MS} d back" if window.reach_ms else ""
    return f"{days}{window.page}{back}"


def unverified_row(profile: ExchangeProfile) -> str:
    """Return what the page says is an assumption."""
    return row(f"`{profile.exchange}`", ", ".join(f"`{name}`" for name in sorted(profile.unverified)))


def test_the_page_lists_exchanges() -> None:
    """The tables are found: nothing is compared otherwise."""
    assert {"binance", "kucoin"} <= set(LISTED)


@pytest.mark.parametrize("exchange", LISTED)
def test_the_page_says_what_the_profile_says(exchange: str) -> None:
    """The page never shows outdated facts: each row follows from the profile."""
    profile = profiles()[ExchangeId(exchange)]
    rows = [line for line in LINES if (found := ROW.match(line)) and found[1] == exchange]
    assert rows == [orders_row(profile), data_row(profile), unverified_row(profile)]
