"""One agent's configuration as one caller may see and change it."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec

from millrace_api.access.principal import Principal
from millrace_api.configs.diff import ConfigChange, changes
from millrace_api.configs.masking import hidden, restored, still_hidden
from millrace_api.configs.models import MODELS, mistakes
from millrace_api.configs.ownership import may_change, may_see
from millrace_api.problems import ApiError, not_found
from millrace_api.services import Services, redis
from millrace_core.clock import now_ms
from millrace_core.config import revision
from millrace_core.names import AgentId
from millrace_store.records import ConfigRecord

_PAGE = 200


class ConfigView(msgspec.Struct, frozen=True, rename="camel"):
    """A configuration in force; secrets stand as `***`, and may be sent back so to keep them."""

    agent_id: str
    kind: str | None
    """gatherer, magicbox, executor, dbsync, api; null while no such agent was ever seen."""
    revision: str
    config: Any


class ConfigVersion(msgspec.Struct, frozen=True, rename="camel"):
    """A configuration that an agent had from a moment on."""

    revision: str
    at_ms: int
    author: str | None
    """Who put it through the API; null when it was written otherwise."""
    config: Any


@dataclass(frozen=True, slots=True)
class ConfigEditor:
    """One agent's configuration, for one caller."""

    services: Services
    caller: Principal
    agent: AgentId

    async def current(self) -> tuple[bytes, Any]:
        """Return the configuration in force, as text and read.

        Raises:
            ApiError: there is none that this caller may see.
        """
        text = await redis(self.services.bus.get_config(self.agent))
        if text is None or not may_see(self.caller, config := _read(text)):
            raise not_found("configuration of this agent")
        return text, config

    async def view(self) -> ConfigView:
        """Return the configuration in force as it may be shown."""
        text, config = await self.current()
        return ConfigView(self.agent, await self.kind(None), revision(text), hidden(config))

    async def checked(self, new: Any, kind: str | None) -> tuple[bytes, Any]:
        """Return a new configuration as it will be written, with the secrets that it keeps.

        Raises:
            ApiError: it has mistakes, or nobody knows by which rules to check it.
        """
        text = await redis(self.services.bus.get_config(self.agent))
        current = None if text is None else _read(text)
        whole = restored(new, current) if current is not None and may_see(self.caller, current) else new
        if not may_see(self.caller, whole):
            raise ApiError(403, f"it must name the tenant {self.caller.tenant} and no other; an operator may do more")
        written = _written(whole)
        known_kind = await self.kind(kind)
        if known_kind is None:
            raise ApiError(422, f"no such agent was ever seen: say what it is, ?kind={'|'.join(MODELS)}")
        if problems := (*still_hidden(whole), *mistakes(known_kind, self.agent, written)):
            raise ApiError(422, "the configuration has mistakes; nothing was changed", problems=problems)
        return written, whole

    async def difference(self, new: Any) -> list[ConfigChange]:
        """Return what a new configuration would change."""
        _, current = await self.current()
        return changes(current, restored(new, current))

    async def put(self, new: Any, kind: str | None, expected: str | None, as_it_was: bytes | None = None) -> ConfigView:
        """Put a configuration in force in place of the revision that the caller saw; None where it saw none.

        `as_it_was` is the text of one of the past, which so gets its revision again.

        Raises:
            ApiError: it has mistakes, is not the caller's to change, or another was put meanwhile.
        """
        text = await redis(self.services.bus.get_config(self.agent))
        self._may_replace(text, expected)
        written, whole = await self.checked(new, kind)
        written = as_it_was or written
        if not may_change(self.caller, whole):
            raise ApiError(403, f"only one that names {self.caller.tenant} alone is yours to put; ask an operator")
        if not await redis(self.services.bus.replace_config(self.agent, text, written)):
            raise _changed_meanwhile()
        await self._remember(written)
        return ConfigView(self.agent, await self.kind(kind), revision(written), hidden(whole))

    async def versions(self) -> AsyncIterator[tuple[ConfigRecord, Any]]:
        """Return the configurations that this caller may see, newest first, secrets and all."""
        cursor: str | None = None
        while True:
            page = await self.services.store.operations.configs(self.agent, limit=_PAGE, cursor=cursor)
            for record in page.rows:
                if may_see(self.caller, config := _read(record.text.encode())):
                    yield record, config
            if (cursor := page.next_cursor) is None:
                return

    async def kind(self, said: str | None) -> str | None:
        """Return what the agent is: as it says itself, else as the caller says."""
        for heartbeat in await redis(self.services.bus.heartbeats()):
            if heartbeat.id == self.agent and heartbeat.kind in MODELS:
                return heartbeat.kind
        for record in await self.services.store.operations.agents():
            if record.agent_id == self.agent and record.kind in MODELS:
                return record.kind
        return said

    def _may_replace(self, text: bytes | None, expected: str | None) -> None:
        if text is None:
            if expected is not None:
                raise _changed_meanwhile()
            return
        config = _read(text)
        if not may_see(self.caller, config):
            raise not_found("configuration of this agent")
        if not may_change(self.caller, config):
            raise ApiError(403, "other tenants depend on this configuration: an operator changes it (see docs/api.md)")
        if expected is None:
            raise ApiError(428, "send If-Match with the ETag of the configuration that you change (GET gives it)")
        if expected != revision(text):
            raise _changed_meanwhile()

    async def _remember(self, written: bytes) -> None:
        """Note who put it; dbsync notes what is put otherwise."""
        async with self.services.store.batch() as batch:
            author = f"{self.caller.tenant}/{self.caller.name}"
            batch.config(self.agent, revision(written), now_ms(), written.decode(), author)


def version_of(record: ConfigRecord, config: Any) -> ConfigVersion:
    """Return a configuration of the past as it may be shown."""
    return ConfigVersion(record.revision, record.at_ms, record.author, hidden(config))


def _read(text: bytes) -> Any:
    """Read a configuration of whatever form; one that is no JSON names no tenant, and so is the operator's."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _written(config: Any) -> bytes:
    return json.dumps(config, indent=2, ensure_ascii=False).encode()


def _changed_meanwhile() -> ApiError:
    return ApiError(412, "the configuration was changed meanwhile: GET it again, and apply your change to that")
