"""Whole states, by kind of stream: decoded as far as storing needs, and added to a batch."""

import msgspec

from millrace_core.errors import InvalidName
from millrace_core.ids import MessageId
from millrace_core.market import Balance, BookSnapshot
from millrace_core.names import Action
from millrace_core.orders import OrdersSnapshot
from millrace_dbsync.decoding.envelopes import invalid, read
from millrace_dbsync.handling.deltas import Put
from millrace_store import Batch, Place


def put_snapshot_of(action: Action) -> Put:
    """Return what adds the snapshots of a stream; of most only up to where they reach is looked at."""
    return _PUTS.get(action, _any)


def _book(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    book = read(_BOOK, data)
    batch.snapshot(place, _included(book.as_of), bytes(data), nonce=book.nonce, checksum=book.checksum)


def _orders(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    whole = read(_ORDERS, data)
    batch.orders_snapshot(place, _included(whole.as_of), bytes(data), whole.orders)


def _balances(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    as_of = _included(read(_AS_OF, data).as_of)
    whole = {code: held for code, held in read(_BALANCES, data).items() if isinstance(held, Balance)}
    batch.balances_snapshot(place, as_of, bytes(data), whole)


def _any(batch: Batch, place: Place, data: msgspec.Raw) -> None:
    batch.snapshot(place, _included(read(_AS_OF, data).as_of), bytes(data))


def _included(as_of: str) -> MessageId:
    """Read up to which message a snapshot includes everything.

    Raises:
        InvalidMessage: that is no id of a message.
    """
    try:
        return MessageId.parse(as_of)
    except (InvalidName, ValueError) as error:
        raise invalid(str(error)) from error


class _AsOf(msgspec.Struct, rename="camel"):
    """What every snapshot says."""

    as_of: str


_BOOK = msgspec.json.Decoder(BookSnapshot)
_ORDERS = msgspec.json.Decoder(OrdersSnapshot)
_BALANCES = msgspec.json.Decoder(dict[str, Balance | str])
_AS_OF = msgspec.json.Decoder(_AsOf)

_PUTS: dict[str, Put] = {"watchOrderBook": _book, "watchOrders": _orders, "watchBalance": _balances}
