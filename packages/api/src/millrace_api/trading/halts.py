"""Halts in Redis and in the database: a halt must work while one of them is away."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

from millrace_api.configs.ownership import named_in
from millrace_api.patience import answer_within
from millrace_api.services import Services, redis, redis_change
from millrace_core.clock import now_ms
from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.names import PUBLIC, AgentId, Tenant, tenant_or_none
from millrace_core.requests import Halt, HaltingPayload
from millrace_store import DatabaseUnavailable

T = TypeVar("T")


PATIENCE_S = 0.05
"""How long the database may take for all that a request about halts asks of it. Halts hold without it."""


class Halted(NamedTuple):
    """What is halted of a tenant."""

    known: HaltState
    """What Redis or the database holds."""
    stored: HaltState | None
    """What the database holds; None while it does not answer."""


class Halts:
    """The halts of one request, which waits for the database for `PATIENCE_S` in all."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._until_s = time.monotonic() + PATIENCE_S

    async def halted(self, tenant: Tenant) -> Halted:
        """Return what is halted of a tenant.

        Raises:
            ApiError: Redis does not answer.
        """
        found = await redis(self._services.bus.halts.read(tenant))
        stored = await self._in_time(self._services.store.halts.get(tenant))
        return Halted(found.joined_to(stored or HaltState(), now_ms()), stored)

    async def halt(
        self, tenants: Sequence[Tenant], scope: HaltScope, note: HaltNote, *, cancel_orders: bool = False
    ) -> list[Halted]:
        """Halt; executors act on the requests at once, and those that start later on what Redis and the database hold.

        Raises:
            ApiError: Redis does not answer; tenants before the one that it failed for are halted.
        """
        states = [await self._halt(tenant, scope, note, cancel_orders=cancel_orders) for tenant in tenants]
        pairs = zip(tenants, states, strict=True)
        return list(await asyncio.gather(*(self._stored(tenant, state) for tenant, state in pairs)))

    async def resume(self, tenant: Tenant, scope: HaltScope) -> Halted | None:
        """Lift the halt of exactly this scope; None if there was none. Executors learn it within a second.

        Raises:
            ApiError: Redis does not answer; nothing was done.
        """
        known = (await self.halted(tenant)).known
        if scope not in known.halts:
            return None
        state = known.resume(scope, now_ms())
        await redis_change(self._services.bus.halts.write(tenant, state))
        return await self._stored(tenant, state)

    async def tenants(self) -> list[Tenant]:
        """Return the tenants that may trade: those with a token, a stream, or an account in a running executor.

        Raises:
            ApiError: Redis does not answer.
        """
        services = self._services
        names = {name.tenant for name in await redis(services.bus.stream_names())}
        # While the database is away, an operator halts those that can be told without it.
        names |= {Tenant(token.tenant) for token in await self._in_time(services.store.access.tokens()) or ()}
        for heartbeat in await redis(services.bus.heartbeats()):
            if heartbeat.kind == "executor":
                names |= await _configured(services, heartbeat.id)
        # Rows that were changed by hand may hold names that no tenant has.
        return sorted(name for name in names - {PUBLIC} if tenant_or_none(name) is not None)

    async def _halt(self, tenant: Tenant, scope: HaltScope, note: HaltNote, *, cancel_orders: bool) -> HaltState:
        bus = self._services.bus
        state = (await redis(bus.halts.read(tenant))).joined_to(HaltState(), now_ms()).halted(scope, note)
        await redis_change(bus.halts.write(tenant, state))
        payload = HaltingPayload(
            order_source=scope.order_source, reason=note.reason, by=note.by, cancel_orders=cancel_orders
        )
        bus.requests.publish(tenant, Halt(exchange_id=scope.exchange, payload=payload))
        return state

    async def _stored(self, tenant: Tenant, state: HaltState) -> Halted:
        # While the database is away the state holds by Redis, and an executor stores it later.
        stored = await self._in_time(self._services.store.halts.merge(tenant, state))
        return Halted(state if stored is None else stored, stored)

    async def _in_time(self, question: Coroutine[Any, Any, T]) -> T | None:
        try:
            return await answer_within(max(0.0, self._until_s - time.monotonic()), question, goes_on=True)
        except (TimeoutError, DatabaseUnavailable):
            return None


async def _configured(services: Services, executor: str) -> set[Tenant]:
    text = await redis(services.bus.get_config(AgentId(executor)))
    named = map(tenant_or_none, named_in(text))
    return {tenant for tenant in named if tenant is not None}
