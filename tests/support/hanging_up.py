"""An HTTP server that answers questions, and hangs up on everything that changes something."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class HangingUp:
    """The server while it runs."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    """The method of each request that it read."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a connection's GETs with an empty object; end it at the first other request."""
        while request := (await reader.readline()).decode():
            self.asked.append(request.split()[0])
            while await reader.readline() not in (b"\r\n", b""):
                pass
            if self.asked[-1] != "GET":
                break
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()


@asynccontextmanager
async def hanging_up() -> AsyncIterator[HangingUp]:
    """Run one."""
    running = HangingUp()
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        server.close()
