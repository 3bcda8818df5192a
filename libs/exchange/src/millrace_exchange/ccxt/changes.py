"""Creating and canceling one account's orders, through ccxt; and the one way in which a change is sent."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from millrace_core.clock import now_ns
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange.ccxt.checked_answer import Asked, CheckedAnswer
from millrace_exchange.ccxt.order_arguments import create_arguments, further_params
from millrace_exchange.ccxt.order_flags import check_flags
from millrace_exchange.ccxt.order_queries import CcxtOrderQueries
from millrace_exchange.ccxt.recording.digits import decided
from millrace_exchange.ccxt.recording.sending import Sending
from millrace_exchange.errors import ExchangeError, Fatal, Rejected, Retryable
from millrace_exchange.ports import Acknowledgement

OF_TERMS: Final = re.compile(
    r"increment|precision|decimal|scale|tick|step|lot[ _]?size|multiple|divisible"
    r"|(price_filter|notional|min[a-z_ ]*(size|amount|quantity|qty|cost|requirement))",
    re.IGNORECASE,
)
"""What exchanges say of an order whose numbers do not fit the market's terms. A mistake loads the markets once more."""


class OrderChanges(CcxtOrderQueries):
    """What edits and cancel-alls are made of."""

    async def create_order(self, payload: CreatePayload, client_order_id: str) -> Acknowledgement:
        """Place an order under our own id."""
        return await self.place(payload, client_order_id, {})

    async def place(self, payload: CreatePayload, client_order_id: str, further: Mapping[str, Any]) -> Acknowledgement:
        """Place an order with further parameters, which are none of a request."""
        ccxt = self._caller.ccxt
        await self._listing.know(payload.symbol)
        check_flags(ccxt, self._caller.profile, payload)
        is_spot = bool(ccxt.market(payload.symbol).get("spot"))
        arguments = create_arguments(self._caller.profile, payload, client_order_id, is_spot=is_spot)
        arguments.params.update(further)
        asked = Asked.for_creation(payload, client_order_id)
        with decided(payload.amount_base, payload.amount_quote, payload.price, payload.trigger_price):
            return await self._send_fastest("createOrder", "create_order", asked, *arguments, carries=client_order_id)

    async def cancel_order(self, payload: CancelPayload) -> Acknowledgement:
        """Cancel an order, named by the exchange's id or by ours."""
        await self._listing.know(payload.symbol)
        params, order_id = further_params(self._caller.profile, "cancelOrder", payload), payload.order_id
        if order_id is None and not self._caller.profile.client_order_ids.cancels:
            order_id = (await self.found("cancelOrder", payload)).order.id
        params |= self._id_params(order_id, payload.client_order_id)
        asked = Asked(payload.symbol, order_id, payload.client_order_id if order_id is None else None)
        return await self._send_fastest("cancelOrder", "cancel_order", asked, order_id or "", payload.symbol, params)

    async def _send_fastest(
        self, action: str, method: str, asked: Asked, *arguments: Any, carries: str | None = None
    ) -> Acknowledgement:
        ccxt = self._caller.ccxt
        if self._caller.profile.order_transport == "websocket" and ccxt.carrier is None:
            try:
                over_socket = getattr(ccxt, f"{method}_ws")
                return await self.send(action, over_socket, asked, *arguments, over_socket=True, carries=carries)
            except Retryable as error:
                # A limit or a wrong clock would only be reported again over REST.
                if not error.is_disconnected:
                    raise
        return await self.send(action, getattr(ccxt, method), asked, *arguments, carries=carries)

    async def send(
        self,
        action: str,
        method: Callable[..., Awaitable[Any]],
        asked: Asked,
        *arguments: Any,
        over_socket: bool = False,
        carries: str | None = None,
    ) -> Acknowledgement:
        """Send one change of an order, once, and only if the request carries our id where it has to.

        Raises:
            Rejected, Retryable, OutcomeUnknown, Fatal: see `millrace_exchange.errors`.
        """
        timed = Sending(carries)
        answer = await self.change(action, method, *arguments, timed=timed, over_socket=over_socket)
        acknowledged_ns = now_ns()
        order = CheckedAnswer(self._caller.profile, action, timed).order(answer, asked)
        return Acknowledgement((order,), timed.at_ns or acknowledged_ns, acknowledged_ns)

    async def change(
        self,
        action: str,
        method: Callable[..., Awaitable[Any]],
        *arguments: Any,
        timed: Sending,
        over_socket: bool = False,
    ) -> Any:
        """Await one of ccxt's methods that change orders; return what ccxt made of the answer.

        Raises:
            Fatal: the exchange refused the keys, and refuses them for a plain question too.
            Rejected, Retryable, OutcomeUnknown: see `millrace_exchange.errors`.
        """
        try:
            return await self._caller.call(action, method, *arguments, timed=timed, over_socket=over_socket)
        except Rejected as refusal:
            if OF_TERMS.search(refusal.reason):
                # It fitted the terms that are known here.
                self._listing.doubt()
            raise
        except Fatal as fatal:
            # A signature may fail because of what one request holds: that must not end the account.
            if await self._can_ask():
                raise Rejected(str(fatal), exchange=fatal.exchange, action=action, kind=fatal.kind) from fatal
            raise

    async def _can_ask(self) -> bool:
        try:
            await self.fetch_balance()
        except Fatal:
            return False
        except ExchangeError:
            # It cannot be asked now, which says nothing about the keys.
            return True
        return True
