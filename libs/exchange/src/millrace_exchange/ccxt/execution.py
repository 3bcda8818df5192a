"""The port `ExecutionClient`, through ccxt."""

from millrace_core.requests import CancelAllPayload, EditPayload
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.changes import OrderChanges
from millrace_exchange.ccxt.editing import OrderEditor
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.ccxt.sweeping import OrderSweeper
from millrace_exchange.ports import Acknowledgement


class CcxtExecutionClient(OrderChanges):
    """Changes one account's orders."""

    def __init__(self, caller: CcxtCaller, listing: MarketListing | None = None) -> None:
        super().__init__(caller, listing)
        self._editor = OrderEditor(self, caller)
        self._sweeper = OrderSweeper(self, caller)

    async def edit_order(self, payload: EditPayload, client_order_id: str) -> Acknowledgement:
        """Change an open order; where the exchange replaces it, the new one carries `client_order_id`."""
        return await self._editor.edit(payload, client_order_id)

    async def cancel_all_orders(self, payload: CancelAllPayload) -> Acknowledgement:
        """Cancel the open orders of a symbol, or all; return those that were canceled."""
        if payload.symbol is not None:
            await self._listing.know(payload.symbol)
        return await self._sweeper.sweep(payload)
