"""What a strategy decided, so that two decisions can be compared. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from millrace_backtest.backtest import DecidedRequest
from millrace_core.requests import OrderRequest, action_of


class Decision(NamedTuple):
    """What a request asks for: what must be the same for two requests to be the same decision."""

    action: str
    symbol: str | None
    side: str | None
    amount: str | None
    price: str | None

    @classmethod
    def of(cls, request: OrderRequest) -> "Decision":
        """Return the decision of a request."""
        payload: Any = request.payload
        amount = getattr(payload, "amount_base", None) or getattr(payload, "amount_quote", None)
        price = getattr(payload, "price", None)
        return cls(
            action_of(request),
            payload.symbol,
            getattr(payload, "side", None),
            None if amount is None else f"{amount.normalize():f}",
            None if price is None else f"{price.normalize():f}",
        )

    def __str__(self) -> str:
        return " ".join(part for part in self if part is not None)


def first_difference(recorded: Sequence[OrderRequest], now: Sequence[DecidedRequest]) -> int | None:
    """Return the index of the first decision of a backtest that is not the recorded one; None if all are."""
    for index, (then, again) in enumerate(zip(recorded, now, strict=False)):
        if Decision.of(then) != Decision.of(again.request):
            return index
    return None if len(recorded) == len(now) else min(len(recorded), len(now))


def is_same(recorded: OrderRequest, now: OrderRequest) -> bool:
    """Tell whether two requests are equal in everything that their strategy decided: terms, id, moment and validity."""
    return (
        action_of(recorded) == action_of(now)
        and recorded.exchange_id == now.exchange_id
        and recorded.payload == now.payload
        and recorded.request_id == now.request_id
        and (recorded.requested_at, recorded.valid_for) == (now.requested_at, now.valid_for)
        and (recorded.trace.delivered, recorded.trace.decided) == (now.trace.delivered, now.trace.decided)
    )
