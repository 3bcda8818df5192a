"""What the Redis page makes of names."""

from millrace_console.pages.redis import about_rows, order_prefix


def test_lists_of_orders_lead_to_their_orders() -> None:
    """Other names lead to none."""
    assert order_prefix("openOrders.{Ann}.kucoin.KCS/USDT") == "order.{Ann}."
    assert order_prefix("orders.{Ann}.kucoin.KCS/USDT") == "order.{Ann}."
    assert order_prefix("order.{Ann}.17") == ""
    assert order_prefix("index.tenants") == ""


def test_what_is_kept_for_a_while_says_so() -> None:
    """A name without an end has no time."""
    assert about_rows({"kind": "set", "size": 1200, "expiresMs": None}) == [["set", "1,200", "–"]]
    assert about_rows({"kind": "string", "size": 3, "expiresMs": 14_250}) == [["string", "3", "14.2 s"]]
    assert about_rows(None) == []
