"""Gate's own way."""

from collections.abc import Callable
from typing import Any

CLIENT_ORDER_ID_FORM = r"t-[A-Za-z0-9_.-]{1,28}"
FORMER_NAMES = {"gateio"}


def frame(first: int, last: int, *, full: bool = False) -> dict[str, Any]:
    """Return a frame of the spot book with its numbers."""
    result = {"t": 1, "full": full, "s": "ob.BTCUSDT.50", "U": first, "u": last, "b": [["1", "1"]], "a": []}
    return {"channel": "spot.obu", "event": "update", "result": result}


def test_ccxt_does_not_notice_a_gap_in_a_spot_book(recorded: Callable[..., Any], socket: Any) -> None:
    """As long as this holds, millrace compares the numbers itself."""
    exchange = recorded("gate")
    exchange.ccxt.handle_order_book(socket, frame(1, 10, full=True))
    exchange.ccxt.handle_order_book(socket, frame(99, 100))
    assert socket.books == 2
    assert exchange.profile.book.checked_by == "millrace"


async def test_a_cancel_does_not_carry_our_id_as_a_parameter(recorded: Callable[..., Any]) -> None:
    """Gate takes our id as the order's id, which is the only way that ccxt leaves."""
    exchange = recorded("gate")
    await exchange.ccxt.cancel_order(exchange.client_order_id, exchange.symbol)
    assert exchange.sent[0][1]["order_id"] == exchange.client_order_id


def test_a_repeated_creation_is_an_earlier_attempt(recorded: Callable[..., Any]) -> None:
    """To ccxt it is an invalid order, which would be called failed while the first one stands there."""
    rules = {rule.code: rule.outcome for rule in recorded("gate").profile.error_rules}
    assert rules == {"REPEATED_CREATION": "unknown"}
