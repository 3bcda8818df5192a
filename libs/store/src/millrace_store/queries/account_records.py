"""Records of the account's tables: which columns each needs, and how a row becomes one."""

from decimal import Decimal
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from millrace_core import orders
from millrace_core.exact_json import exactly
from millrace_core.market import ExchangePosition
from millrace_core.names import Tenant
from millrace_core.trace import Trace
from millrace_store.queries.listings import FoundRow
from millrace_store.queries.records import (
    BalanceRecord,
    CurrentOrder,
    ExchangePositionRecord,
    FailedExecution,
    OrderEventRecord,
    RequestRecord,
    ResponseRecord,
    TradeRecord,
)
from millrace_store.schema import tables

OWN_TRADE: Final = (
    *("trade_id", "order_id", "side", "price", "amount"),
    *("taker_or_maker", "fee_cost", "fee_currency", "fees_by_currency"),
)
ORDER_EVENT: Final = ("data",)
REQUEST: Final = ("request_id", "action", "exchange", "symbol", "order_source", "data")
RESPONSE: Final = ("request_id", "status", "order_id", "order_source", "error_kind", "error_message", "trace")
FAILED: Final = ("request_id", "status", "kind", "reason", "order_source")
EXCHANGE_POSITION: Final = ("data",)
BALANCE: Final = ("currency", "free", "used", "total", "debt")

AMOUNT_BY_CURRENCY: Final = msgspec.json.Decoder(dict[str, Decimal])

_ORDER: Final = msgspec.json.Decoder(orders.Order)
_CURRENT: Final = msgspec.json.Decoder(orders.OrderRecord)
_POSITION: Final = msgspec.json.Decoder(ExchangePosition)
_TRACE: Final = msgspec.json.Decoder(Trace)


def first_of_its_id() -> sa.ColumnElement[bool]:
    """Return the condition that excludes own trades already stored with an earlier message."""
    row, earlier = tables.own_trades.c, tables.own_trades.alias("earlier").c
    before = sa.tuple_(earlier.epoch, earlier.seq, earlier.n) < sa.tuple_(row.epoch, row.seq, row.n)
    same = (earlier.stream_id == row.stream_id) & (earlier.trade_id == row.trade_id)
    return ~sa.exists(sa.select(sa.literal(1)).where(same, before))


def of_source(row: Any, tenant: Tenant, source: str) -> sa.ColumnElement[bool]:
    """Return the condition that a row's order, which the row names by `order_id`, is one of a source."""
    order, stream = tables.orders.c, tables.streams.c
    of_symbol = stream.symbol.is_(None) | (order.symbol == stream.symbol)
    named = (order.tenant == tenant) & (order.order_id == row.order_id)
    its_order = named & (order.exchange == stream.exchange) & of_symbol
    return sa.exists(
        sa.select(sa.literal(1))
        .select_from(tables.streams)
        .join(tables.orders, its_order)
        .where(stream.id == row.stream_id, order.order_source == source)
    )


def current_order(data: str) -> CurrentOrder:
    """Return the record of an order from the column `data` of `orders`."""
    known = _CURRENT.decode(data)
    return CurrentOrder(
        exchange=known.exchange,
        symbol=known.order.symbol,
        order=known.order,
        order_source=known.order_source,
        request_id=known.request_id,
        created_ms=known.order.timestamp,
        updated_ms=known.updated,
    )


def own_trade(found: FoundRow) -> TradeRecord:
    """Return the record of one of the tenant's own trades."""
    trade_id, order_id, side, price, amount, taker_or_maker, fee_cost, fee_currency, fees = found.values
    return TradeRecord(
        exchange=found.stream.exchange,
        symbol=found.stream.symbol or "",
        message_id=found.message_id,
        at_ms=found.at_ms,
        id=trade_id,
        side=side,
        price=Decimal(price),
        amount=Decimal(amount),
        order=order_id,
        taker_or_maker=taker_or_maker,
        fee_cost=_decimal(fee_cost),
        fee_currency=fee_currency,
        fees_by_currency=None if fees is None else AMOUNT_BY_CURRENCY.decode(fees),
    )


def order_event(found: FoundRow) -> OrderEventRecord:
    """Return the record of an event of an order."""
    return OrderEventRecord(
        message_id=found.message_id,
        at_ms=found.at_ms,
        stream=found.stream.name,
        order=_ORDER.decode(found.values[0]),
    )


def request(found: FoundRow) -> RequestRecord:
    """Return the record of a request to trade."""
    request_id, action, exchange, symbol, order_source, data = found.values
    return RequestRecord(
        message_id=found.message_id,
        at_ms=found.at_ms,
        request_id=request_id,
        action=action,
        exchange=exchange,
        symbol=symbol,
        order_source=order_source,
        request=msgspec.Raw(data.encode()),
    )


def response(found: FoundRow) -> ResponseRecord:
    """Return the record of an answer of the executor."""
    request_id, status, order_id, order_source, kind, message, trace = found.values
    passed = _TRACE.decode(trace)
    return ResponseRecord(
        exchange=found.stream.exchange,
        symbol=found.stream.symbol,
        message_id=found.message_id,
        at_ms=found.at_ms,
        action=found.stream.action,
        request_id=request_id,
        status=status,
        order_id=order_id,
        order_source=order_source,
        error_kind=kind,
        error_message=message,
        trace=passed,
        latencies=passed.latencies(),
    )


def failed_execution(found: FoundRow, settled: str | None) -> FailedExecution:
    """Return the record of a failed execution."""
    request_id, status, kind, reason, order_source = found.values
    return FailedExecution(
        exchange=found.stream.exchange,
        symbol=found.stream.symbol,
        message_id=found.message_id,
        at_ms=found.at_ms,
        action=found.stream.action,
        request_id=request_id,
        status=status,
        kind=kind,
        reason=reason,
        order_source=order_source,
        settled=settled,
    )


def balance(found: FoundRow) -> BalanceRecord:
    """Return the record of a change of a balance."""
    currency, free, used, total, debt = found.values
    return BalanceRecord(
        exchange=found.stream.exchange,
        message_id=found.message_id,
        at_ms=found.at_ms,
        currency=currency,
        free=_decimal(free),
        used=_decimal(used),
        total=_decimal(total),
        debt=_decimal(debt),
    )


def exchange_position(found: FoundRow) -> ExchangePositionRecord:
    """Return the record of a change of a position."""
    return ExchangePositionRecord(
        exchange=found.stream.exchange,
        message_id=found.message_id,
        at_ms=found.at_ms,
        position=exactly(_POSITION.decode(found.values[0]), found.values[0].encode()),
    )


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)
