"""Agents' configurations: read, validate, compare, replace, list earlier ones, roll back; what strategies there are."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from millrace_api.access.principal import Caller, needs
from millrace_api.configs.editor import ConfigEditor, ConfigVersion, ConfigView
from millrace_api.configs.examined import ConfigDifference, Sent
from millrace_api.documents import ListOf, accepts, body_of, json_response, raw_body, returns
from millrace_api.parameters import TenantQuery, tenant_of
from millrace_api.questions import json_of
from millrace_api.services import ServicesDep
from millrace_core.names import AgentId
from millrace_core.plugins import PluginDescription

router = APIRouter(prefix="/agents/{agent_id}", tags=["configuration"])

AgentKind = Annotated[
    Literal["gatherer", "magicbox", "executor", "dbsync", "api", "alerts"] | None,
    Query(description="The agent's kind; needed only for an agent that has never run."),
]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=64, description="The ETag of the configuration to change."),
]


async def _in_turn(services: ServicesDep, caller: Caller) -> AsyncIterator[None]:
    """Have a request that changes a configuration wait for its tenant's turn, as a question does."""
    async with services.authenticator.budget.spending(caller.tenant, "questions"):
        yield


async def _sent(request: Request, services: ServicesDep, caller: Caller) -> Sent:
    """Return the configuration in a request's body.

    Reading and checking it takes from everybody, so each byte counts as a row that the tenant reads.
    """
    text = await raw_body(request, MAX_CONFIG)
    services.authenticator.budget.spend_rows(caller.tenant, len(text))
    return Sent(text)


SentConfig = Annotated[Sent, Depends(_sent)]
_NOT_THERE: dict[int, str] = {404: "This agent has no configuration that this token may see."}
_PUT: dict[int, str] = {
    **_NOT_THERE,
    412: "The configuration has changed since you read it.",
    428: "If-Match is missing.",
}
_MAX_VERSIONS = 1_000
MAX_CONFIG: Final = 256 * 1024
"""Bytes of a configuration: some thousand symbols of a gatherer."""


class Valid(msgspec.Struct, frozen=True):
    """A configuration without mistakes."""

    valid: bool = True


class RollBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The earlier configuration to put in force again."""

    revision: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{1,64}$")]


def _editor(
    services: ServicesDep,
    caller: Caller,
    agent_id: Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$")],
    tenant: TenantQuery = None,
) -> ConfigEditor:
    tenant_of(caller, tenant)
    return ConfigEditor(services, caller, AgentId(agent_id))


Editor = Annotated[ConfigEditor, Depends(_editor)]


@router.get("/config", operation_id="get_config", responses=returns(ConfigView, also=_NOT_THERE))
async def get_config(editor: Editor) -> Response:
    """Return the configuration in force, secrets masked, and its ETag for If-Match."""
    return _with_tag(await editor.view())


@router.post(
    "/config/validate",
    operation_id="validate_config",
    responses=returns(Valid, also=_NOT_THERE),
    openapi_extra=accepts(dict[str, Any]),
)
async def validate_config(editor: Editor, new: SentConfig, kind: AgentKind = None) -> Response:
    """Check a configuration without putting it in force; every mistake is listed with its path."""
    await editor.checked(new, kind)
    return json_response(Valid())


@router.post(
    "/config/diff",
    operation_id="diff_config",
    responses=returns(ConfigDifference, also=_NOT_THERE),
    openapi_extra=accepts(dict[str, Any]),
)
async def diff_config(editor: Editor, new: SentConfig, kind: AgentKind = None) -> Response:
    """Return what a configuration would change, and which units would start, stop or restart."""
    return json_of(await editor.difference(new, kind))


@router.put(
    "/config",
    operation_id="put_config",
    responses=returns(ConfigView, also=_PUT),
    openapi_extra=accepts(dict[str, Any]),
    dependencies=[Depends(needs("admin")), Depends(_in_turn)],
)
async def put_config(
    request: Request, editor: Editor, new: SentConfig, kind: AgentKind = None, if_match: IfMatch = None
) -> Response:
    """Put a configuration in force; the agent applies it within moments and restarts only the units it changes."""
    view = await editor.put(new, kind, _revision(if_match))
    request.state.audited = {"revision": view.revision}
    return _with_tag(view)


@router.get("/config/history", operation_id="list_config_history", responses=returns(ListOf[ConfigVersion]))
async def list_config_history(editor: Editor, limit: Annotated[int, Query(ge=1, le=_MAX_VERSIONS)] = 50) -> Response:
    """Return the configurations that the agent had, newest first, secrets masked."""
    return json_response(ListOf(await editor.shown_versions(limit)))


@router.post(
    "/config/rollback",
    operation_id="roll_back_config",
    responses=returns(ConfigView, also=_PUT),
    openapi_extra=accepts(RollBack),
    dependencies=[Depends(needs("admin")), Depends(_in_turn)],
)
async def roll_back_config(
    request: Request,
    editor: Editor,
    wanted: Annotated[RollBack, Depends(body_of(RollBack))],
    kind: AgentKind = None,
    if_match: IfMatch = None,
) -> Response:
    """Put an earlier configuration in force again, with its secrets."""
    earlier = await editor.version(wanted.revision)
    view = await editor.put(Sent(earlier.text.encode(), is_exact=True), kind, _revision(if_match))
    request.state.audited = {"revision": view.revision, "rolledBackTo": wanted.revision}
    return _with_tag(view)


@router.get(
    "/plugins",
    operation_id="list_plugins",
    responses=returns(ListOf[PluginDescription], also={404: "No magicbox that this token may see runs with this id."}),
)
async def list_plugins(editor: Editor) -> Response:
    """Return the strategies that a magicbox can run, each with the JSON schema of its `configuration`."""
    return json_response(ListOf(await editor.plugins()))


def _with_tag(view: ConfigView) -> Response:
    return json_response(view, headers={"ETag": f'"{view.revision}"'})


def _revision(if_match: str | None) -> str | None:
    return None if if_match is None else if_match.strip().removeprefix("W/").strip('"')
