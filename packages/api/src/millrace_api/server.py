"""The HTTP server within this process's event loop: uvicorn, without its hold on signals and logging."""

import asyncio
import contextlib
import socket
from typing import Self

import uvicorn

from millrace_api.app import make_app
from millrace_api.live.socket import serving
from millrace_api.services import Services
from millrace_core.errors import MillraceError

END_S = 2
"""How long answers under way may take once the server ends."""
_BACKLOG = 1_024


class PortTaken(MillraceError):
    """The port on which to serve is somebody else's."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"{host}:{port} cannot be served: {reason}; choose another with --port or MILLRACE_PORT")
        self.port = port


class _Quiet(uvicorn.Server):
    """Leaves signals to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]  # uvicorn's own is typed by a private name
        """Capture none."""
        yield


class Server:
    """The API, served; made by `start`."""

    def __init__(self, services: Services, listening: socket.socket) -> None:
        self._services = services
        self._socket = listening
        config = uvicorn.Config(
            make_app(services),
            ws=serving(services),
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=END_S,
            timeout_keep_alive=60,
        )
        self._server = _Quiet(config)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """Return the port."""
        return int(self._socket.getsockname()[1])

    @classmethod
    async def start(cls, services: Services, listening: socket.socket) -> Self:
        """Serve from now on, on a socket that `listen` gave."""
        server = cls(services, listening)
        server._tasks = [
            asyncio.create_task(server._server.serve([server._socket]), name="http"),
            asyncio.create_task(services.hub.watch_over(services.gate.still_good), name="live sweep"),
        ]
        return server

    async def ended(self) -> None:
        """Wait until the server ends by itself.

        Raises:
            Exception: that by which it failed.
        """
        await asyncio.shield(self._tasks[0])

    async def stop(self) -> None:
        """End in order: live clients are told, answers under way are given."""
        self._tasks[1].cancel()
        self._server.should_exit = True
        await self._services.close()
        await asyncio.wait(self._tasks)
        self._socket.close()


def listen(host: str, port: int) -> socket.socket:
    """Listen; on any free port where it is 0. Who connects before the server starts waits for it.

    Raises:
        PortTaken: somebody else does, or the address is not this machine's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise PortTaken(host, port, str(error)) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise PortTaken(host, port, error.strerror or str(error)) from error
    return listening
