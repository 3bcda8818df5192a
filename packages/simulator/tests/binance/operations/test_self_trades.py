"""Self-trade prevention as Binance's STP FAQ shows it, mode by mode."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def meet(client: Any, mode: str, maker: str, taker: str) -> tuple[Any, Any]:
    """Let an account's order meet one of its own, at a price of its own; return both as they are then."""
    venue = client.server.venue
    kcs = venue.instrument("KCSUSDT")
    terms = {"type": "LIMIT", "timeInForce": "GTC", "price": str(kcs.scale.price(kcs.book_ticker().bid + 1))}
    first = (await client.order(side="BUY", quantity=maker, **terms)).body
    second = (await client.order(side="SELL", quantity=taker, selfTradePreventionMode=mode, **terms)).body
    found = (await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", orderId=first["orderId"])).body
    if second["status"] == "NEW" or found["status"] == "NEW":
        await client.signed("DELETE", "/api/v3/openOrders", symbol="KCSUSDT")
    return found, second


@pytest.mark.parametrize(
    ("mode", "maker", "taker", "lost"),
    [
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "NEW", (None, "6.00000000")),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH", ("2.00000000", None)),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH", ("2.00000000", "6.00000000")),
        ("DECREMENT", "NEW", "EXPIRED_IN_MATCH", ("2.00000000", "2.00000000")),
        ("TRANSFER", "NEW", "EXPIRED_IN_MATCH", ("2.00000000", "2.00000000")),
    ],
)
async def test_each_mode_takes_its_part(
    client: Any, mode: str, maker: str, taker: str, lost: tuple[str | None, str | None]
) -> None:
    """Both orders show the match and what they lost in it, and the match can be queried by it or by either order."""
    first, second = await meet(client, mode, "6", "2")
    assert (first["status"], second["status"]) == (maker, taker)
    (match,) = second["preventedMatches"]
    assert (match.get("takerPreventedQuantity"), match.get("makerPreventedQuantity")) == lost
    assert (second.get("preventedQuantity"), first.get("preventedQuantity")) == lost
    matches = "/api/v3/myPreventedMatches"
    by_id = (await client.signed("GET", matches, symbol="KCSUSDT", preventedMatchId=match["preventedMatchId"])).body
    for order in (first, second):
        assert (await client.signed("GET", matches, symbol="KCSUSDT", orderId=order["orderId"])).body == by_id
    assert (by_id[0]["selfTradePreventionMode"], by_id[0]["takerOrderId"]) == (mode, second["orderId"])
    assert (await client.signed("GET", "/api/v3/account", omitZeroBalances="true")).body["balances"][0]["locked"] == (
        "0.00000000"
    )


async def test_an_order_that_goes_on_has_what_is_left(client: Any) -> None:
    """A larger taker is decremented, rests with the rest, and holds no more than that."""
    first, second = await meet(client, "DECREMENT", "2", "6")
    assert (first["status"], second["status"]) == ("EXPIRED_IN_MATCH", "NEW")
    assert (second["origQty"], second["preventedQuantity"]) == ("6.00000000", "2.00000000")


async def test_a_query_for_prevented_matches_names_a_match_or_an_order(client: Any) -> None:
    """Combinations that Binance does not list are refused."""
    path = "/api/v3/myPreventedMatches"
    assert (await client.signed("GET", path, symbol="KCSUSDT")).refusal == (400, -1102)
    assert (await client.signed("GET", path, symbol="KCSUSDT", preventedMatchId=1, orderId=1)).refusal == (400, -1128)
    assert (await client.signed("GET", path, symbol="KCSUSDT", orderId=1, limit=5)).refusal == (400, -1128)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"type": "LIMIT", "timeInForce": "IOC", "price": "6"}, "UNFILLED_IOC_QUANTITY_EXPIRED"),
        ({"type": "LIMIT", "timeInForce": "FOK", "price": "6"}, "UNFILLED_FOK_ORDER_EXPIRED"),
    ],
)
async def test_an_expired_order_says_why(client: Any, terms: dict[str, str], reason: str) -> None:
    """In the answer that places it and in every later one; an order that is open says nothing of it."""
    placed = (await client.order(side="BUY", quantity="1", **terms)).body
    found = (await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", orderId=placed["orderId"])).body
    assert placed["expiryReason"] == found["expiryReason"] == reason
    resting = await client.order(side="BUY", quantity="1", type="LIMIT", timeInForce="GTC", price="6")
    assert "expiryReason" not in resting.body
