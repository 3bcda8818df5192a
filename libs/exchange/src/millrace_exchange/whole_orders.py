"""Whether a market order that is over was filled whole, where the exchange calls it canceled in any case. Pure."""

from decimal import Decimal

from millrace_core.orders import Order


def is_whole(order: Order, left: str | None, step: object) -> bool:
    """Tell whether nothing more of a market order could have been filled.

    `left` is what was not spent, quote currency, of an order that is sized in it; `step` is the least amount, base
    currency. None where it is not known.
    """
    if order.type != "market" or not order.filled:
        return False
    if order.amount is not None:
        return order.filled >= order.amount
    if left is None or step is None or order.cost is None:
        return False
    # Less is left than the least amount costs.
    return Decimal(left) * order.filled < Decimal(str(step)) * order.cost
