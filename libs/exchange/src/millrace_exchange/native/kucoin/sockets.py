"""How KuCoin's streams are opened and asked for, of the markets as of an account.

A token opens a socket. Its answer says where, and how often the socket wants to be pinged by a message of its own;
nothing may be asked for before the socket says welcome.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from millrace_core.actions import StreamAction
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.errors import Retryable
from millrace_exchange.native.dialect import ConnectionRules, Endpoint, Event, Notice
from millrace_exchange.native.kucoin import frames

# "Introduction": 100 messages in 10 s a connection, 100 topics a request to subscribe, a token of 24 hours. The most
# topics a connection were 300 and became 400.
RULES: Final = ConnectionRules(
    streams=300,
    streams_a_request=100,
    request_interval_s=0.1,
    connect_interval_s=1.0,
    lifetime_s=23.5 * 3600,
    is_welcomed=True,
)
LEVEL2, LEVEL1, MATCH = "/market/level2", "/spotMarket/level1", "/market/match"
_OF_SEVERAL: Final = frozenset({LEVEL2, LEVEL1, MATCH})
"""Topics that may name several markets in one request."""


class KucoinSockets:
    """The part of the port `Dialect` that all of KuCoin's streams share."""

    is_private = False

    def __init__(self, caller: CcxtCaller, rules: ConnectionRules = RULES) -> None:
        self.rules = rules
        self._caller = caller

    async def _endpoint(self, action: StreamAction, ask: Callable[[], Awaitable[Any]]) -> Endpoint:
        """Return where to connect; the question counts as what the streams are for."""
        answer = await self._caller.call(action.name, ask)
        try:
            token, server = answer["data"]["token"], answer["data"]["instanceServers"][0]
            query = urlencode({"token": token, "connectId": "private" if self.is_private else "public"})
            url, ping_s, pong_s = f"{server['endpoint']}?{query}", server["pingInterval"], server["pingTimeout"]
        except (LookupError, TypeError) as error:
            exchange, text = self._caller.profile.exchange, f"the exchange's token has no {error}"
            raise Retryable(text, exchange=exchange, action=action.name, kind="BadResponse") from error
        return Endpoint(url, ping_s / 1000, pong_s / 1000)

    def decode(self, frame: bytes) -> Event | Notice:
        """Return what a frame says.

        Raises:
            msgspec.MsgspecError: it is not of the form that the exchange documents, and names no stream.
        """
        return frames.decode(frame)

    def request_group(self, stream: str) -> Hashable:
        """Return the topic where it may name several markets, else the whole stream."""
        topic, _, _ = stream.partition(":")
        return topic if topic in _OF_SEVERAL else stream

    def subscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the request to begin streams; the response carries its number."""
        return self._request("subscribe", streams, number, response=True)

    def unsubscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the request to end streams."""
        return self._request("unsubscribe", streams, number, response=False)

    def ping(self) -> bytes:
        """Return the exchange's own kind of ping."""
        return b'{"id":"ping","type":"ping"}'

    def _request(self, kind: str, streams: Sequence[str], number: int, *, response: bool) -> bytes:
        topic, _, market = streams[0].partition(":")
        markets = [stream.partition(":")[2] for stream in streams]
        return msgspec.json.encode(
            {
                "id": str(number),
                "type": kind,
                "topic": f"{topic}:{','.join(markets)}" if market else topic,
                "privateChannel": self.is_private,
                "response": response,
            }
        )
