"""All tenants, for the operator: which configurations name them, and what they have; nothing of their trading."""

from collections import Counter

import msgspec
from fastapi import APIRouter, Response

from millrace_api.access.principal import Caller
from millrace_api.access.tokens import is_in_force
from millrace_api.configs.ownership import named_in
from millrace_api.documents import ListOf, json_response, returns
from millrace_api.parameters import TenantQuery, tenant_of
from millrace_api.problems import ApiError
from millrace_api.services import ServicesDep, redis
from millrace_core.clock import now_ms

router = APIRouter(prefix="/tenants", tags=["access"])


class TenantView(msgspec.Struct, frozen=True):
    """A tenant, as far as it concerns the operator."""

    tenant: str
    agents: list[str]
    """Those whose configurations name it."""
    streams: int
    """How many streams of it there are in Redis."""
    tokens: int
    """Those in force."""


@router.get("", operation_id="list_tenants", responses=returns(ListOf[TenantView]))
async def list_tenants(services: ServicesDep, caller: Caller, tenant: TenantQuery = None) -> Response:
    """Return every tenant that a configuration names, that has streams, or that has a token; for the operator alone."""
    tenant_of(caller, tenant)
    if not caller.is_operator:
        raise ApiError(403, "only an operator, an admin of PUBLIC, sees all tenants")
    now = now_ms()
    configs = (await redis(services.bus.all_configs())).items()
    named = {agent: named_in(text) for agent, text in configs}
    streams = Counter(str(name.tenant) for name in await redis(services.bus.stream_names()))
    tokens = Counter(str(each.tenant) for each in await services.store.access.tokens() if is_in_force(each, now))
    known = set().union(*named.values(), streams, tokens)
    return json_response(
        ListOf(
            [
                TenantView(each, sorted(a for a, names in named.items() if each in names), streams[each], tokens[each])
                for each in sorted(known)
            ]
        )
    )
