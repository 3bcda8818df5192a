"""The unit that judges all rules, once a second, and hands what is to be told to the receivers."""

import asyncio
from collections.abc import Collection
from typing import Final, NamedTuple, NoReturn

import structlog

from millrace_alerts.conditions import REDIS, conditions, events
from millrace_alerts.digest import Digest
from millrace_alerts.memory import AlertMessage, SavedMemory
from millrace_alerts.observation import Losses, Observation
from millrace_alerts.observer import Observer
from millrace_alerts.outbox import Outbox
from millrace_alerts.wording import body_of, title_of
from millrace_bus import Bus
from millrace_core.config import AlertRule
from millrace_core.names import AgentId
from millrace_service import UnitHealthReporter

EVERY_S: Final = 1.0

log = structlog.get_logger()


class WatchedRule(NamedTuple):
    """A rule, and the keys of the receivers that it tells."""

    rule: AlertRule
    receivers: tuple[str, ...]


class WatchPlan(NamedTuple):
    """All rules."""

    agent: AgentId
    environment: str
    rules: tuple[WatchedRule, ...]
    gather_s: float
    receivers: tuple[str, ...]
    """Every receiver that there is."""


class Watch:
    """Judges the rules of a plan."""

    def __init__(
        self,
        plan: WatchPlan,
        bus: Bus,
        saved: SavedMemory,
        outbox: Outbox,
        losses: Losses,
        health: UnitHealthReporter,
    ) -> None:
        self._plan, self._bus, self._saved, self._outbox = plan, bus, saved, outbox
        self._losses, self._health = losses, health

    async def run(self) -> NoReturn:
        """Look once a second, until cancelled."""
        await self._saved.load(self._plan.agent)
        self._forget()
        kinds = {watched.rule.kind for watched in self._plan.rules}
        async with self._bus.journals() as journals:
            observer = Observer(
                self._bus,
                journals,
                self._saved.memory,
                wants_answers="failedExecution" in kinds,
                wants_halts="halt" in kinds,
            )
            while True:
                seen = await observer.look(self._losses)
                self._judge(seen)
                await self._saved.save()
                self._show(seen)
                await asyncio.sleep(EVERY_S)

    def _judge(self, seen: Observation) -> None:
        for watched in self._plan.rules:
            digest = self._digest(watched.rule)
            holding = conditions(watched.rule, seen)
            begun = digest.observe(holding, seen.now_ms, _unseen(seen, digest))
            happened = events(watched.rule, seen, holding)
            for text in happened:
                digest.add(text, seen.now_ms)
            self._health.count("raised", begun + len(happened))
            self._tell(watched, digest, seen.now_ms)

    def _tell(self, watched: WatchedRule, digest: Digest, now_ms: int) -> None:
        rule = watched.rule
        # A condition has passed its threshold when it begins; of events so many are needed.
        least = rule.limit if rule.kind in ("failedExecution", "gap") else 1
        if not digest.is_due(now_ms, least=least, gather_s=self._plan.gather_s, quiet_s=rule.quiet_seconds):
            return
        if all(self._outbox.has(receiver, rule.label) for receiver in watched.receivers):
            # Nobody has taken the message before: what happens meanwhile is summed up.
            return
        summary = digest.take(now_ms)
        message = AlertMessage(title_of(rule, self._plan.environment, summary), body_of(summary), now_ms, rule.label)
        log.info("alert", rule=rule.label, title=message.title)
        for receiver in watched.receivers:
            self._count_given_up(self._outbox.put(receiver, message))

    def _digest(self, rule: AlertRule) -> Digest:
        return self._saved.memory.digests.setdefault(rule.label, Digest())

    def _forget(self) -> None:
        """Forget rules and receivers that are in the configuration no more."""
        labels = {watched.rule.label for watched in self._plan.rules}
        memory = self._saved.memory
        memory.digests = {label: digest for label, digest in memory.digests.items() if label in labels}
        for receiver in self._outbox.forget_all_but(self._plan.receivers):
            self._health.error(f"messages to {receiver} are given up: it is in the configuration no more")

    def _count_given_up(self, count: int) -> None:
        self._health.count("dropped", count)
        if count:
            self._health.error("too many messages wait for one receiver; the oldest are given up")

    def _show(self, seen: Observation) -> None:
        digests = self._saved.memory.digests.values()
        self._health.gauge("active", sum(len(digest.active) for digest in digests))
        self._health.gauge("waiting", self._outbox.count())
        gone = seen.redis_gone_ms is not None
        self._health.state("stale" if gone else "live", "Redis does not answer" if gone else None)


def _unseen(seen: Observation, digest: Digest) -> Collection[str]:
    """Return what nothing is known of now: agents that are gone; without Redis, everything but Redis."""
    if seen.redis_gone_ms is None:
        return seen.missing.keys()
    return {key.partition(" ")[0] for key in digest.active} - {REDIS}
