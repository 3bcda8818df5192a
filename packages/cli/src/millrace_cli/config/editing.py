"""Opens an agent's configuration as the API does, for the operator, who may change every one."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from millrace_api.access import audit
from millrace_api.access.principal import Principal
from millrace_api.configs.editor import ConfigEditor, ConfigView
from millrace_api.configs.examined import Sent
from millrace_api.configs.models import MODELS
from millrace_api.problems import ApiError
from millrace_api.services import Services
from millrace_bus import Bus
from millrace_cli.running import CommandFailed, connected
from millrace_core.config import revision
from millrace_core.errors import Problem
from millrace_core.names import PUBLIC, AgentId
from millrace_core.near_names import did_you_mean
from millrace_service.settings import read_secret_key
from millrace_store import Store

OPERATOR = Principal(PUBLIC, "admin", token_id="", name="millrace config")

_PRECONDITION_FAILED = 412


class Stores(NamedTuple):
    """Where configurations and their history are."""

    redis_url: str
    database_url: str


@asynccontextmanager
async def services(stores: Stores) -> AsyncIterator[Services]:
    """Return what the API's code needs: Redis, the database, which is made if there is none, and the secret keys.

    Raises:
        SettingsInvalid: the secret key has another form.
        Unreachable: Redis does not answer.
        StoreError: the database cannot be opened.
        CommandFailed: what the block asked for is refused.
    """
    async with connected(stores.redis_url, "config") as bus, Store.open(stores.database_url) as store:
        found = Services.make(store, bus, secret_key=read_secret_key(os.environ))
        try:
            yield found
        except ApiError as error:
            raise _failed(error) from error
        finally:
            await found.close()


async def editor(opened: Services, agent: AgentId, kind: str | None = None) -> ConfigEditor:
    """Return the editor of an agent's configuration; `kind` is needed for an agent that has never run.

    Raises:
        CommandFailed: the kind is wrong, or needed.
    """
    found = ConfigEditor(opened, OPERATOR, agent)
    if kind is not None and kind not in MODELS:
        raise CommandFailed(f"there is no kind {kind}; choose one of {', '.join(MODELS)}")
    if await found.kind(kind) is None:
        raise CommandFailed(f"{agent} has never run, so its kind is not known: add --kind {'|'.join(MODELS)}")
    return found


async def present(bus: Bus, agent: AgentId) -> bytes:
    """Return an agent's configuration.

    Raises:
        CommandFailed: there is none; the text names those that are near.
    """
    if (text := await bus.get_config(agent)) is None:
        raise CommandFailed(
            f"{agent} has no configuration{did_you_mean(agent, await bus.all_configs())}; "
            f"write one: millrace config put {agent} FILE"
        )
    return text


async def put(
    opened: Services,
    agent: AgentId,
    sent: Sent,
    *,
    kind: str | None = None,
    expected: str | None = None,
) -> ConfigView:
    """Put a configuration in force unless it has mistakes, or another than `expected` is in force.

    Raises:
        CommandFailed: it has mistakes, each listed, or was changed meanwhile; nothing was changed.
    """
    editing = await editor(opened, agent, kind)
    before = await opened.bus.get_config(agent)
    in_force = None if before is None else revision(before)
    if expected is not None and expected != in_force:
        raise CommandFailed(f"nothing was changed: revision {in_force} is in force, not {expected}")
    view = await editing.put(sent, kind, in_force)
    await audit.record(
        opened.store,
        audit.entry(
            action="put_config",
            outcome="done",
            tenant=PUBLIC,
            actor=OPERATOR.name,
            target=agent,
            detail={"revision": view.revision},
        ),
    )
    return view


def _failed(error: ApiError) -> CommandFailed:
    """Return an error of the API's code in the terminal's words."""
    if error.status == _PRECONDITION_FAILED:
        return CommandFailed("nothing was changed: somebody changed the configuration meanwhile; read it and try again")
    problems = [Problem(each.path, each.message) for each in error.details.problems]
    return CommandFailed(error.details.detail.removesuffix(" for this tenant"), problems)
