"""Follows an agent's configuration, and starts, stops and restarts its units accordingly."""

import json
from typing import Any

import structlog

from millrace_bus import Bus
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.names import AgentId, config_key
from millrace_service import redaction
from millrace_service.agent import Agent
from millrace_service.agent_units import AgentUnits
from millrace_service.configuration import Plan, plan_of
from millrace_service.errors import describe
from millrace_service.status import AgentStatus

log = structlog.get_logger()


class ConfigFollower:
    """Puts each valid configuration in force. One with mistakes changes nothing and is reported."""

    def __init__(
        self,
        agent: Agent[Any, Any],
        agent_id: AgentId,
        secret_key: bytes | None,
        units: AgentUnits,
        status: AgentStatus,
    ) -> None:
        self._agent = agent
        self._id = agent_id
        self._secret_key = secret_key
        self._units = units
        self._status = status
        self._newest: bytes | None = None

    async def run(self, bus: Bus) -> None:
        """Follow until cancelled."""
        async for text in bus.watch_config(self._id):
            await self.take(text)

    async def take(self, text: bytes | None) -> None:
        """Put the newest configuration in force, or report its mistakes; None means that there is no configuration."""
        if text is None:
            await self._take_none()
        elif text != self._newest:
            await self._take_text(text)
        self._newest = text

    async def _take_none(self) -> None:
        key = config_key(self._id)
        if self._status.revision is None and not self._agent.needs_config:
            log.info("no configuration: using the defaults", key=key)
            await self._take_text(json.dumps({"agent": {"id": self._id}}).encode())
        elif self._status.revision is None:
            log.warning("no configuration yet: set it in Redis", key=key)
            self._status.waits_for_config()
        else:
            self._refuse((Problem("$", f"{key} is gone from Redis; the last configuration stays in force"),))

    async def _take_text(self, text: bytes) -> None:
        try:
            plan = plan_of(self._agent, self._id, text, self._secret_key)
            if self._status.revision is not None:
                await self._agent.check(plan.units_when_started)
        except ConfigInvalid as error:
            self._refuse(error.problems)
        except Exception as error:
            log.exception("the agent cannot read its configuration")
            self._refuse((Problem("$", f"the agent cannot use this configuration: {describe(error)}"),))
        else:
            await self._put_in_force(plan)

    async def _put_in_force(self, plan: Plan) -> None:
        redaction.learn(plan.secrets)
        self._status.in_force(plan.revision, plan.warnings, stopped=plan.stopped)
        changes = await self._units.want(plan)
        log.info(
            "configuration stopped the agent's work" if plan.stopped else "configuration in force",
            revision=plan.revision,
            units=len(plan.units),
            start=len(changes.start),
            restart=len(changes.restart),
            stop=len(changes.stop),
        )
        for warning in plan.warnings:
            log.warning("configuration warning", warning=warning)

    def _refuse(self, problems: tuple[Problem, ...]) -> None:
        self._status.refused(problems)
        for problem in problems:
            log.error(
                "configuration is wrong; nothing was changed",
                path=problem.path,
                problem=problem.message,
                in_force=self._status.revision,
            )
