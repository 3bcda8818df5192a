"""Which configurations there are, and of what kinds: each kind's schema and examples."""

from typing import Any

import msgspec
from fastapi import APIRouter, Response

from millrace_api.access.principal import Caller
from millrace_api.configs.examples import Example, examples
from millrace_api.configs.models import MODELS
from millrace_api.configs.ownership import may_change_of, may_see_of, named_in
from millrace_api.documents import ListOf, json_response, returns
from millrace_api.parameters import TenantQuery, tenant_of
from millrace_api.services import ServicesDep, redis
from millrace_core.config import revision
from millrace_core.config.schema import described_schema

router = APIRouter(prefix="/configs", tags=["configuration"])


class ConfigSummary(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A configuration that the caller may see, without its content."""

    agent_id: str
    kind: str | None
    """Null when the agent does not run now."""
    revision: str
    in_force: str | None
    """The revision that the running agent follows; null when it does not run."""
    tenants: list[str]
    """Those that it names."""
    may_change: bool


class ConfigKind(msgspec.Struct, frozen=True):
    """A kind of agent: the JSON schema of its configuration, and examples."""

    kind: str
    schema: dict[str, Any]
    examples: list[Example]


class ConfigKinds(msgspec.Struct, frozen=True):
    """Every kind of agent."""

    items: list[ConfigKind]
    encrypts: bool
    """Whether plain secrets are encrypted when a configuration is saved: the API has the key."""


@router.get("", operation_id="list_configs", responses=returns(ListOf[ConfigSummary]))
async def list_configs(services: ServicesDep, caller: Caller, tenant: TenantQuery = None) -> Response:
    """Return the agents whose configurations the caller may see, by id."""
    tenant_of(caller, tenant)
    running = {heartbeat.id: heartbeat for heartbeat in await redis(services.bus.heartbeats())}
    found = []
    for agent, text in sorted((await redis(services.bus.all_configs())).items()):
        named, heartbeat = named_in(text), running.get(agent)
        if may_see_of(caller, named):
            summary = ConfigSummary(
                agent_id=agent,
                kind=heartbeat.kind if heartbeat else None,
                revision=revision(text),
                in_force=heartbeat.config_revision if heartbeat else None,
                tenants=sorted(named),
                may_change=may_change_of(caller, named),
            )
            found.append(summary)
    return json_response(ListOf(found))


@router.get("/kinds", operation_id="list_config_kinds", responses=returns(ConfigKinds))
async def list_config_kinds(services: ServicesDep, caller: Caller, tenant: TenantQuery = None) -> Response:
    """Return every kind of agent with the JSON schema of its configuration and examples of it."""
    tenant_of(caller, tenant)
    found = [
        ConfigKind(kind, described_schema(model), [each for each in examples() if each.kind == kind])
        for kind, model in MODELS.items()
    ]
    return json_response(ConfigKinds(found, encrypts=services.secret_key is not None))
