"""The port `ExecutionClient`, through ccxt."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from millrace_core.requests import CancelAllPayload, CreatePayload, EditPayload
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.changes import OrderChanges
from millrace_exchange.ccxt.editing import OrderEditor
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.ccxt.sweeping import OrderSweeper
from millrace_exchange.errors import Fatal, Rejected, Retryable
from millrace_exchange.ports import Acknowledgement


class CcxtExecutionClient(OrderChanges):
    """Changes one account's orders."""

    def __init__(self, caller: CcxtCaller, listing: MarketListing | None = None) -> None:
        super().__init__(caller, listing)
        self._editor = OrderEditor(self, caller)
        self._sweeper = OrderSweeper(self, caller)

    def expect_orders_in(self, symbols: Iterable[str]) -> None:
        """Learn in which symbols the account may have open orders, besides those that are placed here."""
        self._open_orders.expect_in(symbols)

    def symbols_left_out(self) -> list[str]:
        """Return the symbols whose open orders are listed only if orders are expected there."""
        return self._open_orders.left_out()

    async def create_order(self, payload: CreatePayload, client_order_id: str) -> Acknowledgement:
        """Place an order under our own id."""
        with self._expecting(payload.symbol):
            return await super().create_order(payload, client_order_id)

    async def edit_order(self, payload: EditPayload, client_order_id: str) -> Acknowledgement:
        """Change an open order; where the exchange replaces it, the new one carries `client_order_id`."""
        with self._expecting(payload.symbol):
            return await self._editor.edit(payload, client_order_id)

    async def cancel_all_orders(self, payload: CancelAllPayload) -> Acknowledgement:
        """Cancel the open orders of a symbol, or all; return those that were canceled."""
        if payload.symbol is not None:
            await self._listing.know(payload.symbol)
        return await self._sweeper.sweep(payload)

    @contextmanager
    def _expecting(self, symbol: str) -> Iterator[None]:
        """Expect orders in a symbol, unless none was placed: the keys may not even be allowed to ask there."""
        may_be_placed = True
        try:
            yield
        except (Retryable, Rejected, Fatal):
            may_be_placed = False
            raise
        finally:
            if may_be_placed:
                self.expect_orders_in([symbol])
