"""A TCP proxy between the executor and the exchange that a test can cut at the worst moment."""

import asyncio
import contextlib


class Proxy:
    """A TCP proxy that may keep what the client sends to itself: the exchange then never gets it."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._passes = True
        self.kept = asyncio.Event()
        """Set once something was kept."""

    async def listen(self) -> str:
        """Listen; return the address to use instead of the exchange's."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def keep(self) -> None:
        """From now on pass nothing on to the exchange."""
        self.kept.clear()
        self._passes = False

    def cut(self) -> None:
        """End every connection, what was kept with it; new ones pass everything on again."""
        self._passes = True
        for writer in self._open:
            writer.transport.abort()

    async def close(self) -> None:
        """Stop."""
        self.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._to_port)
        ends = {to_client, to_server}
        self._open |= ends
        ways = {
            asyncio.create_task(self._there(client, to_server)),
            asyncio.create_task(_back(server, to_client)),
        }
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)
        self._open -= ends
        for writer in ends:
            writer.transport.abort()

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self._passes:
                    writer.write(data)
                else:
                    self.kept.set()


async def _back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
