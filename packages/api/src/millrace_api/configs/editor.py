"""Reading, checking and replacing one agent's configuration on behalf of one caller.

Work on a large text is done by workers: in the event loop it would delay everybody's requests.
"""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import msgspec

from millrace_api.access.principal import Principal
from millrace_api.configs.addresses import forbidden_addresses
from millrace_api.configs.diff import ConfigChange, changes
from millrace_api.configs.effects import UnitEffect, effects
from millrace_api.configs.masking import masked, unmasked, unresolved_masks
from millrace_api.configs.models import MODELS, mistakes
from millrace_api.configs.ownership import (
    OF_ALL_TENANTS,
    decoded,
    may_change,
    may_change_of,
    may_see,
    may_see_of,
    may_take,
    named_in,
)
from millrace_api.configs.plugin_settings import plugin_mistakes
from millrace_api.problems import ApiError, MistakeAt, not_found
from millrace_api.services import Services, redis
from millrace_bus import CommandRefused
from millrace_core.clock import now_ms
from millrace_core.config import MagicboxConfig, parse_config, read_json, revision, tenants_of
from millrace_core.errors import Problem
from millrace_core.names import PUBLIC, AgentId, config_key
from millrace_core.plugins import PluginDescription
from millrace_service.redaction import HIDDEN
from millrace_service.sealing import for_history, sealed, shown
from millrace_store import DatabaseUnavailable
from millrace_store.queries.records import ConfigRecord

T = TypeVar("T")
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


class ConfigDifference(msgspec.Struct, frozen=True):
    """What a configuration would change."""

    items: list[ConfigChange]
    units: list[UnitEffect] | None
    """The units that would start, stop or restart; null when the agent's kind is not known."""


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

    async def current(self) -> tuple[bytes, Any]:
        """Return the configuration in force, as text and decoded.

        Raises:
            ApiError: there is none, or the caller may not see it.
        """
        text = await self.text()
        if text is None or not may_see_of(self.caller, named_in(text)):
            raise not_found("configuration of this agent")
        return text, await self._about(text, decoded, text)

    async def view(self) -> ConfigView:
        """Return the configuration in force, secrets masked."""
        text, _ = await self.current()
        kind = await self.kind(None)
        config, problems = await self._about(text, _shown, text)
        if kind is not None and not problems:
            problems = _listed(await self._about(text, mistakes, kind, self.agent, text))
        return ConfigView(self.agent, kind, revision(text), config, problems)

    async def checked(self, new: Any, kind: str | None, exact_text: bytes | None = None) -> tuple[bytes, Any]:
        """Return a new configuration as text and decoded, with the secrets that it keeps.

        `exact_text` is its text if it has one already; one whose secrets were not kept is not exact.

        Raises:
            ApiError: it has mistakes, or the agent's kind is unknown.
        """
        _check_shape(new)
        text = await self.text()
        current = None if text is None else await self._about(text, decoded, text)
        if not may_see(self.caller, current):
            current = None
        whole = new if current is None else await self._about(text or b"", unmasked, new, current)
        if not self.caller.is_operator and tenants_of(whole) - {self.caller.tenant, PUBLIC}:
            raise ApiError(403, f"the configuration may name only {self.caller.tenant}; ask an operator to name others")
        is_exact = exact_text is not None and HIDDEN.encode() not in exact_text
        written = (exact_text if is_exact else None) or _written(whole)
        known_kind = await self.kind(kind)
        if known_kind is None:
            raise ApiError(422, f"this agent has never run: send its kind, ?kind={'|'.join(MODELS)}")
        if problems := (
            *unresolved_masks(whole),
            *await self._mistakes(known_kind, written),
            *await self._forbidden_addresses(whole, current),
            *self._of_all_tenants(whole, current),
        ):
            raise ApiError(422, "the configuration has mistakes; nothing was changed", problems=problems)
        if not may_see(self.caller, whole):
            raise ApiError(403, f"the configuration must name {self.caller.tenant}; ask an operator to put this one")
        return written, whole

    async def difference(self, new: Any, kind: str | None = None) -> ConfigDifference:
        """Return what a new configuration would change; of an agent that has none, all of it is added.

        Raises:
            ApiError: it has not the form of a configuration, or there is none that the caller may see.
        """
        _check_shape(new)
        text = await self.text()
        current = {} if text is None else (await self.current())[1]
        whole = await self._about(text or b"", unmasked, new, current)
        known_kind = await self.kind(kind)
        written = _written(whole)
        longer = max(text or b"", written, key=len)
        return await self._about(longer, _difference, known_kind, (text, written), current, whole)

    async def put(
        self, new: Any, kind: str | None, expected: str | None, exact_text: bytes | None = None
    ) -> ConfigView:
        """Put a configuration in force, provided that `expected` is still the revision in force (None: there is none).

        `exact_text` is the exact text of an earlier configuration, so that it gets its revision again, unless its
        secrets were not kept.
        Plain secrets are encrypted first, when there is a key.

        Raises:
            ApiError: it has mistakes, the caller may not change it, or it has changed since.
        """
        text = await self.text()
        self._may_replace(text, expected)
        written, whole = await self.checked(new, kind, exact_text)
        if not may_change(self.caller, whole):
            raise ApiError(
                403,
                f"the configuration may name only {self.caller.tenant}; ask an operator to put this one",
            )
        written = self._sealed(whole, written)
        if not await redis(self.services.bus.replace_config(self.agent, text, written)):
            raise _changed_meanwhile()
        await self._remember(written)
        return ConfigView(self.agent, await self.kind(kind), revision(written), masked(whole))

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

    async def version(self, wanted: str) -> tuple[ConfigRecord, Any]:
        """Return a stored configuration by its revision.

        Raises:
            ApiError: the newest thousand that the caller may see hold none of this revision.
        """
        numbers = count()
        async for record in self.versions():
            if record.revision == wanted:
                return record, await self._about(record.text, decoded, record.text)
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

    async def _mistakes(self, kind: str, written: bytes) -> Sequence[Problem]:
        if (found := await self._about(written, mistakes, kind, self.agent, written)) or kind != "magicbox":
            return found
        config = parse_config(MagicboxConfig, written)
        if config.agent.status == "stopped":
            # A strategy that cannot be loaded must keep nobody from stopping the others.
            return []
        plugins = await redis(self.services.bus.plugins(self.agent))
        return [] if plugins is None else plugin_mistakes(config, plugins)

    async def _forbidden_addresses(self, whole: Any, current: Any) -> Sequence[Problem]:
        if self.caller.is_operator:
            return []
        return await forbidden_addresses(whole, current, self.services.config.tenant_networks)

    def _of_all_tenants(self, whole: Any, current: Any) -> Sequence[Problem]:
        """Return a problem for each field that concerns all tenants and that the caller may not change."""
        if self.caller.is_operator:
            return []
        before = current or {}
        text = "concerns all tenants' rows: only an operator may change it"
        return [Problem(f"$.{field}", text) for field in OF_ALL_TENANTS if whole.get(field) != before.get(field)]

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
            if not may_take(self.caller, self.agent):
                raise ApiError(
                    403,
                    f"a new agent of yours is named …-{self.caller.tenant}; ask an operator to put this one",
                )
            if expected is not None:
                raise _changed_meanwhile()
            return
        named = named_in(text)
        if not may_see_of(self.caller, named):
            raise not_found("configuration of this agent")
        if not may_change_of(self.caller, named):
            raise ApiError(403, "other tenants share this configuration: ask an operator to change it")
        if expected is None:
            raise ApiError(428, "send If-Match with the ETag that GET returned for this configuration")
        if expected != revision(text):
            raise _changed_meanwhile()

    def _sealed(self, whole: Any, written: bytes) -> bytes:
        """Return the text to write: the same, unless it has plain secrets and there is a key to encrypt them."""
        if self.services.secret_key is None or (hidden := sealed(whole, self.services.secret_key)) == whole:
            return written
        return _written(hidden)

    async def _remember(self, written: bytes) -> None:
        """Store the configuration with its author; dbsync stores those that are written to Redis directly."""
        async with self.services.store.batch() as batch:
            author = f"{self.caller.tenant}/{self.caller.name}"
            kept = for_history(written, self.services.secret_key)
            batch.config(self.agent, revision(written), now_ms(), kept, author)


