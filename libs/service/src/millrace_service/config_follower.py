"""Follows an agent's configuration, and starts, stops and restarts its units accordingly."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, Final

import structlog

from millrace_bus import Bus
from millrace_core.backoff import BackoffPolicy
from millrace_core.config import read_json
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.names import AgentId, config_key
from millrace_service import redaction
from millrace_service.agent import Agent
from millrace_service.agent_units import AgentUnits
from millrace_service.configuration import Plan, opened_config, plan_of
from millrace_service.errors import describe
from millrace_service.status import AgentStatus

_RECHECK: Final = BackoffPolicy(first_s=5, limit_s=60)
"""The pauses before what an agent's `check` refused is checked again."""

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
        self._is_preparing = False
        self._is_outdated = False
        """Whether the agent would plan other units for the newest configuration than it did."""
        self._refusals = 0
        """How often `check` has refused the newest configuration, in a row."""

    async def run(self, bus: Bus) -> None:
        """Follow until cancelled."""
        texts = aiter(bus.watch_config(self._id))
        arrival = asyncio.ensure_future(anext(texts))
        try:
            while True:
                text = await arrival
                arrival = asyncio.ensure_future(anext(texts))
                await self._take_unless_newer(text, arrival)
                while not await self._is_followed_by(arrival):
                    await self._take_unless_newer(text, arrival)
        finally:
            arrival.cancel()
            await asyncio.wait({arrival})

    async def _is_followed_by(self, arrival: "asyncio.Future[bytes | None]") -> bool:
        """Wait for the next configuration; return False if the present one is to be taken again before.

        That is one that `check` refused, after a pause, and any one for which the agent would plan other units.
        """
        outdated = asyncio.ensure_future(self._agent.outdated())
        pause_s = _RECHECK.pause_s(self._refusals) if self._refusals else None
        either: set[asyncio.Future[Any]] = {arrival, outdated}
        try:
            await asyncio.wait(either, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
            if outdated.done():
                outdated.result()
                self._is_outdated = True
        finally:
            outdated.cancel()
            await asyncio.wait({outdated})
        return arrival.done()

    async def _take_unless_newer(self, text: bytes | None, arrival: "asyncio.Future[bytes | None]") -> None:
        """Take a configuration; give it up while its preparation takes long, when a newer one arrives."""
        if arrival.done():
            return
        taking = asyncio.create_task(self.take(text))
        either: set[asyncio.Future[Any]] = {taking, arrival}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self._is_preparing:
                taking.cancel()
            await asyncio.wait({taking})
        finally:
            taking.cancel()
            await asyncio.wait({taking})
        if not (taking.cancelled() and arrival.done()):
            taking.result()

    async def take(self, text: bytes | None) -> None:
        """Put the newest configuration in force, or report its mistakes; None means that there is no configuration.

        What `check` has refused is checked each time: the cause may lie outside of the configuration, as in a file.
        """
        if text != self._newest:
            # Nothing is known of the newest one until this has been decided, since it may be given up.
            self._newest, self._refusals = None, 0
        elif text is not None and self._refusals == 0 and not self._is_outdated:
            return
        self._is_outdated = False
        if text is None:
            await self._take_none()
        else:
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
        redaction.learn_document(read_json(text)[0])
        plan: Plan | None = None
        try:
            opened = opened_config(self._agent.config_model, self._id, text, self._secret_key)
            await self._prepare(self._agent.learn(opened.config))
            plan = plan_of(self._agent, opened)
            if self._status.revision is not None:
                await self._prepare(self._agent.check(self._units.starting(plan)))
        except ConfigInvalid as error:
            self._refuse(error.problems, was_read=plan is not None)
        except Exception as error:
            log.exception("the agent cannot read its configuration")
            problem = Problem("$", f"the agent cannot use this configuration: {describe(error)}")
            self._refuse((problem,), was_read=plan is not None)
        else:
            await self._put_in_force(plan)
            self._refusals = 0

    async def _prepare(self, preparation: Coroutine[Any, Any, None]) -> None:
        """Do what may take long, and is given up when a newer configuration arrives."""
        self._is_preparing = True
        try:
            await preparation
        finally:
            self._is_preparing = False

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

    def _refuse(self, problems: tuple[Problem, ...], *, was_read: bool = False) -> None:
        """Report mistakes; once the configuration could be read they may lie outside of it, and be mended there."""
        self._status.refused(problems)
        self._refusals += was_read
        if self._refusals > 1:
            return
        for problem in problems:
            log.error(
                "configuration is wrong; nothing was changed",
                path=problem.path,
                problem=problem.message,
                in_force=self._status.revision,
            )
