"""Edits of one account's orders. An edit means one thing everywhere: the amount is that of the whole order.

Exchanges amend an order, or replace it by another. What an edit does not name stays as it was. A replacement has what
is left of the amount; a fill that comes between the question and the replacement would be traded on top of it. So an
exchange that can is asked to replace only an order without a fill; everywhere else, and for an order that is partly
filled, the order is canceled first, since what was filled is final then (`replacing`).
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NoReturn

from msgspec.structs import replace

from millrace_core.orders import Order
from millrace_core.requests import EditPayload
from millrace_exchange.ccxt.amendment import keep_priority
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.changes import OrderChanges
from millrace_exchange.ccxt.checked_answer import Asked, proves_nothing
from millrace_exchange.ccxt.order_arguments import digits, edit_params
from millrace_exchange.ccxt.order_queries import FetchedOrder
from millrace_exchange.ccxt.recording.digits import decided
from millrace_exchange.ccxt.replacing import cancel_and_create, kept_terms
from millrace_exchange.errors import ExchangeError, OrderNotFound, OutcomeUnknown, Rejected
from millrace_exchange.ports import Acknowledgement

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class OrderEditor:
    """Edits one account's orders."""

    def __init__(self, orders: OrderChanges, caller: CcxtCaller) -> None:
        self._orders = orders
        self._ccxt = caller.ccxt
        self._profile = caller.profile

    async def edit(self, payload: EditPayload, client_order_id: str) -> Acknowledgement:
        """Change an open order; where another replaces it, that one carries `client_order_id`.

        Raises:
            Rejected: it was not changed, or canceled without a replacement: the text says which.
            Retryable, OutcomeUnknown, Fatal: see `millrace_exchange.errors`.
        """
        profile = self._profile
        if profile.edit in ("unsupported", "unknown") or profile.edit_amount == "unknown":
            self._refuse(f"an edit is not supported on {profile.exchange}: cancel the order and create another")
        edit_params(profile, payload, client_order_id)  # Refuses what must not be sent, before anything is asked.
        found = await self._orders.found("editOrder", payload)
        if not profile.client_order_ids.of_contracts and not self._ccxt.market(payload.symbol).get("spot"):
            self._refuse("$.payload.symbol: what replaces an order in a contract cannot carry our id here")
        self._check_known(payload, found.order)
        total = self._total(payload, found.order)
        if total is not None and self._only_reduces(payload, found.order, total):
            return await self._reduce(found.order, total)
        if total is None or profile.edit == "amend":
            return await self._send(payload, found, total, client_order_id)
        if profile.edit_amount == "total":
            return await self._have_replaced(payload, found, total, client_order_id)
        return await self._replace(payload, found, total, client_order_id)

    def _check_known(self, payload: EditPayload, order: Order) -> None:
        """Return if the exchange said all that an edit is worked out of; nothing was sent yet.

        Raises:
            Retryable: it did not.
        """
        known: dict[str, object] = {"side": order.side, "status": order.status}
        if payload.type is not None:
            known["type"] = order.type
        if self._profile.edit_amount != "left_out":
            known["filled amount"] = order.filled
        if self._profile.edit == "cancel_replace" and order.type != "market":
            known["price"] = payload.price or order.price
        if unsaid := [name for name, value in known.items() if value is None]:
            raise proves_nothing(
                self._profile, "fetchOrder", f"the answer does not say the order's {', '.join(unsaid)}"
            )

    def _total(self, payload: EditPayload, order: Order) -> Decimal | None:
        """Return the amount of the whole order after the edit; None if none is to be sent."""
        for name, wanted, present in (("side", payload.side, order.side), ("type", payload.type, order.type)):
            if wanted is not None and present not in (None, wanted):
                self._refuse(f"$.payload.{name}: the order is a {present} order, which an edit does not change")
        if order.is_final:
            self._refuse(f"the order is {order.status}")
        if self._profile.edit_amount == "left_out":
            if payload.amount_base is not None:
                self._refuse(f"$.payload.amountBase: an amount cannot be edited on {self._profile.exchange}")
            return None
        total = payload.amount_base or order.amount
        if total is None:
            self._refuse("$.payload.amountBase is required: the exchange does not say the order's amount")
        if order.filled and total <= order.filled:
            self._refuse(f"$.payload.amountBase: {order.filled:f} are filled; the new amount {total:f} must be larger")
        return total

    def _only_reduces(self, payload: EditPayload, order: Order, total: Decimal) -> bool:
        """Tell whether nothing but the amount changes, to a smaller one, where the exchange can amend that."""
        if not self._profile.reduces or order.amount is None or total >= order.amount:
            return False
        is_allowed = self._ccxt.market(payload.symbol)["info"].get("amendAllowed") is True
        keeps_price = payload.price in (None, order.price) and payload.trigger_price in (None, order.trigger_price)
        return is_allowed and keeps_price and not payload.params

    async def _reduce(self, order: Order, total: Decimal) -> Acknowledgement:
        asked = Asked(order.symbol, order.id, side=order.side)
        return await self._orders.send("editOrder", keep_priority, asked, self._ccxt, order, digits(total))

    async def _have_replaced(
        self, payload: EditPayload, found: FetchedOrder, total: Decimal, client_order_id: str
    ) -> Acknowledgement:
        """Have an exchange replace an order that counts what was filled by itself.

        Its refusal does not say whether the order was canceled by then: the order tells.
        """
        try:
            return await self._send(payload, found, total, client_order_id)
        except OrderNotFound:
            raise
        except Rejected as refusal:
            raise await self._of_both_halves(payload, found.order, refusal) from refusal

    async def _of_both_halves(self, payload: EditPayload, order: Order, refusal: Rejected) -> ExchangeError:
        """Return the refusal of a replacement, with what became of the order that was to be replaced."""
        exchange, kind = self._profile.exchange, refusal.kind
        try:
            left = await self._orders.fetch_order(payload.symbol, order_id=order.id)
        except ExchangeError as error:
            reason = f"{refusal}; whether the order was canceled cannot be asked: {error}"
            return OutcomeUnknown(reason, exchange=exchange, action="editOrder", kind=kind)
        if left is None or left.status != "canceled":
            return refusal
        reason = f"the order was canceled, its replacement was refused: {refusal}"
        return Rejected(reason, exchange=exchange, action="editOrder", kind=kind)

    async def _replace(
        self, payload: EditPayload, found: FetchedOrder, total: Decimal, client_order_id: str
    ) -> Acknowledgement:
        """Replace an order by one with what is left of the amount."""
        field = self._profile.order_list_field
        if field is not None and str(found.record.get(field, -1)) != "-1":
            self._refuse(
                "the order belongs to an order list, whose other orders this would cancel: cancel it, and create"
            )
        unfilled = self._profile.edit_if_unfilled
        if unfilled and not found.order.filled:
            try:
                rest = self._without_prevented(payload, found, total)
                return await self._send(payload, found, rest, client_order_id, unfilled)
            except Rejected as refusal:
                found = await self._filled_since(payload, refusal)
                self._check_known(payload, found.order)
                self._total(payload, found.order)
        elif payload.trigger_price is not None or found.order.trigger_price is not None:
            self._refuse(f"the edit of a stop is not supported on {self._profile.exchange}")
        total = self._without_prevented(payload, found, total)
        return await cancel_and_create(self._orders, self._profile, payload, found, total, client_order_id)

    def _without_prevented(self, payload: EditPayload, found: FetchedOrder, total: Decimal) -> Decimal:
        """Return the amount that an edit leaves as it is without what the order lost in prevented self-trades."""
        field = self._profile.prevented_field
        lost = found.record.get(field) if field is not None and payload.amount_base is None else None
        return total - Decimal(str(lost)) if lost else total

    async def _filled_since(self, payload: EditPayload, refusal: Rejected) -> FetchedOrder:
        """Return the order if it was not replaced because part of it was filled since it was asked for.

        Raises:
            Rejected: as the exchange said: there was another reason.
        """
        try:
            found = await self._orders.found("editOrder", payload)
        except ExchangeError:
            raise refusal from None
        if found.order.is_final or not found.order.filled:
            raise refusal
        return found

    async def _send(
        self,
        payload: EditPayload,
        found: FetchedOrder,
        amount: Decimal | None,
        client_order_id: str,
        further: Mapping[str, Any] = _NOTHING,
    ) -> Acknowledgement:
        """Have ccxt edit an order; if another replaces it, the former is canceled."""
        order, profile = found.order, self._profile
        payload = self._with_trigger(payload, order)
        price = payload.price or order.price
        params = kept_terms(profile, found) | edit_params(profile, payload, client_order_id) | dict(further)
        new_id = client_order_id if profile.edit_client_order_id == "new" else None
        same_id = order.id if profile.edit == "amend" else None
        # Where the replacement takes our id over, the answer may tell it.
        answered_id = order.client_order_id if profile.edit_client_order_id == "existing" else new_id
        asked = Asked(payload.symbol, same_id, answered_id, order.side, price=payload.price)
        kind = found.record.get(profile.kind_field) if profile.kind_field else None
        arguments = (order.id, payload.symbol, kind or order.type, order.side, digits(amount), digits(price), params)
        with decided(amount, price, payload.trigger_price):
            edited = await self._orders.send("editOrder", self._ccxt.edit_order, asked, *arguments, carries=new_id)
        if edited.orders[0].id == order.id:
            if profile.edit == "cancel_replace":
                raise proves_nothing(profile, "editOrder", "the answer names the order that was to be replaced")
            return edited
        return edited._replace(ended=(replace(order, status="canceled", remaining=None),))

    def _with_trigger(self, payload: EditPayload, order: Order) -> EditPayload:
        """Return an edit that keeps the trigger where a new order replaces the former."""
        if payload.trigger_price is None and self._profile.edit == "cancel_replace":
            payload = replace(payload, trigger_price=order.trigger_price)
        if payload.trigger_price is not None and not self._profile.trigger_orders:
            self._refuse(f"the edit of a stop is not supported on {self._profile.exchange}")
        return payload

    def _refuse(self, reason: str) -> NoReturn:
        raise Rejected(reason, exchange=self._profile.exchange, action="editOrder", kind="InvalidOrder")
