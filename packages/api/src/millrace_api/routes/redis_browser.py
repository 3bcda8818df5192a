"""Reads the protocol's names in Redis, to find a fault. It never scans the keyspace and never writes."""

from itertools import islice
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from millrace_api.access.principal import Caller, Principal
from millrace_api.agents import view_for
from millrace_api.configs.masking import masked
from millrace_api.configs.ownership import decoded, may_know_of, may_see_of, named_in
from millrace_api.documents import ListOf, json_response, returns
from millrace_api.parameters import TenantQuery, tenant_of
from millrace_api.problems import not_found
from millrace_api.redis_names import (
    INDEXES,
    Owner,
    may_list,
    may_read,
    names_of_agent,
    names_of_strategies,
    names_of_tenant,
    owner,
)
from millrace_api.services import Services, ServicesDep, redis
from millrace_bus.reading.inspection import StoredEntry
from millrace_core.config import tenants_of
from millrace_core.heartbeat import Heartbeat
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import PUBLIC, AgentId
from millrace_service.redaction import clean, clean_text

router = APIRouter(prefix="/redis", tags=["operations"])

_MAX_NAMES = 2_000


class NameView(msgspec.Struct, frozen=True):
    """A name of the protocol; it exists, or may exist."""

    name: str
    readable: bool
    """Whether the caller may read what it holds."""


class ValueView(msgspec.Struct, frozen=True, rename="camel"):
    """What a name holds. Secrets read `***`; entries are cut off after 20,000 bytes."""

    name: str
    kind: str
    """string, hash, set, zset or stream."""
    size: int
    """Entries; of a string its bytes."""
    expires_ms: int | None
    """How long it is still kept; null for ever."""
    entries: list[StoredEntry]
    """The newest first, where there is an order; empty if the caller may not read them."""


@router.get("/names", operation_id="list_redis_names", responses=returns(ListOf[NameView]))
async def list_redis_names(
    services: ServicesDep,
    caller: Caller,
    tenant: TenantQuery = None,
    contains: Annotated[str, Query(max_length=128, description="Only names with this text.")] = "",
    limit: Annotated[int, Query(ge=1, le=_MAX_NAMES)] = 200,
) -> Response:
    """Return the protocol's names that the caller may know of, from its indexes; for an operator, of all tenants."""
    tenant_of(caller, tenant)
    names = dict.fromkeys(await _names(services, caller))
    fitting = ((name, owner(name)) for name in names if contains.lower() in name.lower())
    listed = ((name, found) for name, found in fitting if found is not None and may_list(caller, found))
    return json_response(ListOf([NameView(name, may_read(caller, found)) for name, found in islice(listed, limit)]))


@router.get(
    "/value",
    operation_id="get_redis_value",
    responses=returns(ValueView, also={404: "There is no such key, or it belongs to another tenant or program."}),
)
async def get_redis_value(
    request: Request,
    services: ServicesDep,
    caller: Caller,
    name: Annotated[str, Query(max_length=512)],
    tenant: TenantQuery = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Entries.")] = 20,
) -> Response:
    """Return what one of the protocol's names holds; of another tenant's, an operator learns its type and size only."""
    tenant_of(caller, tenant)
    found = owner(name)
    if found is None or not may_list(caller, found) or not await _may_know(services, caller, found):
        raise not_found("name of the protocol")
    stored = await redis(services.bus.inspect(name, limit))
    if stored is None:
        raise not_found("value under this name")
    readable = may_read(caller, found) and (
        found.content != "plugins" or await _may_see_config(services, caller, found)
    )
    entries = (_shown(caller, found, each) for each in stored.entries) if readable else ()
    shown = [each for each in entries if each is not None]
    return json_response(ValueView(name, stored.kind, stored.size, stored.expires_ms, shown))


async def _may_know(services: Services, caller: Principal, found: Owner) -> bool:
    """Tell whether a caller may know of the agent that a name belongs to, if it does."""
    if caller.is_operator or found.agent is None:
        return True
    return may_know_of(caller, named_in(await redis(services.bus.get_config(found.agent))))


async def _may_see_config(services: Services, caller: Principal, found: Owner) -> bool:
    """Tell whether a caller may see an agent's configuration, and so the strategies that the agent can run."""
    text = None if found.agent is None else await redis(services.bus.get_config(found.agent))
    return text is None or may_see_of(caller, named_in(text))


async def _names(services: Services, caller: Principal) -> list[str]:
    tenants = None if caller.is_operator else [caller.tenant, PUBLIC]
    streams = await redis(services.bus.stream_names(tenants))
    names, running = list(INDEXES), await redis(services.bus.heartbeats())
    configs = await redis(services.bus.all_configs())
    for agent in dict.fromkeys((*configs, *(AgentId(each.id) for each in running))):
        if may_know_of(caller, named_in(configs.get(agent))):
            names += names_of_agent(agent)
    for beat in running:
        if beat.kind == "magicbox":
            names += names_of_strategies(unit.name for unit in beat.units)
    for of in sorted({each.tenant for each in streams} | {caller.tenant}):
        names += names_of_tenant(of, [each for each in streams if each.tenant == of])
    return names


def _shown(caller: Principal, found: Owner, entry: StoredEntry) -> StoredEntry | None:
    """Return an entry as the caller may see it; None if it may not see it at all."""
    name, text = clean_text(entry.name), entry.text
    match found.content:
        case "config" | "plugins":
            value = decoded(text)
            if found.content == "config" and not may_see_of(caller, tenants_of(value)):
                return None
            return StoredEntry(name, _json(masked(value)) if value is not None else "***")
        case "agent":
            try:
                return StoredEntry(name, _json(view_for(caller, msgspec.json.decode(text, type=Heartbeat))))
            except UNREADABLE:
                return None
        case _:
            value = decoded(text)
            return StoredEntry(name, clean_text(text) if value is None else _json(clean(value)))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
