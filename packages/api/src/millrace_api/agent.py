"""The API as a service: it serves from the start, with default limits until its configuration arrives."""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import structlog

from millrace_api.configs.models import ApiConfig
from millrace_api.memory import give_large_blocks_back
from millrace_api.server import Server, ServerEnded, listen
from millrace_api.services import Services
from millrace_bus import Bus
from millrace_service import Agent, SettingsInvalid, UnitHealthReporter, UnitKey
from millrace_service.settings import DATABASE_OPTION, database_url, read_secret_key
from millrace_service.tasks import run_all
from millrace_serving.connections import allow_many_files
from millrace_store import DatabaseUnavailable, Store

RETRY_S: Final = 1.0
_GAUGES_EVERY_S: Final = 1.0
_SWITCH_S: Final = 0.0005
DEFAULT_PORT = 8080
OPTIONS = {
    "host": "address to listen on (default 127.0.0.1; 0.0.0.0 for every interface)",
    "port": f"port to listen on (default {DEFAULT_PORT})",
    **DATABASE_OPTION,
}


@dataclass(frozen=True, slots=True)
class Options:
    """The API's address and database."""

    host: str
    port: int
    database_url: str
    secret_key: bytes | None = field(default=None, repr=False)
    """Encrypts the secrets of configurations that are saved; None if there is no key."""


def read_options(environ: Mapping[str, str] = os.environ) -> Options:
    """Return the options; those of the command line are in the environment by now.

    Raises:
        SettingsInvalid: the port is not a number from 0 to 65535, the key of secrets is unusable, or the
            database is not a supported one.
    """
    port = environ.get("MILLRACE_PORT") or str(DEFAULT_PORT)
    if not port.isdecimal() or int(port) > 65_535:
        raise SettingsInvalid(f"MILLRACE_PORT is {port!r}; it must be a port number from 0 to 65535")
    url = database_url(environ, Store.check_url)
    return Options(environ.get("MILLRACE_HOST") or "127.0.0.1", int(port), url, read_secret_key(environ))


log = structlog.get_logger()


class ApiAgent(Agent[ApiConfig, ApiConfig]):
    """Serves the API; its one unit applies the limits of the configuration."""

    kind = "api"
    config_model = ApiConfig
    needs_config = False

    def __init__(self, options: Options) -> None:
        self._options = options
        self._resources = AsyncExitStack()
        self._services: Services | None = None
        self._server: Server | None = None

    def units(self, config: ApiConfig) -> Mapping[UnitKey, ApiConfig]:
        """Return the one unit: the server and its limits."""
        return {"http": config}

    async def started(self, bus: Bus) -> None:
        """Serve as soon as the database answers; clients that connect before that wait."""
        # Threads read rows and check secrets beside the event loop, which waits so long at most for the interpreter.
        sys.setswitchinterval(_SWITCH_S)
        give_large_blocks_back()
        allow_many_files()
        listening = listen(self._options.host, self._options.port)
        self._resources.callback(listening.close)
        self._services = Services.make(await self._store(), bus, secret_key=self._options.secret_key)
        self._resources.push_async_callback(self._stop)
        self._server = await Server.start(self._services, listening)
        log.info("serving", address=self._address(self._server))

    async def stopped(self) -> None:
        """Stop serving and close the database."""
        await self._resources.aclose()

    async def run_unit(self, key: UnitKey, unit_config: ApiConfig, health: UnitHealthReporter) -> None:
        """Apply the limits, report gauges, and serve again when the server has failed."""
        if self._services is None or self._server is None:
            raise RuntimeError("run_unit before started")
        self._services.configure(unit_config)
        if self._server.has_ended:
            self._server = await Server.start(self._services, listen(self._options.host, self._options.port))
            log.info("serving again", address=self._address(self._server))
        health.state("live", self._address(self._server))
        await run_all(
            _served(self._server), _report_gauges(self._services, health), self._watch_database(self._services, health)
        )

    def own_metrics(self) -> bytes:
        """Return the metrics of HTTP and of live clients."""
        return b"" if self._services is None else self._services.metrics.text()

    async def _watch_database(self, services: Services, health: UnitHealthReporter) -> None:
        """Report an outage of the database once, and its end."""
        while self._server is not None:
            try:
                await services.store.ping()
            except DatabaseUnavailable as error:
                if health.current_state == "live":
                    log.warning("the database does not answer; requests that need it get 503", reason=str(error))
                health.state("stale", f"the database does not answer: {error}")
            else:
                if health.current_state != "live":
                    log.info("the database answers again")
                health.state("live", self._address(self._server))
            await asyncio.sleep(RETRY_S)

    def _address(self, server: Server) -> str:
        return f"http://{self._options.host}:{server.port}"

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.stop()

    async def _store(self) -> Store:
        is_reported = False
        while True:
            try:
                return await self._resources.enter_async_context(Store.open(self._options.database_url))
            except DatabaseUnavailable as error:
                if not is_reported:
                    log.warning("the database is unavailable; trying again until it answers", reason=str(error))
                is_reported = True
                await asyncio.sleep(RETRY_S)


async def _served(server: Server) -> None:
    """Wait until the server ends unexpectedly.

    Raises:
        ServerEnded: it ended without an error of its own.
    """
    await server.ended()
    raise ServerEnded


async def _report_gauges(services: Services, health: UnitHealthReporter) -> None:
    while True:
        for name, value in services.metrics.gauges().items():
            health.gauge(name, value)
        await asyncio.sleep(_GAUGES_EVERY_S)
