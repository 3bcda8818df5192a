"""One agent's configuration, by the API."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from millrace_console.accounts import Account
from millrace_console.api import Api, ApiRefused, Source
from millrace_console.visit import Visit


def as_text(config: Any) -> str:
    """Return a configuration as people edit it; a text with mistakes in its form as it is."""
    return config if isinstance(config, str) else json.dumps(config, indent=2, ensure_ascii=False)


class AgentConfig:
    """Reads, checks and saves one agent's configuration in the name of one account."""

    def __init__(self, api: Api, account: Account, agent: str, kind: str | None, *, may_change: bool) -> None:
        self._api, self.account = api, account
        self.agent, self.kind = agent, kind
        self.may_change = may_change
        self.revision: str | None = None
        """Of the configuration that `text` is; None while the agent has none."""
        self.text = ""
        """As it is in force, secrets masked."""
        self.plugins: dict[str, Mapping[str, Any]] = {}
        """The schemas of strategies' settings, by name."""

    @property
    def path(self) -> str:
        """The path of its routes."""
        return f"{self.agent_path}/config"

    @property
    def agent_path(self) -> str:
        """The path of the agent, for the API."""
        return f"/agents/{quote(self.agent, safe='')}"

    async def load(self, source: Source | None = None) -> None:
        """Read the configuration in force, of the API or a poll; an agent without one keeps an empty text.

        Raises:
            ApiError: the API does not answer, or refuses for another reason than that there is none.
        """
        source = source or self._api
        try:
            self._take(await source.get(self.account, self.path))
        except ApiRefused as refused:
            if refused.status != 404:
                raise
        if self.kind == "magicbox":
            self.plugins = await self._schemas(source)

    async def problems(self, text: str) -> list[Mapping[str, str]]:
        """Return every mistake that the API finds in a text that is a JSON object.

        Raises:
            ApiError: the API does not answer.
        """
        try:
            await self._ask("POST", "/validate", text)
        except ApiRefused as refused:
            if refused.status >= 500 or refused.status == 429:
                raise
            return list(refused.problems) or [{"path": "$", "message": str(refused)}]
        return []

    async def difference(self, text: str) -> dict[str, Any]:
        """Return what a text would change: `items`, and `units` that start, stop or restart (None: not known)."""
        found: dict[str, Any] = await self._ask("POST", "/diff", text)
        return found

    async def save(self, text: str) -> None:
        """Put a text in force, if the configuration is still the one that was read.

        Raises:
            ApiRefused: it has mistakes, or somebody changed the configuration meanwhile (412).
        """
        headers = {"If-Match": f'"{self.revision}"'} if self.revision else {}
        self._take(await self._ask("PUT", "", text, headers))

    async def history(self) -> list[dict[str, Any]]:
        """Return the configurations that the agent had, newest first."""
        found = await self._api.get(self.account, f"{self.path}/history", limit=100)
        items: list[dict[str, Any]] = found["items"]
        return items

    async def roll_back(self, revision: str) -> None:
        """Put an earlier configuration in force again.

        Raises:
            ApiRefused: it has mistakes by now, or somebody changed the configuration meanwhile (412).
        """
        body = json.dumps({"revision": revision})
        self._take(await self._ask("POST", "/rollback", body, {"If-Match": f'"{self.revision}"'}))

    def _take(self, view: Mapping[str, Any]) -> None:
        self.revision, self.text = view["revision"], as_text(view["config"])
        self.kind = view["kind"] or self.kind

    async def _ask(self, method: str, tail: str, text: str, headers: Mapping[str, str] | None = None) -> Any:
        return await self._api.ask(
            self.account, method, self.path + tail, query={"kind": self.kind}, body=text.encode(), headers=headers
        )

    async def _schemas(self, source: Source) -> dict[str, Mapping[str, Any]]:
        try:
            found = await source.get(self.account, f"{self.agent_path}/plugins")
        except ApiRefused:
            return {}  # the magicbox does not run, so its strategies are not known
        return {each["name"]: each["schema"] or {} for each in found["items"]}


async def known_configs(visit: Visit, source: Source) -> dict[str, tuple[Account, dict[str, Any]]]:
    """Return the configurations that the chosen accounts may see, by agent, each with the account that may do most."""
    found: dict[str, tuple[Account, dict[str, Any]]] = {}
    for account, answer in await visit.each(source, "/configs"):
        for each in answer["items"]:
            known = found.get(each["agentId"])
            if known is None or each["mayChange"] > known[1]["mayChange"]:
                found[each["agentId"]] = account, each
    return dict(sorted(found.items()))
