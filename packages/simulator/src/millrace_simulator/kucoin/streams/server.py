"""Streams over HTTP: who may open them, and how they end when the server does."""

from __future__ import annotations

from aiohttp import web

from millrace_simulator.faults import FAULTS, EventLine
from millrace_simulator.kucoin.exchange import Exchange
from millrace_simulator.kucoin.streams import requests
from millrace_simulator.kucoin.streams.account_feed import AccountFeed
from millrace_simulator.kucoin.streams.market_feed import MarketFeed
from millrace_simulator.kucoin.streams.session import StreamSession
from millrace_simulator.kucoin.tokens import PATH, PING_INTERVAL_MS, PING_TIMEOUT_MS
from millrace_simulator.streaming import ClientConnection, CloseCode, ConnectionRules, Hub, close_all, text_frame

RULES = ConnectionRules(
    ping_interval_s=None,
    idle_timeout_s=(PING_INTERVAL_MS + PING_TIMEOUT_MS) / 1000,
    inbound_per_s=10.0,
    inbound_burst=100.0,
)
"""KuCoin's clients ping, and send 100 messages in 10 s at most."""


class StreamServer:
    """Accepts clients of streams, and closes their connections when the server stops."""

    def __init__(self, exchange: Exchange, interval_ms: int, rules: ConnectionRules) -> None:
        self._exchange = exchange
        self._rules = rules
        self._hub: Hub[None] = Hub()
        venue = exchange.venue
        self._feeds = (MarketFeed(venue, self._hub, interval_ms), AccountFeed(venue, self._hub))
        for feed in self._feeds:
            venue.listen(feed)
        self._open: set[ClientConnection] = set()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        connection = ClientConnection(self._rules)
        response = await connection.open(request)
        try:
            account = self._exchange.tokens.account_of(request.query.get("token", ""))
        except LookupError:
            refusal = requests.BadRequestError(401, "token is expired", request.query.get("connectId", ""))
            connection.send(text_frame(requests.refusal(refusal)))
            await connection.close(CloseCode.POLICY_VIOLATION, "token is expired")
            return response
        events = EventLine(connection, request.app[FAULTS])
        session = StreamSession(self._exchange, self._hub, connection, account, events)
        self._open.add(connection)
        try:
            connect_id = request.query.get("connectId", "")
            connection.send(text_frame(requests.welcome(connect_id, PING_INTERVAL_MS, PING_TIMEOUT_MS)))
            await connection.listen(session.handle, limit_messages=True)
        finally:
            session.close()
            self._open.discard(connection)
        return response

    async def shut_down(self, _: web.Application) -> None:
        """Close every connection in order."""
        for feed in self._feeds:
            self._exchange.venue.unlisten(feed)
        await close_all(tuple(self._open))


def add_stream_routes(
    app: web.Application, exchange: Exchange, *, interval_ms: int, rules: ConnectionRules = RULES
) -> None:
    """Serve KuCoin's streams; `interval_ms` is that of tickers and depth."""
    server = StreamServer(exchange, interval_ms, rules)
    app.router.add_get(PATH, server.serve)
    app.on_shutdown.append(server.shut_down)
