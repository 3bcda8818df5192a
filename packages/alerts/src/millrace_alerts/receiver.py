"""The unit of one receiver: sends what waits for it, again and again until it is taken."""

import asyncio
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple, NoReturn

import structlog

from millrace_alerts.delivery import deliver
from millrace_alerts.memory import AlertMessage
from millrace_alerts.outbox import Outbox
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.names import Tenant
from millrace_service import UnitHealthReporter

MOST_TEXT: Final = 3_500
"""Characters of what is sent at once: messengers refuse longer texts, Telegram those of more than 4,096."""
MOST_TITLES: Final = 1_500
"""How many of them the titles of messages that go together may take; further messages go next."""
END_S: Final = 2.0
"""How long a message that is on its way is waited for at the end: what was taken unseen would be told once more."""
RETRIES: Final = BackoffPolicy(first_s=1.0, limit_s=300.0)

log = structlog.get_logger()


class ReceiverPlan(NamedTuple):
    """One receiver."""

    tenant: Tenant
    name: str
    address: str

    @property
    def key(self) -> str:
        """Return the name of the unit, which says whose it is."""
        return f"{self.tenant}.{self.name}"

    def __repr__(self) -> str:
        return f"ReceiverPlan({self.key})"


class Receiver:
    """Sends to one receiver."""

    def __init__(self, plan: ReceiverPlan, outbox: Outbox, health: UnitHealthReporter) -> None:
        self._plan = plan
        self._outbox = outbox
        self._health = health
        self._backoff = Backoff(RETRIES)

    async def run(self) -> NoReturn:
        """Send until cancelled."""
        self._health.state("live")
        while True:
            messages = fitting(await self._outbox.waiting(self._plan.key))
            sending = asyncio.create_task(self._send(messages))
            try:
                pause_s = await asyncio.shield(sending)
            finally:
                await asyncio.wait([sending], timeout=END_S)
            await asyncio.sleep(pause_s)

    async def _send(self, messages: list[AlertMessage]) -> float:
        """Send once; return how long to wait before the next attempt, in s."""
        refusal = await deliver(self._plan.address, *together(messages))
        if refusal is not None:
            return self._refused(refusal)
        await self._outbox.taken(self._plan.key, messages)
        self._taken(len(messages))
        return 0.0

    def _taken(self, count: int) -> None:
        self._health.count("sent", count)
        if self._backoff.failures:
            log.info("a receiver takes messages again", receiver=self._plan.key)
        self._backoff.recovered()
        self._health.state("live")

    def _refused(self, why: str) -> float:
        pause_s = self._backoff.failed()
        self._health.count("refused")
        if self._backoff.failures == 1:
            log.warning("a message was not delivered; trying again", receiver=self._plan.key, cause=why)
            self._health.error(f"not delivered: {why}")
        self._health.state("stale", f"not delivered in {self._backoff.failures} attempts: {why}")
        return pause_s


def fitting(messages: Sequence[AlertMessage]) -> list[AlertMessage]:
    """Return as many messages as go together: one, and the others whose titles fit."""
    lengths = accumulate(len(each.title) for each in messages)
    return [
        each
        for number, (each, length) in enumerate(zip(messages, lengths, strict=True))
        if number == 0 or length <= MOST_TITLES
    ]


def together(messages: Sequence[AlertMessage]) -> tuple[str, str]:
    """Return the title and body of one message for several: the bodies as far as they fit, and every title."""
    if len(messages) == 1:
        return messages[0].title, messages[0].body[:MOST_TEXT]
    room = MOST_TEXT - sum(len(each.title) for each in messages)
    parts: list[str] = []
    for each in messages:
        fits = len(each.body) <= room
        room -= len(each.body) if fits else 0
        parts.append(f"{each.title}\n{each.body}" if fits else each.title)
    return f"{messages[0].title} (and {len(messages) - 1} more)", "\n\n".join(parts)
