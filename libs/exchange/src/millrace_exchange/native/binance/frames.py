"""What Binance's frames say: events of its streams, and responses in its two forms. Pure."""

from collections.abc import Mapping
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
from millrace_exchange.native.dialect import Event, Farewell, Notice, Other, Response, Unreadable

_EVENTS: Final[Mapping[str, type]] = {
    "depthUpdate": DepthUpdate,
    "trade": TradeEvent,
    "kline": KlineEvent,
    "24hrTicker": TickerEvent,
}
_SHUTDOWN: Final = "serverShutdown"
_BEST_PRICES: Final = b'{"u":'
"""How the only event begins that does not name its kind."""
_decode: Final = msgspec.json.Decoder(DepthUpdate | TradeEvent | KlineEvent | TickerEvent, strict=False).decode
_decode_best_prices: Final = msgspec.json.Decoder(BestPrices, strict=False).decode
_decode_reply: Final = msgspec.json.Decoder(Reply).decode


def decode(frame: bytes) -> Event | Notice:
    """Return what a frame of the market streams says.

    Raises:
        msgspec.MsgspecError: it is not of the form that the exchange documents, and names no stream.
    """
    if frame.startswith(_BEST_PRICES):
        return _best_prices(frame)
    event: Event
    try:
        event = _decode(frame)
    except UNREADABLE as error:
        reply = _decode_reply(frame)
        if reply.e in _EVENTS:
            return Unreadable(_route_of(reply), str(error))
        is_best_prices = reply.u is not None and reply.e is None
        return _best_prices(frame) if is_best_prices else notice_of(reply)
    return event


def _best_prices(frame: bytes) -> Event | Notice:
    try:
        event: Event = _decode_best_prices(frame)
    except UNREADABLE as error:
        return Unreadable((BestPrices, str(_decode_reply(frame).s)), str(error))
    return event


def _route_of(reply: Reply) -> tuple[object, ...]:
    """Return the route of an event that is not of its form; one that nothing has if it does not say."""
    kind, interval = _EVENTS[reply.e or ""], reply.k.get("i") if isinstance(reply.k, dict) else None
    return (kind, str(reply.s), str(interval)) if kind is KlineEvent else (kind, str(reply.s))


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
