"""Creates and cancels orders on Binance's spot market; edits, cancel-alls and questions are ccxt's, over the same line.

ccxt takes a quarter of a millisecond to write and to read an order, more than the exchange's own round trip on a local
line.
"""

from collections.abc import Mapping
from typing import Any, Final

from millrace_core.clock import now_ns
from millrace_core.json_problems import UNREADABLE
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.checked_answer import Asked, proves_nothing
from millrace_exchange.ccxt.execution import CcxtExecutionClient
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.ccxt.order_arguments import create_arguments, further_params
from millrace_exchange.ccxt.order_flags import check_flags
from millrace_exchange.ccxt.recording.sending import Sending
from millrace_exchange.native.binance.order_records import read_change
from millrace_exchange.native.binance.order_requests import cancel_request, order_request
from millrace_exchange.native.markets import is_of_margin
from millrace_exchange.ports import Acknowledgement

_COST: Final[Mapping[str, float]] = {"cost": 0.2}
"""In ccxt's unit: a weight of 1."""


class BinanceExecutionClient(CcxtExecutionClient):
    """The port `ExecutionClient`."""

    def __init__(self, caller: CcxtCaller, listing: MarketListing | None = None) -> None:
        super().__init__(caller, listing)
        self._is_spot = not is_of_margin(caller.ccxt.options)

    async def place(self, payload: CreatePayload, client_order_id: str, further: Mapping[str, Any]) -> Acknowledgement:
        """Place an order with further parameters, which are none of a request."""
        if (market := await self._spot_market(payload.symbol)) is None:
            return await super().place(payload, client_order_id, further)
        check_flags(self._caller.ccxt, self._caller.profile, payload)
        arguments = create_arguments(self._caller.profile, payload, client_order_id, is_spot=True)
        arguments.params.update(further)
        request = order_request(self._caller.profile, market, arguments)
        asked = Asked.for_creation(payload, client_order_id)
        return await self._changed("createOrder", "POST", request, market, asked, Sending(client_order_id))

    async def cancel_order(self, payload: CancelPayload) -> Acknowledgement:
        """Cancel an order, named by the exchange's id or by ours."""
        if (market := await self._spot_market(payload.symbol)) is None:
            return await super().cancel_order(payload)
        order_id, ours = payload.order_id, payload.client_order_id if payload.order_id is None else None
        request = cancel_request(market, order_id, ours, further_params(self._caller.profile, "cancelOrder", payload))
        asked = Asked(payload.symbol, order_id, ours)
        return await self._changed("cancelOrder", "DELETE", request, market, asked, Sending())

    async def _spot_market(self, symbol: str) -> dict[str, Any] | None:
        await self._listing.know(symbol)
        market: dict[str, Any] = self._caller.ccxt.markets[symbol]
        return market if self._is_spot and market["spot"] else None

    async def _changed(
        self, action: str, method: str, request: dict[str, Any], market: dict[str, Any], asked: Asked, timed: Sending
    ) -> Acknowledgement:
        ccxt = self._caller.ccxt
        content = await self.change(action, ccxt.fetch2, "order", ["private"], method, request, _COST, timed=timed)
        acknowledged_ns = now_ns()
        try:
            order, others = read_change(content, market, asked, ccxt.safe_currency_code)
        except UNREADABLE as error:
            raise proves_nothing(self._caller.profile, action, f"the answer is no order: {error}") from error
        return Acknowledgement((order,), timed.at_ns or acknowledged_ns, acknowledged_ns, others)
