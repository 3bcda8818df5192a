"""Which account's desk takes which request, also while an account starts, restarts, or is just being configured."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from millrace_core.names import ExchangeId, Tenant
from millrace_executor.accepted_request import Work

GRACE_S = 2.0
"""How long a request waits for an account that is not there: its configuration may be on its way."""


class AccountKey(NamedTuple):
    """One tenant's account on one exchange."""

    tenant: Tenant
    exchange: ExchangeId

    def __str__(self) -> str:
        return f"{self.tenant}.{self.exchange}"


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A request on its way through the executor, and whom to tell."""

    work: Work
    account: AccountKey
    accepted_ns: int
    done: Callable[[], Awaitable[None]]
    """Say that it is answered, and need not come again."""
    no_account: Callable[["Job", str], None]
    """Have it answered that there is no such account, for this reason."""


Take = Callable[[Job], None]


class Desks:
    """The desks that are open, and the jobs that wait for one to open."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._open: dict[AccountKey, Take] = {}
        self._waiting: dict[AccountKey, dict[Job, asyncio.TimerHandle]] = {}

    def open(self, account: AccountKey, take: Take) -> None:
        """Let an account's desk take its jobs, first those that waited for it."""
        self._open[account] = take
        for job, timer in self._waiting.pop(account, {}).items():
            timer.cancel()
            take(job)

    def close(self, account: AccountKey, take: Take) -> None:
        """Let a desk take no more jobs; another that opened since is left alone."""
        if self._open.get(account) == take:
            del self._open[account]

    def route(self, job: Job) -> None:
        """Hand a job to its desk; it waits `grace_s` for one to open, and is then told that there is none."""
        if take := self._open.get(job.account):
            take(job)
            return
        timer = asyncio.get_running_loop().call_later(self._grace_s, self._give_up, job)
        self._waiting.setdefault(job.account, {})[job] = timer

    def shut(self) -> None:
        """Forget what waits: the executor ends, and whoever runs next takes it from the journal."""
        for jobs in self._waiting.values():
            for timer in jobs.values():
                timer.cancel()
        self._waiting.clear()

    def _give_up(self, job: Job) -> None:
        self._waiting.get(job.account, {}).pop(job, None)
        tenant, exchange = job.account
        there = ", ".join(sorted(key.exchange for key in self._open if key.tenant == tenant)) or "none"
        job.no_account(
            job,
            f"the executor has no account of {tenant} on {exchange}: its configuration must name "
            f"exchanges.{tenant}.{exchange} (accounts at work for {tenant}: {there})",
        )
