"""Market streams over HTTP: which paths open them, and how they end when the server does."""

from __future__ import annotations

from urllib.parse import unquote

from aiohttp import web

from millrace_simulator.binance.streams import events
from millrace_simulator.binance.streams.feed import MarketFeed
from millrace_simulator.binance.streams.hub import MarketHub
from millrace_simulator.binance.streams.names import streams_in_path
from millrace_simulator.binance.streams.requests import BadRequestError
from millrace_simulator.binance.streams.session import StreamSession
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.streaming.connection import ClientConnection, ConnectionRules, close_all
from millrace_simulator.streaming.frames import CloseCode, text_frame
from millrace_simulator.venue import Venue

_ILLEGAL_STREAM = '{"code":-1,"msg":"Illegal format ws or stream"}'


class StreamServer:
    """Accepts clients of market streams, and closes their connections when the server stops."""

    def __init__(self, venue: Venue, rules: ConnectionRules, depth_interval_ms: int) -> None:
        self._venue = venue
        self._rules = rules
        self._hub = MarketHub()
        self._feed = MarketFeed(venue, self._hub, depth_interval_ms)
        self._open: dict[ClientConnection, StreamSession] = {}
        venue.listen(self._feed)

    async def raw(self, request: web.Request) -> web.WebSocketResponse:
        """Serve `/ws…`: streams are named in the path, events come bare."""
        return await self._serve(request, streams_in_path(request.match_info.get("streams", "")), combined=False)

    async def combined(self, request: web.Request) -> web.WebSocketResponse:
        """Serve `/stream…`: streams are named in the query, events come as `{stream, data}`."""
        return await self._serve(request, streams_in_path(_named_in_query(request)), combined=True)

    async def shut_down(self, _: web.Application) -> None:
        """Notify every client, then close its connection in order."""
        self._venue.unlisten(self._feed)
        now_us = self._venue.clock.now_us()
        for session in self._open.values():
            session.send(text_frame(events.server_shutdown(now_us, session.time_unit)))
        await close_all(self._open)

    async def _serve(self, request: web.Request, streams: list[str], *, combined: bool) -> web.WebSocketResponse:
        if len(streams) > self._rules.max_streams:
            raise web.HTTPBadRequest(text=f"more than {self._rules.max_streams} streams")
        connection = ClientConnection(self._rules)
        response = await connection.open(request)
        session = StreamSession(
            self._hub,
            connection,
            combined=combined,
            time_unit=TimeUnit.asked_for(request.query.get("timeUnit")),
            max_streams=self._rules.max_streams,
        )
        self._open[connection] = session
        try:
            _begin(session, streams, connection)
            await connection.listen(session.handle, limit_messages=True)
        finally:
            session.close()
            del self._open[connection]
        return response


def _named_in_query(request: web.Request) -> str:
    """Return the query's `streams`; a plus sign in it is one, as in the time zones of klines."""
    for pair in request.raw_path.partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if name == "streams":
            return unquote(value)
    return ""


def _begin(session: StreamSession, streams: list[str], connection: ClientConnection) -> None:
    """Subscribe to the streams of the address; a connection that names one that does not exist is ended."""
    try:
        session.subscribe(streams)
    except BadRequestError:
        connection.end(CloseCode.POLICY_VIOLATION, _ILLEGAL_STREAM)


def add_stream_routes(
    app: web.Application, venue: Venue, *, depth_interval_ms: int = 100, rules: ConnectionRules | None = None
) -> None:
    """Serve Binance's market streams of a venue: `/ws`, `/ws/<stream>/…`, `/stream`, `/stream?streams=…`.

    When the application shuts down, clients are sent `serverShutdown` and closed.
    """
    server = StreamServer(venue, rules or ConnectionRules(), depth_interval_ms)
    app.router.add_get("/ws", server.raw)
    app.router.add_get("/ws/{streams:.*}", server.raw)
    app.router.add_get("/stream", server.combined)
    # What follows the slash is no stream, but clients send it: some number their connections there.
    app.router.add_get("/stream/{ignored:.*}", server.combined)
    app.on_shutdown.append(server.shut_down)
