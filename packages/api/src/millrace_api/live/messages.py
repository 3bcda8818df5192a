"""Commands from WebSocket clients, and the messages that they receive. See docs/api.md, "Live streams"."""

from typing import Annotated, Any, Literal

import msgspec

from millrace_core.contract_states import ExchangePositionsState, LiquidationsState
from millrace_core.exact_json import without_exponents
from millrace_core.ids import MessageId
from millrace_core.market import (
    BookSnapshot,
    CandlesSnapshot,
    ExchangePositionsSnapshot,
    LiquidationsSnapshot,
    TradesSnapshot,
)
from millrace_core.messages import Outgoing, encode
from millrace_core.names import StreamName
from millrace_core.orders import OrdersSnapshot
from millrace_core.states import (
    BalanceState,
    BookState,
    CandlesState,
    FieldsState,
    OrdersState,
    StreamState,
    TradesState,
)
from millrace_core.trace import NO_TRACE


class _Command(msgspec.Struct, frozen=True, tag_field="op", forbid_unknown_fields=True):
    """Fields of every command."""

    stream: Annotated[str, msgspec.Meta(max_length=256)]


class Subscribe(_Command, frozen=True, tag="subscribe"):
    """Start sending a stream."""

    since: str | None = None
    """The id of the last message that the client has; the next one is the first to be sent."""


class Unsubscribe(_Command, frozen=True, tag="unsubscribe"):
    """Stop sending a stream."""


Command = Subscribe | Unsubscribe
NoteType = Literal["waiting", "live", "resumed", "untrusted", "skipped", "unsubscribed", "error"]


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message about a stream rather than one of its own."""

    type: NoteType
    stream: str | None = None
    id: str | None = None
    messages: int | None = None
    """How many messages a slow client did not receive."""
    detail: str | None = None


_COMMAND: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


def read_command(text: bytes) -> Command:
    """Return a client's command.

    Raises:
        msgspec.MsgspecError: it is not a command.
    """
    return _COMMAND.decode(text)


def note(
    kind: NoteType,
    name: StreamName | str | None = None,
    at: MessageId | None = None,
    *,
    messages: int | None = None,
    detail: str | None = None,
) -> bytes:
    """Encode a note."""
    stream = None if name is None else str(name)
    return encode(Note(kind, stream, None if at is None else str(at), messages, detail))


def framed(name: StreamName, message: bytes) -> bytes:
    """Return a message with its stream's name added in front, and its numbers without exponents."""
    return b'{"stream":%b,%b' % (msgspec.json.encode(str(name)), without_exponents(message)[1:])


def snapshot(name: StreamName, at: MessageId, state: StreamState) -> bytes:
    """Encode the whole state of a stream, in the form of its snapshots on the bus."""
    return framed(name, encode(Outgoing(str(at), "snapshot", None, NO_TRACE, snapshot_data(state, str(at)))))


def snapshot_data(state: StreamState, as_of: str) -> Any:
    """Return the data of a snapshot that holds a state."""
    match state:
        case BookState(book=book):
            return BookSnapshot(book.bids.levels(), book.asks.levels(), as_of, book.checksum(), book.nonce)
        case TradesState(trades=trades):
            return TradesSnapshot(list(trades), as_of)
        case OrdersState(open=orders):
            return OrdersSnapshot(list(orders.values()), as_of)
        case CandlesState(timeframes=timeframes):
            return CandlesSnapshot({name: list(candles.values()) for name, candles in timeframes.items()}, as_of)
        case ExchangePositionsState(open=positions):
            return ExchangePositionsSnapshot(list(positions.values()), as_of)
        case LiquidationsState(liquidations=liquidations):
            return LiquidationsSnapshot(list(liquidations), as_of)
        case BalanceState(balances=balances):
            return {**balances, "asOf": as_of}
        case FieldsState(fields=fields):
            return {**fields, "asOf": as_of}
    return {"asOf": as_of}
