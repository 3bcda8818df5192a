"""A Redis server of our own: found, started on a free port, ended with us, its data kept."""

from pathlib import Path
from typing import Self


class EmbeddedServer:
    """A running server; made by `start`. It dies with this process, even when that is killed -9."""

    url: str
    port: int
    pid: int
    data_dir: Path

    @classmethod
    async def start(cls, data_dir: Path, *, port: int | None = None, password: str | None = None) -> Self:
        """Start a server on a port (a free one where None) with its data in `data_dir`; wait until it answers.

        Raises:
            ServerFailed: no server binary, the port is taken, the directory cannot be written or is in use.
        """
        raise NotImplementedError

    async def stop(self) -> None:
        """End the server; its data is on disk then. Stopping twice is harmless."""
        raise NotImplementedError

    async def kill(self) -> None:
        """Kill the server with -9, as a fault would; return when it is gone."""
        raise NotImplementedError

    async def restart(self) -> None:
        """Start again on the same port and data, stopping first if it runs; wait until it answers."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
