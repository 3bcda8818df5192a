"""What Binance's frames say: events of its streams, and responses in its two forms. Pure."""

from typing import Final

import msgspec

from millrace_core.json_problems import UNREADABLE
from millrace_exchange.native.binance.messages import (
    BestPrices,
    DepthUpdate,
    KlineEvent,
    Reply,
    TickerEvent,
    TradeEvent,
)
from millrace_exchange.native.dialect import Event, Farewell, Notice, Other, Response

_EVENTS: Final = frozenset({"depthUpdate", "trade", "kline", "24hrTicker"})
_SHUTDOWN: Final = "serverShutdown"
_BEST_PRICES: Final = b'{"u":'
"""How the only event begins that does not name its kind."""
_decode: Final = msgspec.json.Decoder(DepthUpdate | TradeEvent | KlineEvent | TickerEvent, strict=False).decode
_decode_best_prices: Final = msgspec.json.Decoder(BestPrices, strict=False).decode
_decode_reply: Final = msgspec.json.Decoder(Reply).decode


def decode(frame: bytes) -> Event | Notice:
    """Return what a frame of the market streams says.

    Raises:
        msgspec.MsgspecError: it is not of the form that the exchange documents.
    """
    event: Event
    if frame.startswith(_BEST_PRICES):
        event = _decode_best_prices(frame)
        return event
    try:
        event = _decode(frame)
    except UNREADABLE:
        reply = _decode_reply(frame)
        if reply.e in _EVENTS:
            raise
        if reply.u is not None and reply.e is None:
            event = _decode_best_prices(frame)
            return event
        return notice_of(reply)
    return event


def notice_of(reply: Reply) -> Notice:
    """Return what a frame says that is no event of a stream."""
    if _SHUTDOWN in (reply.e, (reply.event or {}).get("e")):
        return Farewell()
    if reply.id is None:
        return Other()
    error = reply.error or ({"code": reply.code, "msg": reply.msg} if reply.code is not None else None)
    if error is None:
        return Response(reply.id, None)
    return Response(reply.id, f"{error.get('msg')} ({error.get('code')})", str(error.get("code")))
