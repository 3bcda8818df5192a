"""The HTTP server within this process's event loop: uvicorn, with signals and logging left to the process."""

import asyncio
import contextlib
import socket
from typing import Final, Self

import structlog
import uvicorn

from millrace_api.app import make_app
from millrace_api.live.socket import serving
from millrace_api.services import Services
from millrace_core.clock import DAY_MS, now_ms
from millrace_core.errors import MillraceError
from millrace_service.tasks import first_of
from millrace_serving.connections import Connection, sweep
from millrace_store import DatabaseUnavailable

SHUTDOWN_S = 2
"""How long responses under way may take once the server shuts down."""
KEYS_KEPT_MS: Final = 7 * DAY_MS
"""How long a repeated Idempotency-Key returns the response of the first request."""
_FORGET_EVERY_S: Final = 3_600.0
_BACKLOG = 1_024

log = structlog.get_logger()


class PortTaken(MillraceError):
    """The port is in use by another process, or the address is not this machine's."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot serve on {host}:{port}: {reason}; choose another port with --port or MILLRACE_PORT")
        self.port = port


class ServerEnded(MillraceError):
    """The server ended without being stopped."""

    def __init__(self) -> None:
        super().__init__("the HTTP server failed; restarting")


class _Quiet(uvicorn.Server):
    """A uvicorn server that leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]  # uvicorn's own is typed by a private name
        """Capture none."""
        yield


class Server:
    """The API, served; created by `start`.

    Serving, the sweeps of connections and live clients and the removal of old rows end together, so that
    none can stop unnoticed.
    """

    def __init__(self, services: Services, listening: socket.socket) -> None:
        self._services = services
        self._socket = listening
        config = uvicorn.Config(
            make_app(services),
            http=Connection,
            ws=serving(services),
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=SHUTDOWN_S,
            timeout_keep_alive=60,
        )
        self._http = _Quiet(config)
        self.port = int(listening.getsockname()[1])
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, services: Services, listening: socket.socket) -> Self:
        """Serve from now on, on a socket returned by `listen`."""
        server = cls(services, listening)
        server._task = asyncio.create_task(server._run(), name="api")
        server._task.add_done_callback(_log_failure)
        return server

    @property
    def has_ended(self) -> bool:
        """Tell whether the server has ended, by itself or by `stop`."""
        return self._task is not None and self._task.done()

    async def ended(self) -> None:
        """Wait until the server ends.

        Raises:
            Exception: the error that ended it.
        """
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Shut down in order: disconnect live clients, finish responses under way."""
        self._http.should_exit = True
        await self._services.close()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            await first_of(
                self._serve(),
                self._services.hub.sweep(),
                sweep(self._http.server_state.connections),
                self._services.authenticator.holdings.watch(),
                self._services.authenticator.trail.run(),
                _forget(self._services),
            )
        finally:
            self._socket.close()

    async def _serve(self) -> None:
        """Serve until `stop`; a cancellation too lets the responses under way finish."""
        serving_http = asyncio.create_task(self._http.serve([self._socket]), name="http")
        try:
            await asyncio.shield(serving_http)
        finally:
            self._http.should_exit = True
            await asyncio.wait({serving_http})


def _log_failure(task: "asyncio.Task[None]") -> None:
    # Without a configuration there is no unit that waits for the server and reports its end.
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the API has stopped serving", exc_info=error)


async def _forget(services: Services) -> None:
    """Delete, every hour, idempotency keys that are older than 7 days, and the oldest rows of long audit trails."""
    while True:
        try:
            await services.store.access.forget_keys(now_ms() - KEYS_KEPT_MS)
            await services.store.access.trim_audit(services.config.tenant_limits.audit_rows)
        except DatabaseUnavailable:
            log.debug("the database is unavailable; old rows are deleted later")
        await asyncio.sleep(_FORGET_EVERY_S)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, on any free port when `port` is 0. Clients that connect before the server starts wait.

    Raises:
        PortTaken: another process listens there, or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # asyncio's own loop sends at once only where TCP is named: else the body of an answer waits 40 ms for an ACK.
        listening = socket.socket(family, kind, protocol)
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
