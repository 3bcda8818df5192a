"""An order's hash in Redis: its form, its key, and the commands that write it. Pure.

Its key holds the plain id unless that already names another order: ids are unique on one exchange only, on some
in one symbol only. Then it is the id with exchange and symbol (docs/protocol.md, "Orders").
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from millrace_bus.connection.connection import Part, pack
from millrace_bus.errors import InvalidOrder
from millrace_core.messages import encode
from millrace_core.names import (
    ExchangeId,
    Symbol,
    Tenant,
    full_order_key,
    open_orders_key,
    order_key,
    orders_key,
)
from millrace_core.orders import Order, OrderRecord, non_finite

KEPT_S = 7 * 24 * 3600
"""How long an order is kept after it is final."""
RECENT = 1_000
"""How many orders of a symbol the index by time holds."""

_ORDER = msgspec.json.Decoder(Order)


class Keys(NamedTuple):
    """The two possible keys of an order."""

    plain: str
    full: str


def keys_of(tenant: Tenant, exchange: str, symbol: str | None, order_id: str) -> Keys:
    """Return the possible keys of an order."""
    return Keys(order_key(tenant, order_id), full_order_key(tenant, exchange, symbol, order_id))


def is_of(record: OrderRecord, exchange: str, symbol: str | None) -> bool:
    """Tell whether a record that has the id of an order is that order, as far as its symbol is known."""
    return record.exchange == exchange and (symbol is None or record.order.symbol in (None, symbol))


def place(
    keys: Keys, plain: OrderRecord | None, full: OrderRecord | None, exchange: str, symbol: str | None
) -> tuple[str, OrderRecord | None]:
    """Return an order's key and its stored record, from the records of both keys.

    An order stored under its full key keeps that key, even after the other order with its id has expired.
    """
    if full is not None:
        return keys.full, full
    if plain is None or is_of(plain, exchange, symbol):
        return keys.plain, plain
    return keys.full, None


def read_record(fields: Mapping[bytes, bytes]) -> OrderRecord | None:
    """Read an order's hash; None if it does not exist."""
    if b"order" not in fields:
        return None
    source, request_id = fields.get(b"orderSource"), fields.get(b"requestId")
    return OrderRecord(
        order=_ORDER.decode(fields[b"order"]),
        exchange=fields[b"exchange"].decode(),
        updated=int(fields[b"updated"]),
        order_source=None if source is None else source.decode(),
        request_id=None if request_id is None else request_id.decode(),
    )


def check_numbers(record: OrderRecord) -> None:
    """Check that a record's numbers are finite: NaN compares with nothing, and infinity would win every join.

    Raises:
        InvalidOrder: some are not; the text names them.
    """
    if names := non_finite(record.order):
        raise InvalidOrder(record.order.id, f"{', '.join(names)} must be finite")


def storing(tenant: Tenant, key: str, record: OrderRecord) -> list[bytes]:
    """Return the packed commands that make Redis hold a record, and its indexes."""
    order = record.order
    fields: list[Part] = ["order", encode(order), "exchange", record.exchange, "updated", record.updated]
    if record.order_source is not None:
        fields += ("orderSource", record.order_source)
    if record.request_id is not None:
        fields += ("requestId", record.request_id)
    commands = [pack("HSET", key, *fields)]
    if order.is_final:
        commands.append(pack("EXPIRE", key, KEPT_S))
    if order.symbol is None:
        # An acknowledgement that does not name it; the indexes follow with the message that does.
        return commands
    exchange, symbol = ExchangeId(record.exchange), Symbol(order.symbol)
    recent, opened = orders_key(tenant, exchange, symbol), open_orders_key(tenant, exchange, symbol)
    return [
        *commands,
        pack("ZADD", recent, order.timestamp or record.updated, order.id),
        pack("ZREMRANGEBYRANK", recent, 0, -RECENT - 1),
        pack("SREM" if order.is_final else "SADD", opened, order.id),
    ]
