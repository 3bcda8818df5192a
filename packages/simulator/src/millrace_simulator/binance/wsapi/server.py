"""The WebSocket API over HTTP: the path that opens it, and how it ends when the server does."""

from __future__ import annotations

from aiohttp import web

from millrace_simulator.binance.errors import TooManyRequestsError
from millrace_simulator.binance.exchange import Exchange
from millrace_simulator.binance.streams import ConnectionRules
from millrace_simulator.binance.streams.events import server_shutdown
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.binance.wsapi.faulty_line import FaultyLine
from millrace_simulator.binance.wsapi.session import ApiSession
from millrace_simulator.binance.wsapi.user_streams import UserStreams
from millrace_simulator.faults import FAULTS
from millrace_simulator.streaming.connection import ClientConnection, close_all

_CONNECTION_WEIGHT = 2


class ApiServer:
    """Accepts clients of the WebSocket API, and closes their connections when the server stops."""

    def __init__(self, exchange: Exchange, rules: ConnectionRules) -> None:
        self._exchange = exchange
        self._rules = rules
        self._streams = UserStreams()
        self._open: dict[ClientConnection, ApiSession] = {}
        exchange.venue.listen(self._streams)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        address = request.remote or ""
        try:
            self._exchange.limits.charge_request(address, _CONNECTION_WEIGHT)
        except TooManyRequestsError as error:
            raise web.HTTPTooManyRequests(text=error.message) from error
        connection = ClientConnection(self._rules)
        response = await connection.open(request)
        session = ApiSession(
            self._exchange,
            self._streams,
            connection,
            FaultyLine(connection, request.app[FAULTS], self._exchange.venue.clock),
            address=address,
            time_unit=TimeUnit.asked_for(request.query.get("timeUnit")),
            tells_rate_limits=request.query.get("returnRateLimits", "true").lower() != "false",
        )
        self._open[connection] = session
        try:
            # Requests are limited by their weight; only pings and pongs count as messages here.
            await connection.listen(session.handle, limit_messages=False)
        finally:
            session.close()
            del self._open[connection]
        return response

    async def shut_down(self, _: web.Application) -> None:
        """Notify every client, then close its connection in order."""
        self._exchange.venue.unlisten(self._streams)
        now_us = self._exchange.venue.clock.now_us()
        for session in self._open.values():
            session.announce(server_shutdown(now_us, session.time_unit))
        await close_all(self._open)


def add_wsapi_routes(app: web.Application, exchange: Exchange, *, rules: ConnectionRules | None = None) -> None:
    """Serve Binance's WebSocket API, `/ws-api/v3`, and the user data events that it carries.

    When the application shuts down, clients are sent `serverShutdown` and closed.
    """
    server = ApiServer(exchange, rules or ConnectionRules())
    app.router.add_get("/ws-api/v3", server.serve)
    app.router.add_get("/ws-api/v3/", server.serve)
    app.on_shutdown.append(server.shut_down)
