"""Services shared by all routes: database, bus, authentication, questions, live streams, pending responses."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request

from millrace_api.access.authentication import Authenticator
from millrace_api.agents import AgentEvents
from millrace_api.configs.models import ApiConfig
from millrace_api.live.hub import Hub
from millrace_api.metrics import Metrics
from millrace_api.problems import ApiError, refused, unavailable
from millrace_api.questions import Questions
from millrace_api.trading.responses import PendingResponses
from millrace_bus import Bus, CommandRefused
from millrace_core.config import AgentSection
from millrace_core.names import AgentId
from millrace_store import Store

REDIS_TIMEOUT_S = 2.0
"""How long Redis may take to answer a request; other services wait without limit."""

DEFAULTS = ApiConfig(agent=AgentSection(id=AgentId("API")))
"""The limits that apply while there is no configuration."""

T = TypeVar("T")


@dataclass
class Services:
    """The database, the bus and what is built upon them; one instance in the process."""

    store: Store
    bus: Bus
    authenticator: Authenticator
    hub: Hub
    questions: Questions
    responses: PendingResponses
    agents: AgentEvents
    metrics: Metrics
    config: ApiConfig
    secret_key: bytes | None
    """Encrypts the secrets of configurations; None if there is no key."""

    @classmethod
    def make(cls, store: Store, bus: Bus, config: ApiConfig = DEFAULTS, secret_key: bytes | None = None) -> "Services":
        """Return the services for a database and a bus."""
        metrics = Metrics()
        authenticator = Authenticator(store, config)
        hub = Hub(bus, metrics, authenticator, config.live_connections, config.live_connections_per_token)
        responses, agents = PendingResponses(bus), AgentEvents(bus)
        questions = Questions(store)
        return cls(store, bus, authenticator, hub, questions, responses, agents, metrics, config, secret_key)

    def configure(self, config: ApiConfig) -> None:
        """Apply other limits."""
        self.config = config
        self.authenticator.set_limits(config)
        self.hub.set_limits(config.live_connections, config.live_connections_per_token)

    async def close(self) -> None:
        """Disconnect live clients and stop following streams."""
        await self.hub.close()
        await self.agents.close()
        await self.responses.close()
        await self.questions.close()


async def redis(call: Awaitable[T]) -> T:
    """Return Redis's answer.

    Raises:
        ApiError: it did not answer within `REDIS_TIMEOUT_S`, or refused.
    """
    try:
        async with asyncio.timeout(REDIS_TIMEOUT_S):
            return await call
    except TimeoutError as error:
        raise unavailable("Redis") from error
    except CommandRefused as error:
        raise refused(str(error)) from error


async def redis_change(call: Awaitable[T]) -> T:
    """Return Redis's answer to what changes something.

    Raises:
        ApiError: it refused, or did not answer in time: then it may do it yet.
    """
    try:
        return await redis(call)
    except ApiError as error:
        if isinstance(error.__cause__, TimeoutError):
            text = "Redis does not answer; the change may be made yet: look before you repeat it"
            raise ApiError(503, text, headers={"Retry-After": "2"}) from error
        raise


def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


ServicesDep = Annotated[Services, Depends(_services)]
"""The services, as a dependency of a route."""
