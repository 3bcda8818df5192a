"""Orders of several tenants, page by page, and the history of one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from millrace_console.display.waterfall import bars_of, waterfall_html
from millrace_console.pages.orders.paging import Answer, page_of
from millrace_console.pages.orders.timeline import moment, timeline

LIMIT = 3


def _answer(tenant: str, moments: list[int], before_ms: int | None) -> Answer:
    """Answer as the API does: newest first, `LIMIT` at most."""
    fit = [at for at in sorted(moments, reverse=True) if before_ms is None or at < before_ms]
    orders = [{"createdMs": at, "updatedMs": at} for at in fit]
    return Answer(tenant, orders[:LIMIT], len(orders) > LIMIT)


@given(st.dictionaries(st.sampled_from("AB"), st.lists(st.integers(1, 40), unique=True, max_size=20), max_size=2))
def test_pages_together_hold_every_order_once(tenants: dict[str, list[int]]) -> None:
    """In the order of their creation, however they are spread over tenants."""
    seen: list[tuple[int, str]] = []
    before: int | None = None
    for _ in range(100):
        page = page_of([_answer(tenant, moments, before) for tenant, moments in tenants.items()])
        seen += [(order["createdMs"], tenant) for tenant, order in page.orders]
        before = page.before_ms
        if before is None:
            break
    assert [at for at, _ in seen] == sorted((at for at, _ in seen), reverse=True)
    assert sorted(seen) == sorted((at, tenant) for tenant, moments in tenants.items() for at in moments)


def test_bars_follow_each_other() -> None:
    """Each begins where the one before ended, and names both ends in words."""
    bars = bars_of({"exchange→received": 1_000_000, "received→published": 2_000_000, "later→still": 500_000})
    assert [(bar.name, bar.start_ns) for bar in bars] == [
        ("exchange → gatherer", 0),
        ("gatherer → Redis", 1_000_000),
        ("later→still", 3_000_000),
    ]
    text = waterfall_html(bars, "x")
    assert "margin-left:28.57%;width:57.14%" in text
    assert "3.50 ms" in text


def test_a_hop_below_zero_says_that_clocks_differ() -> None:
    """It has a number and no bar."""
    text = waterfall_html(bars_of({"exchange→received": -2_000_000, "received→published": 1_000_000}), "x")
    assert "clocks differ" in text
    assert text.count("<i ") == 1
    assert "No times" in waterfall_html([], "x")


def _record() -> dict[str, Any]:
    order = {"id": "7", "status": "closed", "filled": "1", "amount": "1", "price": "12.5", "average": "12.5"}
    payload = {"symbol": "KCS/USDT", "side": "buy", "amountBase": 1, "orderSource": "James"}
    request = {"atMs": 1_000, "action": "createOrder", "orderSource": "James", "request": {"payload": payload}}
    done = {"atMs": 1_020, "action": "createOrder", "status": "done", "orderId": "7"}
    refused = done | {"atMs": 1_040, "status": "rejected", "errorKind": "Halted", "errorMessage": None}
    event = {"atMs": 1_030, "stream": "stream.A.binance.watchOrders.KCS/USDT", "order": order}
    fill = {
        "atMs": 1_010,
        "price": "12.5",
        "amount": "1",
        "takerOrMaker": "taker",
        "feeCost": "0.001",
        "feeCurrency": "KCS",
    }
    return {"requests": [request], "responses": [done, refused], "events": [event], "fills": [fill]}


def test_an_orders_history_is_shown_in_the_order_of_time() -> None:
    """Requests, answers, reports and fills together; a refusal has the reason."""
    events = timeline(_record())
    assert [each.at_ms for each in events] == [1_000, 1_010, 1_020, 1_030, 1_040]
    assert [each.what for each in events] == [
        "➜ request createOrder by James",
        "◆ filled (taker)",
        "● answer to createOrder: done",
        "○ reported closed by the exchange's stream",
        "✖ answer to createOrder: rejected",
    ]
    assert events[1].details == "1 at 12.5, fee 0.001 KCS"
    fees = {"feeCost": None, "feeCurrency": None, "feesByCurrency": {"GT": "0.5", "KCS": "0.001"}}
    several = timeline(_record() | {"fills": [_record()["fills"][0] | fees]})
    assert several[1].details == "1 at 12.5, fee 0.5 GT, fee 0.001 KCS"
    assert events[4].details == "Halted: no reason given"
    assert moment(1_020) == "1970-01-01 00:00:01.020"
