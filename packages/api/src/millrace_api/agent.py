"""The API as a service: the server runs from the start; its configuration holds limits alone."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

import structlog

from millrace_api.config import ApiConfig
from millrace_api.options import Options
from millrace_api.server import Server, listen
from millrace_api.services import Services
from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_service import Agent, UnitHealthReporter, UnitKey
from millrace_store import DatabaseUnavailable, Store

RETRY_S: Final = 1.0
_GAUGES_EVERY_S: Final = 1.0
_KEYS_KEPT_MS: Final = 7 * 86_400_000
_FORGET_EVERY_S: Final = 3_600.0

log = structlog.get_logger()


class ApiAgent(Agent[ApiConfig, ApiConfig]):
    """Serves; with default limits until there is a configuration."""

    kind = "api"
    config_model = ApiConfig

    def __init__(self, options: Options) -> None:
        self._options = options
        self._held = AsyncExitStack()
        self._services: Services | None = None
        self._server: Server | None = None

    def units(self, config: ApiConfig) -> Mapping[UnitKey, ApiConfig]:
        """Return the one unit: the server, and its limits."""
        return {"http": config}

    async def started(self, bus: Bus) -> None:
        """Serve, as soon as the database answers; until then who connects waits."""
        listening = listen(self._options.host, self._options.port)
        self._held.callback(listening.close)
        self._services = Services.make(await self._store(), bus)
        self._server = await Server.start(self._services, listening)
        self._held.push_async_callback(self._server.stop)
        log.info("serving", address=f"http://{self._options.host}:{self._server.port}")

    async def stopped(self) -> None:
        """Serve no longer."""
        await self._held.aclose()

    async def run_unit(self, key: UnitKey, unit_config: ApiConfig, health: UnitHealthReporter) -> None:
        """Put limits in force, and tell how many are served."""
        if self._services is None or self._server is None:
            raise RuntimeError("run_unit before started")
        self._services.configure(unit_config)
        health.state("live", f"http://{self._options.host}:{self._server.port}")
        beside = [
            asyncio.create_task(_tell(self._services, health)),
            asyncio.create_task(_forget_keys(self._services.store)),
        ]
        try:
            await self._server.ended()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)

    async def _store(self) -> Store:
        is_told = False
        while True:
            try:
                return await self._held.enter_async_context(Store.open(self._options.database_url))
            except DatabaseUnavailable as error:
                if not is_told:
                    log.warning("the database does not answer; trying again for as long as it takes", reason=str(error))
                is_told = True
                await asyncio.sleep(RETRY_S)


async def _tell(services: Services, health: UnitHealthReporter) -> None:
    while True:
        for name, value in services.metrics.gauges().items():
            health.gauge(name, value)
        await asyncio.sleep(_GAUGES_EVERY_S)


async def _forget_keys(store: Store) -> None:
    """Forget idempotency keys that nobody can mean any more."""
    while True:
        try:
            await store.access.forget_keys(now_ms() - _KEYS_KEPT_MS)
        except DatabaseUnavailable:
            log.debug("the database is away; old idempotency keys are forgotten later")
        await asyncio.sleep(_FORGET_EVERY_S)
