"""Adds a tenant: its account and workplans in the configurations of gatherer, executor and dbsync, and a token."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from millrace_api.services import Services
from millrace_cli import tokens
from millrace_cli.config.documents import read_document
from millrace_cli.config.editing import Stores, services
from millrace_cli.running import CommandFailed
from millrace_cli.tenants.changes import ConfigEdit, check, configuration, write
from millrace_core.config import tenants_of
from millrace_core.config.tenants import NewTenant, added
from millrace_core.names import AgentId, Tenant
from millrace_service.encryption import encrypt

_SECRETS: Final = ("apiKey", "secret", "password", "uid")


def account_of(tenant: Tenant, keys: Path | None, secret_keys: bytes | None, address: Mapping[str, Any]) -> Any:
    """Return an account as configurations have it, its keys read from a file and encrypted.

    Raises:
        CommandFailed: the file cannot be read or has other fields, or there is no key to encrypt with.
    """
    if keys is None:
        return dict(address)
    found = read_document(keys)
    unknown = found.keys() - set(_SECRETS)
    if unknown or not isinstance(found.get("apiKey"), str) or not all(isinstance(text, str) for text in found.values()):
        raise CommandFailed(f'{keys} must hold {{"apiKey": "…", "secret": "…"}} and, if needed, "password" and "uid"')
    if secret_keys is None:
        raise CommandFailed(
            "keys are stored encrypted only: export MILLRACE_SECRET_KEY=$(millrace secrets keygen), for the agents too"
        )
    return {name: encrypt(tenant, text, secret_keys) for name, text in found.items()} | dict(address)


async def plan(stores: Stores, new: NewTenant, agents: Mapping[str, AgentId]) -> list[ConfigEdit]:
    """Return the configurations to write, checked; `agents` are the agents by kind.

    Raises:
        CommandFailed: the tenant is there already, or a configuration would have mistakes.
    """
    async with services(stores) as opened:
        edits = [await _edit(opened, kind, agent, new) for kind, agent in agents.items()]
        await check(opened, edits)
    return edits


async def apply(stores: Stores, new: NewTenant, edits: Sequence[ConfigEdit], name: str, role: str) -> str:
    """Write the configurations, make a token, and return it.

    Raises:
        CommandFailed: a configuration was changed meanwhile.
        Conflict: the tenant has a token of this name; the configurations are in force.
    """
    async with services(stores) as opened:
        await write(opened, edits)
    return await tokens.create(stores.database_url, new.tenant, name, role, None)


async def _edit(opened: Services, kind: str, agent: AgentId, new: NewTenant) -> ConfigEdit:
    before, expected = await configuration(opened, agent)
    if before is not None and new.tenant in tenants_of(before):
        raise CommandFailed(
            f"{new.tenant} is in the configuration of {agent} already: change it with millrace config put {agent} "
            f"FILE, or remove it with millrace tenant stop {new.tenant}"
        )
    return ConfigEdit(agent, kind, before, added(kind, before or {"agent": {"id": agent}}, new), expected)
