"""The page on exchanges agrees with the profiles."""

from pathlib import Path

import pytest

from millrace_exchange.profile import DAY_MS, ExchangeProfile, HistoryWindow
from millrace_exchange.profiles import profiles

PAGE = Path(__file__).parents[4] / "docs" / "exchanges.md"
PROFILES = sorted({profile.exchange: profile for profile in profiles().values()}.values(), key=lambda p: p.exchange)


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


@pytest.mark.parametrize("profile", PROFILES, ids=[profile.exchange for profile in PROFILES])
def test_the_page_says_what_the_profile_says(profile: ExchangeProfile) -> None:
    """The page never shows outdated facts: each row follows from the profile."""
    lines = PAGE.read_text().splitlines()
    assert [
        text for text in (orders_row(profile), data_row(profile), unverified_row(profile)) if text not in lines
    ] == []
