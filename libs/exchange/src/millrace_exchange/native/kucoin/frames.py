"""What KuCoin's frames say: messages of its streams, and responses. Pure."""

from collections.abc import Hashable
from typing import Final

import msgspec

from millrace_core.decimals import number_or_text
from millrace_core.json_problems import UNREADABLE
from millrace_exchange.native.dialect import Ended, Event, Notice, Other, Pong, Response, Unreadable, Welcome
from millrace_exchange.native.kucoin.messages import (
    BalanceChange,
    BestPrices,
    BookUpdate,
    CandleUpdate,
    Match,
    OrderChange,
    Reply,
    Statistics,
)

_SUBJECTS: Final = frozenset(
    {
        *("trade.l2update", "trade.l3match", "trade.candles.update", "level1", "trade.snapshot"),
        *("orderChange", "account.balance"),
    }
)
_decode: Final = msgspec.json.Decoder(
    BookUpdate | Match | CandleUpdate | BestPrices | Statistics | OrderChange | BalanceChange,
    strict=False,
    float_hook=number_or_text,
).decode
_decode_reply: Final = msgspec.json.Decoder(Reply, strict=False).decode


def decode(frame: bytes) -> Event | Notice:
    """Return what a frame says.

    Raises:
        msgspec.MsgspecError: it is not of the form that the exchange documents, and names no stream.
    """
    try:
        event: Event = _decode(frame)
    except UNREADABLE as error:
        reply = _decode_reply(frame)
        if reply.subject in _SUBJECTS:
            return Unreadable(_route_of(reply), str(error))
        return _notice_of(reply)
    return event


def _route_of(reply: Reply) -> Hashable:
    """Return the route of an event that is not of its form; one that nothing has if it does not say."""
    if reply.subject != "orderChange":
        return reply.topic
    return reply.topic, str(reply.data.get("symbol")) if isinstance(reply.data, dict) else None


def _notice_of(reply: Reply) -> Notice:
    if reply.type == "welcome":
        return Welcome()
    if reply.type == "pong":
        return Pong()
    number = int(reply.id) if reply.id is not None and reply.id.isdecimal() else None
    if reply.type == "ack" and number is not None:
        return Response(number, None)
    if reply.type != "error":
        return Other()
    text = f"{reply.data} ({reply.code})"
    # An error without the number of a request concerns the connection, as that a token has expired.
    return Ended(text) if number is None else Response(number, text, str(reply.code))