def _version_of(record: ConfigRecord) -> ConfigVersion:
    """Return a stored configuration, secrets masked."""
    config, problems = _shown(record.text)
    return ConfigVersion(record.revision, record.at_ms, record.author, config, problems)


def _shown(text: bytes | str) -> tuple[Any, list[MistakeAt]]:
    """Return a configuration with its secrets masked; one with mistakes in its form as the text that it is."""
    value, problems = read_json(text)
    if not problems:
        return masked(value), []
    return shown(text), _listed(problems)


def _listed(problems: Sequence[Problem]) -> list[MistakeAt]:
    return [MistakeAt(path.encode(errors="replace").decode(), message) for path, message in problems]


def _difference(kind: str | None, texts: tuple[bytes | None, bytes], current: Any, whole: Any) -> ConfigDifference:
    units = None if kind is None else effects(kind, *texts)
    return ConfigDifference(changes(current, whole), units)


def _written(config: Any) -> bytes:
    return json.dumps(config, indent=2, ensure_ascii=False).encode()


def _check_shape(new: Any) -> None:
    """Refuse what is no configuration at all, such as the whole answer of GET.

    Raises:
        ApiError: the text says what is expected.
    """
    if new is None:
        raise ApiError(422, "this revision has mistakes in its form: put a corrected one; nothing was changed")
    if "agent" in new:
        return
    expected = 'the configuration itself is expected: {"agent": {"id": …}, …}'
    if isinstance(new.get("config"), dict):
        expected += "; of what GET returned, send the value of `config` alone"
    raise ApiError(422, f"{expected}; nothing was changed", problems=[Problem("$.agent", "is required")])


def _changed_meanwhile() -> ApiError:
    return ApiError(412, "the configuration has changed since: GET it again and repeat your change")
