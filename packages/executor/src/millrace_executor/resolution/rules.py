"""Resolution rules: the conclusions from an exchange's answers about a request with an unknown outcome. Pure.

Finding an order proves that it is there. Not finding it proves nothing until the settlement window is over: before
that, the exchange may still be working on the request.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from millrace_core.ids import RequestId
from millrace_core.messages import Response
from millrace_core.orders import Order
from millrace_core.requests import (
    CancelAllOrders,
    CancelOrder,
    CreateOrder,
    CreatePayload,
    EditOrder,
    EditPayload,
    Request,
)
from millrace_executor.accepted_request import error_answer

OLDEST_MS: Final = 3_600_000
"""How much older than its request an order may seem. Clocks differ by less, and an earlier copy is still known."""
_LONG_AFTER = "the settlement window is over, so the request was not carried out"


@dataclass(frozen=True, slots=True)
class Findings:
    """What the exchange answered when it was asked about a request."""

    window_over: bool
    """Whether the settlement window was over when the exchange was asked."""
    order: Order | None = None
    """The order that the request was to make, change or cancel; None if the exchange knows none."""
    is_ours: bool = False
    """Whether that order carries the request's own client order id, which no other order has."""
    nameless: Order | None = None
    """An order without any client order id that may be the one that the request was to make."""
    begun_ms: int = 0
    """When the request began; nothing was sent before."""
    still_open: tuple[Order, ...] = ()
    """For a cancel-all: the open orders in its scope."""


def conclude(request_id: RequestId, request: Request, findings: Findings) -> Response | None:
    """Return the final answer that the findings prove, or None if they prove none yet."""
    order, source = findings.order, request.payload.order_source
    done = Response(request_id, "done", order=order, order_source=source)
    match request:
        case CreateOrder(payload=create) if order is not None:
            if is_another(order, create, findings.begun_ms):
                return None
            if order.status == "rejected":
                return error_answer(request_id, "rejected", "InvalidOrder", "the exchange rejected the order", source)
            return done
        case EditOrder() if order is not None and findings.is_ours:
            # A replacement's amount lacks what was filled before: that it is there proves the edit.
            return done
        case EditOrder(payload=edit) if order is not None and _is_as_wanted(order, edit):
            return done
        case CancelOrder() if order is not None and order.is_final:
            if not _was_filled(order):
                return done
            reason = "the order was filled before it could be canceled"
            return error_answer(request_id, "failed", "OrderNotFound", reason, source)
        case CancelAllOrders() if not findings.still_open:
            return Response(request_id, "done", order_source=source, orders=[])
    if not findings.window_over or findings.nameless is not None or (order is not None and order.status is None):
        return None
    return error_answer(request_id, "failed", *_not_done(request, findings), source)


def is_another(order: Order, create: CreatePayload, begun_ms: int) -> bool:
    """Tell whether an order under a request's client order id is not the one that the request made.

    The exchange finds an earlier order if the request's id was used before, or its answer is wrong. Amount and price
    prove nothing: somebody may have changed them since.
    """
    is_older = order.timestamp is not None and order.timestamp < begun_ms - OLDEST_MS
    return is_older or order.side not in (None, create.side)


def may_be(order: Order, create: CreatePayload, since_ms: int) -> bool:
    """Tell whether an order without a client order id may be the one that a request made.

    Not every exchange tells our id when it lists orders.
    """
    return (
        order.client_order_id is None
        and order.side in (None, create.side)
        and (create.amount_base is None or order.amount in (None, create.amount_base))
        and (order.timestamp is None or order.timestamp >= since_ms)
    )


def _is_as_wanted(order: Order, edit: EditPayload) -> bool:
    return (_stands(order) and has_terms_of(order, edit)) or _left_nothing(order, edit)


def _left_nothing(order: Order, edit: EditPayload) -> bool:
    """Tell whether an order was canceled when all that an edit wanted was filled: none had to take its place."""
    wanted, filled = edit.amount_base, order.filled
    return order.status == "canceled" and wanted is not None and filled is not None and filled >= wanted


def _stands(order: Order) -> bool:
    """Tell whether an order was not canceled, and the exchange says so."""
    return order.status not in (None, "canceled")


def has_terms_of(order: Order, edit: EditPayload) -> bool:
    """Tell whether an order has the terms that an edit asked for."""
    terms = ((edit.amount_base, order.amount), (edit.price, order.price), (edit.trigger_price, order.trigger_price))
    return all(wanted is None or _equal(wanted, actual) for wanted, actual in terms)


def is_replacement(order: Order, former: Order, edit: EditPayload) -> bool:
    """Tell whether an order has the terms with which an edit would have replaced another: the rest of its amount."""
    total, price = edit.amount_base or former.amount, edit.price or former.price
    rest = None if total is None else total - (former.filled or 0)
    terms = ((rest, order.amount), (price, order.price))
    return all(wanted is None or _equal(wanted, actual) for wanted, actual in terms)


def _was_filled(order: Order) -> bool:
    """Tell whether an order ended by its last fill; "closed" is also what ccxt calls one canceled after a part."""
    is_partial = None not in (order.amount, order.filled) and order.filled < order.amount  # type: ignore[operator]
    return order.status == "closed" and not (is_partial and order.type == "limit")


def _equal(a: Decimal, b: Decimal | None) -> bool:
    return b is not None and a == b


def _not_done(request: Request, findings: Findings) -> tuple[str, str]:
    match request:
        case CancelAllOrders():
            return "OperationFailed", f"{len(findings.still_open)} orders are still open: {_LONG_AFTER}"
        case CancelOrder() if findings.order is not None:
            return "OperationFailed", f"the order is still open: {_LONG_AFTER}"
        case EditOrder() if findings.order is not None and findings.order.status == "canceled":
            return "OperationFailed", f"the order was canceled, and none took its place: {_LONG_AFTER}"
        case EditOrder() if findings.order is not None:
            return "OperationFailed", f"the order was not changed: {_LONG_AFTER}"
    return "OrderNotFound", f"the exchange knows no such order: {_LONG_AFTER}"
