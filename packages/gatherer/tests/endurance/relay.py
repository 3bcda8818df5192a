"""A relay of bytes between the gatherer and an exchange, whose connections can be cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Relay:
    """Passes every connection on. Whoever asks keeps the relay's address, which KuCoin's bullets repeat."""

    def __init__(self, target: str) -> None:
        self.url = ""
        self.connections = 0
        """How many were ever opened."""
        self._host, _, self._port = target.removeprefix("http://").partition(":")
        self._open: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Condition()

    @property
    def open_connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def opened(self, number: int) -> None:
        """Wait until so many connections were ever opened."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.connections >= number)

    async def closed_until(self, number: int) -> None:
        """Wait until only so many connections are open."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.open_connections <= number)

    def cut(self) -> None:
        """Break every connection without a good-bye."""
        for writer in self._open:
            writer.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until one of the two ends it."""
        self.connections += 1
        self._open.add(writer)
        await self._tell()
        try:
            theirs, to_them = await asyncio.open_connection(self._host, int(self._port))
            pumps = [asyncio.create_task(_pump(reader, to_them)), asyncio.create_task(_pump(theirs, writer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            to_them.transport.abort()
        finally:
            self._open.discard(writer)
            writer.transport.abort()
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    except ConnectionError:
        return


@asynccontextmanager
async def relay_to(target: str) -> AsyncIterator[Relay]:
    """Open a relay to a server."""
    relay = Relay(target)
    server = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield relay
        relay.cut()
