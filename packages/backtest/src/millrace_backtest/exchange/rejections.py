"""Requests as orders of the engine, and why an exchange rejects one. Pure."""

from decimal import Decimal
from typing import Final

from millrace_backtest.exchange.orders import ModelledOrder
from millrace_backtest.exchange.units import units
from millrace_core.errors import MalformedRequest
from millrace_core.ids import RequestId
from millrace_core.market_terms import MarketTerms, precision_errors, refusals, size_errors
from millrace_core.messages import encode
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.requests import CreateOrder, CreatePayload, EditPayload, OrderRequest, parse_request
from millrace_matching import NewOrder, OrderType, SelfTradePrevention, Side, TimeInForce
from millrace_matching.errors import UnknownOrder, WouldTake, WouldTrigger


class Rejection(Exception):
    """The exchange carries a request out in no part."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        """A class of ccxt's errors, as the executor's answer names it."""


def rejection_of(fault: Exception) -> Rejection:
    """Return how an exchange words the engine's fault."""
    match fault:
        case WouldTake():
            return Rejection("OrderImmediatelyFillable", "a post-only order would take")
        case WouldTrigger():
            return Rejection("OrderImmediatelyFillable", "the trigger price is reached already")
        case UnknownOrder():
            return Rejection("OrderNotFound", "no such open order")
        case _:
            return Rejection("InvalidOrder", str(fault))


def check_form(request: OrderRequest) -> None:
    """Check that a request is one, as the executor does before any exchange hears of it.

    Raises:
        Rejection: it has mistakes; all are named.
    """
    try:
        parse_request(encode(request))
    except MalformedRequest as error:
        raise Rejection("Malformed", str(error)) from error


def check(terms: MarketTerms | None, payload: CreatePayload, best: Decimal | None) -> None:
    """Check an order by the terms of its market; `best` is what a market order would trade at.

    Raises:
        Rejection: an exchange with these terms refuses it. Of a number that would be rounded the executor says so.
    """
    price = best if payload.trigger_price is None else payload.trigger_price
    _refuse([] if terms is None else refusals(terms, payload, price))


def check_edit(terms: MarketTerms | None, payload: EditPayload, left: Decimal, price: Decimal | None) -> None:
    """Check new terms of an order, of which so much is left.

    Raises:
        Rejection: an exchange with these terms refuses them.
    """
    if terms is not None:
        _refuse([*precision_errors(terms, payload), *size_errors(terms, left, price)])


def _refuse(errors: list[str]) -> None:
    if errors:
        raise Rejection("InvalidOrder", "; ".join(errors))


def order_of(tenant: Tenant, request: CreateOrder, number: int, now_ns: int) -> ModelledOrder:
    """Return the order that a request asks for, sized by its amount; one that is sized by money has none yet."""
    payload = request.payload
    is_market = payload.type == "market"
    standing = "GTC" if payload.time_in_force in (None, "GTD", "PO") else str(payload.time_in_force)
    return ModelledOrder(
        number=number,
        tenant=tenant,
        exchange=ExchangeId(request.exchange_id or ""),
        symbol=Symbol(payload.symbol),
        source=payload.order_source or "",
        request_id=RequestId(request.request_id or ""),
        side=payload.side,
        type=payload.type,
        amount=payload.amount_base or Decimal(0),
        # Of a market order the price is what its sender expects, which is not sent.
        price=None if is_market else payload.price,
        time_in_force=standing,
        post_only=payload.only_makes,
        trigger_price=payload.trigger_price,
        created_ns=now_ns,
        updated_ns=now_ns,
    )


def engine_order(order: ModelledOrder, owner: int) -> NewOrder:
    """Return an order, or what is left of one, as the engine takes it.

    Raises:
        ValueError: a number has more decimals than the engine's units.
    """
    return NewOrder(
        order_id=order.number,
        side=Side.BUY if order.is_buy else Side.SELL,
        type=_type_of(order),
        quantity=units(order.remaining),
        price=None if order.price is None else units(order.price),
        time_in_force=TimeInForce(order.time_in_force),
        trigger_price=None if order.trigger_price is None else units(order.trigger_price),
        owner=owner,
        self_trade_prevention=SelfTradePrevention.EXPIRE_MAKER,
    )


def _type_of(order: ModelledOrder) -> OrderType:
    if order.post_only and order.trigger_price is None:
        return OrderType.LIMIT_MAKER
    return _TYPES[order.type, order.trigger_price is not None]


_TYPES: Final = {
    ("limit", False): OrderType.LIMIT,
    ("market", False): OrderType.MARKET,
    ("limit", True): OrderType.STOP_LOSS_LIMIT,
    ("market", True): OrderType.STOP_LOSS,
}
