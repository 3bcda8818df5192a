"""Where each message goes in the database, by the stream on which it travelled. Decodes it as far as that needs."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from millrace_bus import JournalEntry
from millrace_core.clock import now_ms
from millrace_core.errors import InvalidMessage, InvalidName, Problem
from millrace_core.ids import MessageId
from millrace_core.market import Balance, BookDelta, BookSnapshot, CandlesDelta, TradesDelta
from millrace_core.messages import Message, Response, Status, decode, problem_of
from millrace_core.names import StreamName, is_snapshot
from millrace_core.orders import OrdersDelta
from millrace_core.trace import Trace
from millrace_store import Batch, Place

_NS_PER_MS = 1_000_000
_DAY_MS = 86_400_000
_ModelT = TypeVar("_ModelT")


class _AsOf(msgspec.Struct, rename="camel"):
    """What every snapshot says."""

    as_of: str


class _AskedAt(msgspec.Struct, rename="camel"):
    """What is wanted of a request to trade before it is understood."""

    requested_at: int | None = None


class Stored(NamedTuple):
    """What was learnt of a message on its way to its place."""

    trace: Trace | None
    """None for what has none of its own: snapshots, requests, and what cannot be understood."""
    dead: str | None = None
    """Why it cannot be understood; None when it can."""
    failed: bool = False
    """Whether it is the answer to a request that was not done."""


Shelve = Callable[[Batch, JournalEntry], Stored]
"""Adds one entry of one journal to a batch."""


def shelf_of(name: str) -> Shelve:
    """Give what adds the entries of a journal to a batch; a message that cannot be understood goes to dead letters."""
    put = _shelf(name)

    def shelve(batch: Batch, entry: JournalEntry) -> Stored:
        try:
            return put(batch, entry)
        except (InvalidMessage, InvalidName) as error:
            return dead_letter(batch, name, entry, str(error))

    return shelve


def dead_letter(batch: Batch, name: str, entry: JournalEntry, reason: str) -> Stored:
    """Add an entry to those that cannot be stored as what they are."""
    batch.dead_letter(Place(name, entry.id, now_ms()), reason, entry.body or b"")
    return Stored(None, dead=reason)


def _shelf(name: str) -> Shelve:
    if not name.startswith("stream."):
        return lambda batch, entry: _request(batch, name, entry)
    if is_snapshot(name):
        action = StreamName.parse(name).action
        return lambda batch, entry: _snapshot(batch, name, action, entry)
    action = StreamName.parse(name).action
    delta = _DELTAS.get(action, _event)
    kinds: dict[str, _Put] = {"status": _status, "delta": delta} if action.startswith("watch") else _ANSWERS
    return lambda batch, entry: _message(batch, name, kinds, entry)


def _message(batch: Batch, name: str, kinds: "Mapping[str, _Put]", entry: JournalEntry) -> Stored:
    message = _envelope(entry)
    put = kinds.get(message.type)
    if put is None:
        raise _invalid(f"a {message.type} does not belong on this stream")
    failed = put(batch, _place(name, entry.id, message), message)
    return Stored(message.trace, failed=failed is True)


def _text_of(entry: JournalEntry) -> bytes:
    """Give an entry's JSON, surely UTF-8: decoders look only at what they need, and the database at all of it."""
    if entry.body is None:
        raise _invalid("the entry has no field `data`")
    try:
        str(entry.body, "utf-8")
    except UnicodeDecodeError as error:
        raise _invalid(str(error)) from error
    return entry.body


def _envelope(entry: JournalEntry) -> Message:
    message = decode(_text_of(entry))
    if message.id != f"{entry.id.epoch}-{entry.id.seq}":
        raise _invalid(f"the entry is {entry.id}, and the message in it says {message.id}")
    return message


def _place(name: str, message_id: MessageId, message: Message) -> Place:
    published = message.trace.published
    at_ms = message_id.epoch if published is None else published // _NS_PER_MS
    return Place(name, message_id, _credible(at_ms), message.timestamp)


def _credible(at_ms: int) -> int:
    """Give a time as it is, or the present where it is none: rows are kept by their time, so an absurd one hurts."""
    return at_ms if 0 <= at_ms <= (now := now_ms()) + _DAY_MS else now


