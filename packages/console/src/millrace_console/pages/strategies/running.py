"""What runs strategies, and what they earned today, as the API says it."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from millrace_console.pages.configuration.agent_config import AgentConfig, known_configs
from millrace_console.pages.overview import QUIET_AGENT_MS, all_agents
from millrace_console.polling import Poll
from millrace_console.visit import Visit
from millrace_core.clock import DAY_MS, now_ms

KIND = "magicbox"


class Magicbox(NamedTuple):
    """An agent that runs strategies: its configuration, and its heartbeat if it runs."""

    config: AgentConfig
    document: Mapping[str, Any]
    agent: Mapping[str, Any] | None

    @property
    def is_old(self) -> bool:
        """Whether its heartbeat is too old to believe."""
        return self.agent is not None and now_ms() - self.agent["sentAt"] > QUIET_AGENT_MS

    def unit(self, name: str) -> Mapping[str, Any] | None:
        """Return a unit of the heartbeat."""
        units = self.agent["units"] if self.agent else ()
        return next((each for each in units if each["name"] == name), None)


Today = dict[tuple[str, str], list[Mapping[str, Any]]]
"""Rows of `/pnl`, by tenant and source."""


async def magicboxes(visit: Visit, poll: Poll) -> list[Magicbox]:
    """Return the agents that run strategies, of those whose configuration the chosen accounts may see.

    Raises:
        ApiError: the API did not answer.
    """
    answers, configs = await asyncio.gather(visit.each(poll, "/agents"), known_configs(visit, poll))
    agents = all_agents(answers)
    boxes = []
    for agent, (account, summary) in configs.items():
        if summary["kind"] == KIND:
            config = AgentConfig(visit.api, account, agent, KIND, may_change=summary["mayChange"])
            await config.load(poll)
            boxes.append(Magicbox(config, json.loads(config.text or "{}"), agents.get(agent)))
    return boxes


async def profits_today(visit: Visit, poll: Poll) -> Today:
    """Return the profits of today (UTC).

    Raises:
        ApiError: the API did not answer.
    """
    found: Today = defaultdict(list)
    for account, answer in await visit.each(poll, "/pnl", since=poll.at_ms // DAY_MS * DAY_MS, by="source"):
        for row in answer["items"]:
            found[account.tenant, row["orderSource"]].append(row)
    return found
