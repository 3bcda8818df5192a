"""What an exchange's answers prove about a request whose outcome is not known. Pure.

Finding an order proves that it is there. Not finding it proves nothing until the exchange can no longer be
working on it: see `ExchangeProfile.settlement_window_ms`.
"""

from dataclasses import dataclass
from decimal import Decimal

from millrace_core.ids import RequestId
from millrace_core.messages import Response
from millrace_core.orders import Order
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, EditOrder, EditPayload, Request
from millrace_executor.intake import order_source, refusal

_LONG_AFTER = "it can no longer be working on the request, so it was not done"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the exchange said when asked about a request."""

    settled: bool
    """Whether, when it was asked, the exchange could no longer be working on the request."""
    order: Order | None = None
    """The order that the request was to make, change or cancel; None where it knows none."""
    still_open: tuple[Order, ...] = ()
    """Of a request to cancel all: the orders in its scope that are open."""


def conclude(request_id: RequestId, request: Request, evidence: Evidence) -> Response | None:
    """Return the final answer that the evidence proves; None while it proves nothing."""
    order, source = evidence.order, order_source(request)
    done = Response(request_id, "done", order=order, order_source=source)
    match request:
        case CreateOrder() if order is not None:
            if order.status == "rejected":
                return refusal(request_id, "rejected", "InvalidOrder", "the exchange rejected the order", source)
            return done
        case EditOrder(payload=edit) if order is not None and meets(order, edit):
            return done
        case CancelOrder() if order is not None and order.is_final:
            if order.status != "closed":
                return done
            reason = "it was filled before it could be canceled"
            return refusal(request_id, "failed", "OrderNotFound", reason, source)
        case CancelAllOrders() if not evidence.still_open:
            return Response(request_id, "done", order_source=source, orders=[])
    if not evidence.settled:
        return None
    return refusal(request_id, "failed", *_absence(request, evidence), source)


def meets(order: Order, edit: EditPayload) -> bool:
    """Tell whether an order has the terms that an edit asked for."""
    wanted = ((edit.amount_base, order.amount), (edit.price, order.price), (edit.trigger_price, order.trigger_price))
    return all(asked is None or _equal(asked, is_now) for asked, is_now in wanted)


def _equal(a: Decimal, b: Decimal | None) -> bool:
    return b is not None and a == b


def _absence(request: Request, evidence: Evidence) -> tuple[str, str]:
    match request:
        case CancelAllOrders():
            return "OperationFailed", f"{len(evidence.still_open)} orders are still open: {_LONG_AFTER}"
        case CancelOrder() if evidence.order is not None:
            return "OperationFailed", f"the order is still open: {_LONG_AFTER}"
        case EditOrder() if evidence.order is not None:
            return "OperationFailed", f"the order has its former terms: {_LONG_AFTER}"
    return "OrderNotFound", f"the exchange knows no such order: {_LONG_AFTER}"
