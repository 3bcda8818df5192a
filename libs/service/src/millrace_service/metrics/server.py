"""Serves an agent's metrics over HTTP, to Prometheus and to `curl`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST

from millrace_service.agent_health import AgentHealth
from millrace_service.metrics.exposition import exposition

_REQUEST_LIMIT_S: Final = 5.0
_LONGEST_REQUEST: Final = 8_192


async def serve(
    host: str, port: int, health: Callable[[], Awaitable[AgentHealth]], own_metrics: Callable[[], bytes]
) -> None:
    """Serve `GET /metrics` until cancelled: the agent's health, then its own metrics.

    Nothing is measured until it is asked for.

    Raises:
        OSError: the address cannot be listened on, as while the process that this one replaces still does.
    """

    async def metrics() -> bytes:
        return await exposition(await health()) + own_metrics()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_LIMIT_S):
                writer.write(await _response(reader, metrics))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(answer, host, port, limit=_LONGEST_REQUEST)
    async with server:
        await server.serve_forever()


async def _response(reader: asyncio.StreamReader, metrics: Callable[[], Awaitable[bytes]]) -> bytes:
    method, target, *_ = *(await reader.readuntil(b"\r\n\r\n")).split(maxsplit=2), b"", b""
    if target.partition(b"?")[0] != b"/metrics":
        return _http("404 Not Found", "text/plain", b"the metrics are at /metrics\n")
    if method != b"GET":
        return _http("405 Method Not Allowed", "text/plain", b"GET is allowed\n")
    return _http("200 OK", CONTENT_TYPE_LATEST, await metrics())


def _http(status: str, content_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
