"""Cancel an order and place another as one action."""

from __future__ import annotations

from msgspec import Struct

from millrace_simulator.venue.accounts import Account
from millrace_simulator.venue.errors import VenueError
from millrace_simulator.venue.orders import (
    Cancellation,
    CancelReplaceMode,
    CancelRestriction,
    OrderRef,
    OrderRequest,
    Placement,
)
from millrace_simulator.venue.venue import Venue


class CancelReplacement(Struct, frozen=True):
    """The results of both halves of a cancel-replace; None for a half that was not attempted."""

    canceled: Cancellation | VenueError
    placed: Placement | VenueError | None


def cancel_replace(
    venue: Venue,
    account: Account,
    ref: OrderRef,
    request: OrderRequest,
    mode: CancelReplaceMode,
    *,
    cancel_client_order_id: str | None = None,
    restriction: CancelRestriction | None = None,
) -> CancelReplacement:
    """Cancel an order and place another; a rejected half is returned rather than raised.

    The request is checked only after the cancel.
    """
    canceled: Cancellation | VenueError
    try:
        canceled = venue.cancel(
            account,
            request.symbol,
            ref,
            cancel_client_order_id=cancel_client_order_id,
            restriction=restriction,
        )
    except VenueError as error:
        if mode is CancelReplaceMode.STOP_ON_FAILURE:
            return CancelReplacement(error, None)
        canceled = error
    try:
        return CancelReplacement(canceled, venue.place(account, request))
    except VenueError as error:
        return CancelReplacement(canceled, error)
