"""One account's orders: what the executor does on an exchange."""

from typing import TYPE_CHECKING, NamedTuple

from millrace_core.market import Balances, Trade
from millrace_core.orders import Order
from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload

if TYPE_CHECKING:
    from millrace_exchange.connection import Exchange


class Placed(NamedTuple):
    """What the exchange answered, and when."""

    order: Order
    """The order as far as the answer tells; its `id` is always there."""
    sent_ns: int
    """The request was handed to the socket, wall clock."""
    acknowledged_ns: int
    """The answer was read, wall clock."""


class CanceledAll(NamedTuple):
    """What the exchange answered to a request to cancel everything, and when."""

    orders: list[Order]
    sent_ns: int
    acknowledged_ns: int


class Account:
    """Places, changes and asks for the orders of one account.

    Every method may be cancelled; what that means for an order on its way is `OutcomeUnknown`, which the
    caller must then assume. Nothing is ever sent twice by itself.

    Raises:
        Retryable, Rejected, OutcomeUnknown, Fatal: from every method, see `millrace_exchange.errors`.
    """

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange

    async def create_order(self, payload: CreatePayload, client_order_id: str) -> Placed:
        """Place an order under our own id (see `client_order_id`)."""
        raise NotImplementedError

    async def cancel_order(self, payload: CancelPayload) -> Placed:
        """Cancel an order named by the exchange's id or by ours."""
        raise NotImplementedError

    async def edit_order(self, payload: EditPayload, client_order_id: str) -> Placed:
        """Change an open order; where the exchange can only replace it, the new one carries `client_order_id`."""
        raise NotImplementedError

    async def cancel_all_orders(self, payload: CancelAllPayload) -> CanceledAll:
        """Cancel the open orders of a symbol, or all; gives those that were canceled."""
        raise NotImplementedError

    async def fetch_order(
        self, symbol: str, *, order_id: str | None = None, client_order_id: str | None = None
    ) -> Order | None:
        """Ask for one order by the exchange's id or by ours; None where the exchange says that it knows none.

        None is no proof of absence until a while has passed: see "createOrder: what its result means".
        """
        raise NotImplementedError

    async def fetch_open_orders(self, symbol: str | None = None) -> list[Order]:
        """Ask for the open orders of a symbol, or all."""
        raise NotImplementedError

    async def fetch_my_trades(self, symbol: str, since_ms: int) -> list[Trade]:
        """Ask for the account's own trades in a symbol since a time, oldest first."""
        raise NotImplementedError

    async def fetch_balance(self) -> Balances:
        """Ask for all balances that are not zero."""
        raise NotImplementedError
