"""Halts in Redis and in the database: a halt must work while one of them is away."""

from contextlib import suppress
from typing import NamedTuple

import msgspec

from millrace_api.services import Services, redis
from millrace_core.clock import now_ms
from millrace_core.config import tenants_of
from millrace_core.halts import HaltNote, HaltScope, HaltState
from millrace_core.names import PUBLIC, AgentId, Tenant, tenant_or_none
from millrace_core.requests import Halt, HaltingPayload
from millrace_store import DatabaseUnavailable


class Halted(NamedTuple):
    """What is halted of a tenant."""

    known: HaltState
    """What Redis or the database holds."""
    stored: HaltState | None
    """What the database holds; None while it does not answer."""


async def halted(services: Services, tenant: Tenant) -> Halted:
    """Return what is halted of a tenant.

    Raises:
        ApiError: Redis does not answer.
    """
    try:
        stored = await services.store.halts.get(tenant)
    except DatabaseUnavailable:
        stored = None
    found = await redis(services.bus.halts.read(tenant))
    return Halted(found.joined_to(stored or HaltState(), now_ms()), stored)


async def halt_tenant(services: Services, tenant: Tenant, scope: HaltScope, note: HaltNote) -> None:
    """Halt; an executor acts on the request at once, and one that starts later on what Redis and the database hold.

    Raises:
        ApiError: Redis does not answer; nothing was done.
    """
    state = (await halted(services, tenant)).known.halted(scope, note)
    await redis(services.bus.halts.write(tenant, state))
    payload = HaltingPayload(order_source=scope.order_source, reason=note.reason, by=note.by)
    services.bus.requests.publish(tenant, Halt(exchange_id=scope.exchange, payload=payload))
    await _store(services, tenant, state)


async def resume_tenant(services: Services, tenant: Tenant, scope: HaltScope) -> bool:
    """Lift the halt of exactly this scope; tell whether there was one. Executors learn it within a second.

    Raises:
        ApiError: Redis does not answer; nothing was done.
    """
    known = (await halted(services, tenant)).known
    if scope not in known.halts:
        return False
    state = known.resume(scope, now_ms())
    await redis(services.bus.halts.write(tenant, state))
    await _store(services, tenant, state)
    return True


async def trading_tenants(services: Services) -> list[Tenant]:
    """Return the tenants that may trade: those with a token, a stream, or an account in a running executor.

    Raises:
        ApiError: Redis does not answer.
    """
    names = {name.tenant for name in await redis(services.bus.stream_names())}
    # While the database is away, an operator halts those that can be told without it.
    with suppress(DatabaseUnavailable):
        names |= {Tenant(token.tenant) for token in await services.store.access.tokens()}
    for heartbeat in await redis(services.bus.heartbeats()):
        if heartbeat.kind == "executor":
            names |= await _configured(services, heartbeat.id)
    return sorted(names - {PUBLIC})


async def _configured(services: Services, executor: str) -> set[Tenant]:
    text = await redis(services.bus.get_config(AgentId(executor)))
    try:
        named = map(tenant_or_none, tenants_of(msgspec.json.decode(text or b"{}")))
    except (msgspec.MsgspecError, RecursionError):
        return set()
    return {tenant for tenant in named if tenant is not None}


async def _store(services: Services, tenant: Tenant, state: HaltState) -> None:
    # If the database is away it holds by Redis, and an executor stores it as soon as the database answers.
    with suppress(DatabaseUnavailable):
        await services.store.halts.merge(tenant, state)
