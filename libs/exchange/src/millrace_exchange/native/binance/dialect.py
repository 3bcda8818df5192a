"""How Binance's market streams are asked for and read."""

from collections.abc import Sequence
from typing import Final

import msgspec

from millrace_exchange.native.binance.messages import DepthUpdate, KlineEvent, Reply, TickerEvent, TradeEvent
from millrace_exchange.native.dialect import Answer, ConnectionRules, Event, Farewell, Notice, Other

# "WebSocket Limits": 5 messages a second, pings and pongs among them; 1,024 streams a connection; 300 connections in 5
# minutes. "A single connection is only valid for 24 hours."
RULES: Final = ConnectionRules(
    streams=1_024,
    streams_a_request=200,
    request_interval_s=0.25,
    connect_interval_s=1.0,
    lifetime_s=23.5 * 3600,
)
_EVENTS: Final = frozenset({"depthUpdate", "trade", "kline", "24hrTicker"})
_SHUTDOWN: Final = "serverShutdown"
_decode: Final = msgspec.json.Decoder(DepthUpdate | TradeEvent | KlineEvent | TickerEvent, strict=False).decode
_decode_reply: Final = msgspec.json.Decoder(Reply).decode


class BinanceDialect:
    """The port `Dialect`."""

    def __init__(self, rules: ConnectionRules = RULES) -> None:
        self.rules = rules

    def subscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the request to begin streams; the answer carries its number."""
        return msgspec.json.encode({"method": "SUBSCRIBE", "params": streams, "id": number})

    def unsubscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the request to end streams."""
        return msgspec.json.encode({"method": "UNSUBSCRIBE", "params": streams, "id": number})

    def decode(self, frame: bytes) -> Event | Notice:
        """Return what a frame says.

        Raises:
            msgspec.MsgspecError: it is not of the form that the exchange documents.
        """
        try:
            event: Event = _decode(frame)
        except msgspec.ValidationError:
            reply = _decode_reply(frame)
            if reply.e in _EVENTS:
                raise
            return _interpreted(reply)
        return event


def _interpreted(reply: Reply) -> Notice:
    if _SHUTDOWN in (reply.e, (reply.event or {}).get("e")):
        return Farewell()
    if reply.id is None:
        return Other()
    error = reply.error or ({"code": reply.code, "msg": reply.msg} if reply.code is not None else None)
    return Answer(reply.id, None if error is None else f"{error.get('msg')} ({error.get('code')})")
