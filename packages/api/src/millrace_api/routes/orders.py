"""Creating, editing and canceling orders: each becomes a request on the bus."""

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from millrace_api.access.principal import Caller, needs
from millrace_api.documents import accepts, body_of, returns, returns_problem
from millrace_api.parameters import TenantQuery, scope_of, tenant_of
from millrace_api.problems import not_found
from millrace_api.services import Services, ServicesDep, redis
from millrace_api.trading.requests import AnswerPending, TradeRequests
from millrace_bus import Bus
from millrace_core import messages
from millrace_core.requests import (
    DEFAULT_VALID_FOR_MS,
    CancelAllOrders,
    CancelAllPayload,
    CancelOrder,
    CancelPayload,
    CreateOrder,
    CreatePayload,
    EditOrder,
    EditPayload,
    OrderRequest,
)
from millrace_store import AmbiguousOrder, Scope

router = APIRouter(tags=["trading"], dependencies=[Depends(needs("trade"))])

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="Requests with the same key are carried out once, however often they are sent. "
        "Without a key, each request is carried out.",
    ),
]
ExchangeParameter = Annotated[str, Query(pattern="^[A-Za-z0-9_-]{1,32}$", description="ccxt's id of the exchange.")]
_SYMBOL = r"^[^\s*?\[\]\x00]{1,64}$"
_ORDER_ID = r"^[^\x00]{1,128}$"


class Answer(messages.Response, frozen=True):
    """The executor's answer; not named `Response`, which means something else in every HTTP client."""


_ANSWERS: dict[int | str, dict[str, Any]] = {
    **returns(Answer, also={404: "No order with this id is known."}),
    202: returns(AnswerPending, status=202)[202] | {"description": "Sent; no final answer yet."},
    422: returns_problem("Invalid request, or rejected by the executor; then `answer` holds its answer."),
}


class CreateOrderBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """An order to place; the payload is described in protocol.md, "Requests to trade"."""

    exchange_id: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,32}$")]
    payload: CreatePayload
    valid_for: int = DEFAULT_VALID_FOR_MS
    """ms after which the executor no longer starts on it."""


class EditOrderBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """New values of an open order; absent fields stay as they are."""

    exchange_id: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,32}$")]
    payload: EditPayload
    valid_for: int = DEFAULT_VALID_FOR_MS


@router.post("/orders", operation_id="create_order", responses=_ANSWERS, openapi_extra=accepts(CreateOrderBody))
async def create_order(
    request: Request,
    services: ServicesDep,
    caller: Caller,
    new: Annotated[CreateOrderBody, Depends(body_of(CreateOrderBody))],
    key: IdempotencyKey = None,
    tenant: TenantQuery = None,
) -> Response:
    """Place an order; without `orderSource` the token's name becomes its source."""
    tenant_of(caller, tenant, public=False)
    payload = msgspec.structs.replace(new.payload, order_source=new.payload.order_source or caller.name)
    order = CreateOrder(exchange_id=new.exchange_id, valid_for=new.valid_for, payload=payload)
    return await _submitted(request, TradeRequests(services, caller), order, key)


@router.patch("/orders/{order_id}", operation_id="edit_order", responses=_ANSWERS, openapi_extra=accepts(EditOrderBody))
async def edit_order(
    request: Request,
    services: ServicesDep,
    caller: Caller,
    order_id: Annotated[str, Path(pattern=_ORDER_ID)],
    change: Annotated[EditOrderBody, Depends(body_of(EditOrderBody))],
    key: IdempotencyKey = None,
    tenant: TenantQuery = None,
) -> Response:
    """Change an open order."""
    tenant_of(caller, tenant, public=False)
    source = change.payload.order_source or caller.name
    payload = msgspec.structs.replace(change.payload, order_id=order_id, client_order_id=None, order_source=source)
    edit = EditOrder(exchange_id=change.exchange_id, valid_for=change.valid_for, payload=payload)
    return await _submitted(request, TradeRequests(services, caller), edit, key)


@router.delete("/orders/{order_id}", operation_id="cancel_order", responses=_ANSWERS)
async def cancel_order(
    request: Request,
    services: ServicesDep,
    caller: Caller,
    order_id: Annotated[str, Path(pattern=_ORDER_ID)],
    exchange: Annotated[str | None, Query(pattern="^[A-Za-z0-9_-]{1,32}$")] = None,
    symbol: Annotated[str | None, Query(pattern=_SYMBOL)] = None,
    key: IdempotencyKey = None,
    tenant: TenantQuery = None,
) -> Response:
    """Cancel an order. Exchange and symbol are looked up if they are not set; an ambiguous id cancels nothing."""
    of = tenant_of(caller, tenant, public=False)
    if exchange is None or symbol is None:
        exchange, symbol = await _traded_at(services, scope_of(of, exchange, symbol), order_id)
    payload = CancelPayload(symbol=symbol, order_id=order_id, order_source=caller.name)
    return await _submitted(
        request, TradeRequests(services, caller), CancelOrder(exchange_id=exchange, payload=payload), key
    )


@router.delete("/orders", operation_id="cancel_all_orders", responses=_ANSWERS)
async def cancel_all_orders(
    request: Request,
    services: ServicesDep,
    caller: Caller,
    exchange: ExchangeParameter,
    symbol: Annotated[str | None, Query(pattern=_SYMBOL)] = None,
    key: IdempotencyKey = None,
    tenant: TenantQuery = None,
) -> Response:
    """Cancel every open order of an account, or of one symbol."""
    tenant_of(caller, tenant, public=False)
    payload = CancelAllPayload(symbol=symbol, order_source=caller.name)
    return await _submitted(
        request, TradeRequests(services, caller), CancelAllOrders(exchange_id=exchange, payload=payload), key
    )


async def _traded_at(services: Services, scope: Scope, order_id: str) -> tuple[str, str]:
    """Return the exchange and symbol of an order. Redis knows the newest orders, the database all of them.

    Raises:
        ApiError: the order is unknown.
        AmbiguousOrder: several orders in the scope have this id.
    """
    stored = await services.store.account.order(scope, order_id)
    found = set() if stored is None else {(stored.exchange, stored.symbol)}
    found |= await redis(_in_redis(services.bus, scope, order_id))
    fit = {
        (exchange, symbol)
        for exchange, symbol in found
        if symbol and scope.exchange in (None, exchange) and scope.symbol in (None, symbol)
    }
    if not fit:
        raise not_found("order with this id (to cancel an unknown order, set exchange and symbol)")
    if len(fit) > 1:
        raise AmbiguousOrder(order_id, sorted(fit))
    return fit.pop()


async def _in_redis(bus: Bus, scope: Scope, order_id: str) -> set[tuple[str, str | None]]:
    """Return exchange and symbol of the orders of this id in Redis, whichever symbols the tenant has traded."""
    names = await bus.stream_names([scope.tenant])
    places = {(name.exchange, name.symbol) for name in names if name.symbol is not None}
    wanted = [(scope.exchange, scope.symbol), *sorted(places)]
    records = await asyncio.gather(
        *(bus.orders.get(scope.tenant, order_id, exchange=exchange, symbol=symbol) for exchange, symbol in wanted)
    )
    return {(record.exchange, record.order.symbol) for record in records if record is not None}


async def _submitted(request: Request, requests: TradeRequests, trade: OrderRequest, key: str | None) -> Response:
    # The request is audited whether or not it succeeds.
    request.state.audited = {"request": msgspec.to_builtins(trade, str_keys=True), "idempotencyKey": key}
    return await requests.submit(trade, key)