def _book(batch: Batch, place: Place, message: Message) -> None:
    # Decoded whole, although only its number is wanted apart: a level that is none must be found here, and not when
    # somebody asks for the book.
    batch.book_delta(place, bytes(message.data), _read(_BOOK_DELTA, message.data).nonce)


def _trades(batch: Batch, place: Place, message: Message) -> None:
    batch.trades(place, _read(_TRADES, message.data).trades)


def _own_trades(batch: Batch, place: Place, message: Message) -> None:
    batch.own_trades(place, _read(_TRADES, message.data).trades)


def _candles(batch: Batch, place: Place, message: Message) -> None:
    delta = _read(_CANDLES, message.data)
    batch.candles(place, delta.timeframe, delta.candles)


def _ticker(batch: Batch, place: Place, message: Message) -> None:
    _read(_OBJECT, message.data)
    batch.ticker(place, bytes(message.data))


def _orders(batch: Batch, place: Place, message: Message) -> None:
    batch.orders(place, _read(_ORDERS, message.data).orders)


def _balances(batch: Batch, place: Place, message: Message) -> None:
    batch.balances(place, _read(_BALANCES, message.data))


def _event(batch: Batch, place: Place, message: Message) -> None:
    batch.event(place, bytes(message.data))


def _status(batch: Batch, place: Place, message: Message) -> None:
    batch.status(place, _read(_STATUS, message.data))


def _response(batch: Batch, place: Place, message: Message) -> bool:
    response = _read(_RESPONSE, message.data)
    batch.response(place, response, message.trace)
    return response.status != "done"


def _snapshot(batch: Batch, name: str, action: str, entry: JournalEntry) -> Stored:
    message = _envelope(entry)
    if message.type != "snapshot":
        raise _invalid(f"a {message.type} does not belong on this stream")
    place, data = _place(name, entry.id, message), message.data
    if action == "watchOrderBook":
        book = _read(_BOOK_SNAPSHOT, data)
        as_of = MessageId.parse(book.as_of)
        batch.snapshot(place, as_of, bytes(data), nonce=book.nonce, checksum=book.checksum)
    else:
        batch.snapshot(place, MessageId.parse(_read(_SNAPSHOT, data).as_of), bytes(data))
    return Stored(None)


def _request(batch: Batch, name: str, entry: JournalEntry) -> Stored:
    text = _text_of(entry)
    request = _read(_OBJECT, text)
    batch.request(Place(name, entry.id, _asked_at(entry.id, text)), request)
    return Stored(None)


def _asked_at(entry_id: MessageId, text: bytes) -> int:
    """Give a request's own time, or where it says none when Redis had it: its entry's id tells."""
    try:
        return _credible(_ASKED_AT.decode(text).requested_at or entry_id.epoch)
    except msgspec.MsgspecError:
        return _credible(entry_id.epoch)


def _invalid(text: str) -> InvalidMessage:
    return InvalidMessage((Problem("$", text),))


def _read(decoder: "msgspec.json.Decoder[_ModelT]", data: msgspec.Raw | bytes) -> _ModelT:
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise InvalidMessage((problem_of(error),)) from error


_Put = Callable[[Batch, Place, Message], bool | None]

_BOOK_DELTA = msgspec.json.Decoder(BookDelta)
_BOOK_SNAPSHOT = msgspec.json.Decoder(BookSnapshot)
_TRADES = msgspec.json.Decoder(TradesDelta)
_CANDLES = msgspec.json.Decoder(CandlesDelta)
_ORDERS = msgspec.json.Decoder(OrdersDelta)
_BALANCES = msgspec.json.Decoder(dict[str, Balance])
_STATUS = msgspec.json.Decoder(Status)
_RESPONSE = msgspec.json.Decoder(Response)
_SNAPSHOT = msgspec.json.Decoder(_AsOf)
_ASKED_AT = msgspec.json.Decoder(_AskedAt)
_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])

_DELTAS: dict[str, _Put] = {
    "watchOrderBook": _book,
    "watchTrades": _trades,
    "watchMyTrades": _own_trades,
    "watchOHLCV": _candles,
    "watchTicker": _ticker,
    "watchOrders": _orders,
    "watchBalance": _balances,
}
_ANSWERS: dict[str, _Put] = {"status": _status, "response": _response}
