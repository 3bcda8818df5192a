"""The envelope in which everything on a stream travels, and its JSON. See docs/protocol.md, "The message"."""

from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from millrace_core.errors import InvalidMessage, Problem
from millrace_core.exact_json import digits_of
from millrace_core.ids import MessageId
from millrace_core.json_problems import UNREADABLE, problem_of
from millrace_core.market_terms import MarketTerms, terms_as_text
from millrace_core.orders import Order
from millrace_core.trace import Trace

MessageType = Literal["delta", "snapshot", "status", "response"]
StreamStatus = Literal["live", "unverified", "stale", "closed"]
ResponseStatus = Literal["done", "rejected", "failed", "expired", "unknown"]

LARGEST_MESSAGE: Final = 16 * 1024 * 1024
"""Bytes; the deepest order books take a tenth of it."""

_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=digits_of)


class Message(msgspec.Struct, frozen=True):
    """One message of a stream, its data still as the bytes that travelled."""

    id: str
    """`{epoch}-{seq}`, also the journal's entry id: see `millrace_core.ids`."""
    type: MessageType
    timestamp: int | None
    """The exchange's own time of the event, ms; None if it has none."""
    trace: Trace
    data: msgspec.Raw

    @property
    def message_id(self) -> MessageId:
        """The message's place in its stream."""
        return MessageId.parse(self.id)


class Outgoing(msgspec.Struct, frozen=True):
    """One message as its writer builds it; the fields are those of `Message`."""

    id: str
    type: MessageType
    timestamp: int | None
    trace: Trace
    data: Any


class Status(msgspec.Struct, frozen=True):
    """Whether the writer's last published state still holds."""

    status: StreamStatus
    reason: str | None = None
    market: MarketTerms | None = None
    """The terms of the stream's market; None if it is about none, or the exchange has not said them (again)."""

    def as_text(self) -> dict[str, Any]:
        """Return it as it travels: decimals of the market are texts."""
        said = {"status": self.status, "reason": self.reason}
        return said if self.market is None else {**said, "market": terms_as_text(self.market)}


class RequestError(msgspec.Struct, frozen=True):
    """The reason why a request was not carried out."""

    kind: str
    """A class of ccxt's errors, or RiskRefused, Expired, Halted, Malformed."""
    message: str


class Response(msgspec.Struct, frozen=True, rename="camel"):
    """The executor's answer to one request."""

    request_id: str
    status: ResponseStatus
    order: Order | None = None
    order_source: str | None = None
    error: RequestError | None = None
    orders: list[Order] | None = None
    """The orders that `cancelAllOrders` canceled, of one that failed too; None for other actions."""


_decoder = msgspec.json.Decoder(Message)
encode = _encoder.encode
"""Return the JSON bytes of any message or part of one; decimals and floats become JSON numbers, digit for digit."""


def decode(raw: bytes) -> Message:
    """Return a message, with its data still undecoded.

    Raises:
        InvalidMessage: the bytes are not a message, or more than `LARGEST_MESSAGE`.
    """
    if len(raw) > LARGEST_MESSAGE:
        raise InvalidMessage((Problem("$", f"is larger than {LARGEST_MESSAGE:,} bytes"),))
    try:
        return _decoder.decode(raw)
    except UNREADABLE as error:
        raise InvalidMessage((problem_of(error),)) from error


def decimal_of(value: float | str | Decimal | None) -> Decimal | None:
    """Return a number as the decimal whose digits it prints; None for None, NaN and infinities.

    A decimal that is not finite must never be sent: its JSON would be unreadable.

    Raises:
        decimal.InvalidOperation: the text is not a number.
    """
    if value is None:
        return None
    number = Decimal(str(value))
    return number if number.is_finite() else None
