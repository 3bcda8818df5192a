"""Binance's amendment of an order to a smaller amount, which keeps its place in the book; ccxt does not know it."""

from typing import Any, Final

from millrace_core.orders import Order
from millrace_exchange.ccxt.recording.digits import Digits

_COST: Final = {"cost": 0.8}
"""In ccxt's unit, of which 0.2 is a weight of 1: the weight is 4."""


async def keep_priority(ccxt: Any, order: Order, total: Digits) -> dict[str, Any]:
    """Lower an order's amount to `total`, which counts what is filled; return the order as ccxt does.

    Source: Binance's rest-api.md, "Order Amend Keep Priority". The order keeps its client order id.
    """
    market = ccxt.market(order.symbol)
    request = {
        "symbol": market["id"],
        "orderId": order.id,
        "newQty": str(total),
        **({"newClientOrderId": order.client_order_id} if order.client_order_id else {}),
    }
    answer = await ccxt.fetch2("order/amend/keepPriority", ["private"], "PUT", request, _COST)
    amended = answer["amendedOrder"]
    described = {"origQty": amended["qty"], "cummulativeQuoteQty": amended["cumulativeQuoteQty"]}
    parsed: dict[str, Any] = ccxt.parse_order({**amended, **described}, market)
    return parsed
