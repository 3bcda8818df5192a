"""Hyperliquid's own way."""

from millrace_exchange.profiles.hyperliquid import PROFILE

CLIENT_ORDER_ID_FORM = r"0x[0-9a-f]{32}"
EDIT_PARAMETER = "c"
SYMBOL = "BTC/USDT:USDT"


def test_a_lost_request_may_be_done_two_days_later() -> None:
    """Absence proves nothing before its nonce is too old."""
    assert PROFILE.settlement_window_ms > 2 * 24 * 3_600_000


def test_a_lost_frame_makes_no_book_wrong() -> None:
    """Each frame is the book, so nothing need be compared."""
    assert PROFILE.book.whole_frames
    assert PROFILE.book.proof == "none"
