"""Reading, checking and replacing one agent's configuration on behalf of one caller.

Work on a large text is done by workers: in the event loop it would delay everybody's requests.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import msgspec

from millrace_api.access.principal import Principal
from millrace_api.configs.addresses import forbidden_addresses
from millrace_api.configs.examined import MISTAKES, About, Examined, Malformed, Sent, difference, examine, seal, show
from millrace_api.configs.models import MODELS, mistakes
from millrace_api.configs.ownership import may_change_of, may_see_of, may_take, named_in
from millrace_api.patience import answer_within
from millrace_api.problems import ApiError, MistakeAt, not_found
from millrace_api.services import Services, redis, redis_change
from millrace_bus import CommandRefused
from millrace_core.clock import now_ms
from millrace_core.config import revision
from millrace_core.errors import Problem
from millrace_core.names import PUBLIC, AgentId, config_key
from millrace_core.plugins import PluginDescription
from millrace_service.sealing import for_history
from millrace_store import DatabaseUnavailable
from millrace_store.queries.records import ConfigRecord

T = TypeVar("T")
PATIENCE_S = 2.0
"""How long the database may take to store a configuration that is in force: the history can do without its author."""
_PAGE = 200
_MAX_VERSIONS = 1_000


class ConfigView(msgspec.Struct, frozen=True, rename="camel"):
    """A configuration in force. Secrets read `***`; sent back as `***` they keep their value."""

    agent_id: str
    kind: str | None
    """gatherer, magicbox, executor, dbsync, api; null when the agent has never run."""
    revision: str
    config: Any
    """A text with mistakes in its form stands here as it is."""
    problems: list[MistakeAt] = []
    """What is wrong with it."""


class ConfigVersion(msgspec.Struct, frozen=True, rename="camel"):
    """An earlier or present configuration of an agent."""

    revision: str
    at_ms: int
    author: str | None
    """The name of the token that put it through the API; null if it was written to Redis directly."""
    config: Any
    problems: list[MistakeAt] = []
    """The mistakes in its form; a text that has some is shown as it is."""


@dataclass(frozen=True, slots=True)
class ConfigEditor:
    """Edits one agent's configuration for one caller."""

    services: Services
    caller: Principal
    agent: AgentId

    async def text(self) -> bytes | None:
        """Return the text in force, or None.

        Raises:
            ApiError: what stands at its key in Redis is no text.
        """
        try:
            return await redis(self.services.bus.get_config(self.agent))
        except ApiError as error:
            if not isinstance(error.__cause__, CommandRefused) or error.__cause__.code != "WRONGTYPE":
                raise
            if not may_take(self.caller, self.agent):
                raise not_found("configuration of this agent") from error
            key = config_key(self.agent)
            text = f"what stands at {key} in Redis is no text: delete the key (DEL {key}), then put a configuration"
            raise ApiError(409, text) from error

    async def current(self) -> bytes:
        """Return the text in force.

        Raises:
            ApiError: there is none, or the caller may not see it.
        """
        text = await self.text()
        if text is None or not may_see_of(self.caller, named_in(text)):
            raise not_found("configuration of this agent")
        return text

    async def replaceable(self) -> bytes | None:
        """Return the text in force; None for an agent that has none, and to which the caller may give one.

        Raises:
            ApiError: the agent is neither; whether there is one of this id, and of which kind, is not told.
        """
        text = await self.text()
        if may_take(self.caller, self.agent) if text is None else may_see_of(self.caller, named_in(text)):
            return text
        own = "" if self.caller.is_operator else f"; a new agent of yours is named …-{self.caller.tenant}"
        raise ApiError(404, f"there is no configuration of this agent for this tenant{own}")

    async def view(self) -> ConfigView:
        """Return the configuration in force, secrets masked."""
        text = await self.current()
        kind = await self.kind(None)
        shown = await self._about(text, show, text)
        problems = shown.problems
        if kind is not None and not problems:
            problems = await self._about(text, mistakes, kind, self.agent, text)
        return ConfigView(self.agent, kind, revision(text), shown.config, _listed(problems))

    async def checked(self, sent: Sent, kind: str | None) -> Examined:
        """Return a new configuration, with the secrets that it keeps.

        Raises:
            ApiError: it has mistakes, or the agent's kind is unknown.
        """
        text = await self.replaceable()
        known_kind = await self.kind(kind)
        plugins = await redis(self.services.bus.plugins(self.agent)) if known_kind == "magicbox" else None
        about = About(self.agent, known_kind, text, plugins)
        new = _formed(await self._about(_longer(text, sent.text), examine, sent, about))
        if not self.caller.is_operator and new.tenants - {self.caller.tenant, PUBLIC}:
            raise ApiError(403, f"the configuration may name only {self.caller.tenant}; ask an operator to name others")
        if known_kind is None:
            raise ApiError(422, f"this agent has never run: send its kind, ?kind={'|'.join(MODELS)}")
        if problems := [*new.problems, *await self._not_allowed(new, known_kind)]:
            raise ApiError(422, MISTAKES, problems=problems)
        if not may_see_of(self.caller, new.tenants):
            raise ApiError(403, f"the configuration must name {self.caller.tenant}; ask an operator to put this one")
        return new

    async def difference(self, sent: Sent, kind: str | None = None) -> bytes:
        """Return what a new configuration would change, as JSON of `ConfigDifference`.

        Of an agent that has none, all of it is added.

        Raises:
            ApiError: it has not the form of a configuration, or there is none that the caller may see.
        """
        text = await self.replaceable()
        about = About(self.agent, await self.kind(kind), text)
        # A short text may stand for many units.
        return _formed(await self.services.questions.work(difference, sent, about))

    async def put(self, sent: Sent, kind: str | None, expected: str | None) -> ConfigView:
        """Put a configuration in force, provided that `expected` is still the revision in force (None: there is none).

        Plain secrets are encrypted first, when there is a key.

        Raises:
            ApiError: it has mistakes, the caller may not change it, or it has changed since.
        """
        text = await self.replaceable()
        self._may_replace(text, expected)
        new = await self.checked(sent, kind)
        if not may_change_of(self.caller, new.tenants):
            raise ApiError(
                403,
                f"the configuration may name only {self.caller.tenant}; ask an operator to put this one",
            )
        written, key = new.written, self.services.secret_key
        if key is not None:
            written = await self._about(written, seal, written, key)
        # All that can fail comes first: what is in force must not be answered as if nothing was done.
        shown = await self._about(written, show, written)
        view = ConfigView(self.agent, await self.kind(kind), revision(written), shown.config)
        kept = await self._about(written, for_history, written, key)
        if not await redis_change(self.services.bus.replace_config(self.agent, text, written)):
            raise _changed_meanwhile()
        with suppress(TimeoutError, DatabaseUnavailable):
            await answer_within(PATIENCE_S, self._remember(view.revision, kept), goes_on=True)
        return view

    async def versions(self) -> AsyncIterator[ConfigRecord]:
        """Return the stored configurations that the caller may see, newest first, with their secrets."""
        cursor: str | None = None
        while True:
            page = await self.services.store.operations.configs(self.agent, limit=_PAGE, cursor=cursor)
            for record in page.rows:
                if may_see_of(self.caller, named_in(record.text.encode())):
                    yield record
            if (cursor := page.next_cursor) is None:
                return

    async def shown_versions(self, limit: int) -> list[ConfigVersion]:
        """Return the newest of them, secrets masked."""
        found: list[ConfigVersion] = []
        async for record in self.versions():
            found.append(await self._about(record.text, _version_of, record))
            if len(found) == limit:
                break
        return found

    async def version(self, wanted: str) -> ConfigRecord:
        """Return a stored configuration by its revision.

        Raises:
            ApiError: the newest thousand that the caller may see hold none of this revision.
        """
        numbers = count()
        async for record in self.versions():
            if record.revision == wanted:
                return record
            if next(numbers) > _MAX_VERSIONS:
                break
        raise not_found("configuration with this revision in the agent's history")

    async def kind(self, default: str | None) -> str | None:
        """Return the agent's kind from its heartbeats, live or stored, else `default`; so while no database answers."""
        for heartbeat in await redis(self.services.bus.heartbeats()):
            if heartbeat.id == self.agent and heartbeat.kind in MODELS:
                return heartbeat.kind
        with suppress(DatabaseUnavailable):
            for record in await self.services.store.operations.agents():
                if record.agent_id == self.agent and record.kind in MODELS:
                    return record.kind
        return default

    async def _about(self, text: bytes | str, function: Callable[..., T], *arguments: Any) -> T:
        return await self.services.questions.about(text, function, *arguments)

    async def _not_allowed(self, new: Examined, kind: str) -> Sequence[Problem]:
        """Return a problem for each part of a configuration that only an operator may put."""
        if self.caller.is_operator:
            return []
        config = self.services.config
        most = config.tenant_limits.streams if kind == "gatherer" else config.tenant_limits.strategies
        text = f"a tenant's own are {most:,} at most, and these may be {new.size:,}: ask an operator to put more"
        too_many = [Problem("$.workplans", text)] if new.size > most and new.is_larger else []
        return [*new.reserved, *too_many, *await forbidden_addresses(new.addresses, config.tenant_networks)]

    async def plugins(self) -> list[PluginDescription]:
        """Return the strategies that the agent can run, for callers that may see its configuration or create it.

        Raises:
            ApiError: the agent is no magicbox that runs, or the caller may not see its configuration.
        """
        text = await self.text()
        plugins = await redis(self.services.bus.plugins(self.agent))
        is_seen = may_take(self.caller, self.agent) if text is None else may_see_of(self.caller, named_in(text))
        if plugins is None or not is_seen:
            raise not_found("running magicbox with this id")
        return plugins

    def _may_replace(self, text: bytes | None, expected: str | None) -> None:
        if text is None:
            if expected is not None:
                raise _changed_meanwhile()
            return
        if not may_change_of(self.caller, named_in(text)):
            raise ApiError(403, "other tenants share this configuration: ask an operator to change it")
        if expected is None:
            raise ApiError(428, "send If-Match with the ETag that GET returned for this configuration")
        if expected != revision(text):
            raise _changed_meanwhile()

    async def _remember(self, version: str, kept: str) -> None:
        """Store the configuration with its author; dbsync stores the others, without one."""
        author = f"{self.caller.tenant}/{self.caller.name}"
        async with self.services.store.batch() as batch:
            batch.config(self.agent, version, now_ms(), kept, author)


def _version_of(record: ConfigRecord) -> ConfigVersion:
    """Return a stored configuration, secrets masked."""
    config, problems = show(record.text)
    return ConfigVersion(record.revision, record.at_ms, record.author, config, _listed(problems))


def _listed(problems: Sequence[Problem]) -> list[MistakeAt]:
    return [MistakeAt(path.encode(errors="replace").decode(), message) for path, message in problems]


def _longer(text: bytes | None, sent: bytes) -> bytes:
    return max(text or b"", sent, key=len)


def _formed(found: T | Malformed) -> T:
    """Return what was found of a configuration.

    Raises:
        ApiError: it is none.
    """
    if isinstance(found, Malformed):
        raise ApiError(422, found.detail, problems=found.problems)
    return found


def _changed_meanwhile() -> ApiError:
    return ApiError(412, "the configuration has changed since: GET it again and repeat your change")
