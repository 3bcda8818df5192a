"""The gate that every request to an exchange passes: no limit is broken, and no pause that the exchange asked for.

One gate stands before one account, or the public, on one exchange; what is used it counts in a budget that may be
shared with other processes. Cancels go before new orders, those before questions, and questions before history: each
may fill a limit only so far, so that there is always something left for what is more urgent.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from millrace_core.budget import Charge, LocalBudget, RequestBudget, Verdict
from millrace_core.clock import now_ms
from millrace_core.names import budget_key
from millrace_exchange.errors import Retryable
from millrace_exchange.profile import CONNECT, ExchangeProfile, RateLimit
from millrace_exchange.refusals import Answer, LimitReport, pause_ms

PATIENCE_S: Final = 5.0
"""How long a question waits for its turn before its asker is told when to come again."""
ORDERS: Final = frozenset({"createOrder", "editOrder"})
CANCELS: Final = frozenset({"cancelOrder", "cancelAllOrders"})
HISTORY: Final = frozenset({"fetchClosedOrders", "fetchMyTrades", "fetchOHLCV", "fetchOrders", "fetchTrades"})
_PERCENT: Final = {"cancel": 100, "order": 90, "question": 70, "history": 50}
"""How far each kind of request may fill a limit that also counts cancels."""
_PAUSE_WINDOW_MS: Final = 1_000
_REPORT_S: Final = 0.5
"""How often it reports what is left, at most."""

Gauge = Callable[[str, int | float], None]
"""Takes a number that goes up and down, by its name."""


class CountedLimit(NamedTuple):
    """A limit of the profile, and where it is counted."""

    rule: RateLimit
    key: str

    def weight(self, weight: int) -> int:
        """Return what a request of a weight takes of it."""
        return weight if self.rule.counts == "weight" else 1


class RequestGate:
    """Lets requests through, one account's or the public's."""

    def __init__(
        self,
        profile: ExchangeProfile,
        access: RequestBudget | None = None,
        *,
        place: str | None = None,
        account: str | None = None,
    ) -> None:
        """`place` names the exchange whose limits are counted, `account` the account; None without a key.

        Without `access` to a budget it counts for itself alone.
        """
        access = access or RequestBudget(LocalBudget())
        place = place or profile.exchange
        owners = {"ip": access.egress, "account": account and f"account-{account}"}
        self._profile = profile
        self._access = access
        self._address = Charge(budget_key(place, access.egress, "address"), _PAUSE_WINDOW_MS, 0, 0, 0)
        self._limits = [
            CountedLimit(rule, budget_key(place, owner, rule.name))
            for rule in profile.requests.limits
            if (owner := owners[rule.scope]) is not None
        ]
        self._allowed = {limit.key: limit.rule.weight for limit in self._limits}
        self._gauges: set[Gauge] = set()
        self._next_report: asyncio.TimerHandle | None = None
        self._known_charges: dict[tuple[str, int | None], list[Charge]] = {}

    async def enter(self, action: str, weight: int | None = None) -> None:
        """Return once a request may be sent; `weight` is the endpoint's own, where it is known.

        An order or a cancel does not wait: its sender decides whether it is still wanted later.

        Raises:
            Retryable: it may not be sent now; `retry_after_ms` says when.
        """
        charges = self._charges(action, weight)
        is_urgent = action in ORDERS or action in CANCELS
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + (0 if is_urgent else PATIENCE_S)
        while True:
            verdict = await self._access.budget.take(charges, self._access.tenant, urgent=is_urgent)
            self._report()
            if verdict.is_granted:
                return
            if verdict.is_stopped or loop.time() + verdict.wait_ms / 1000 > patient_until:
                raise self._held(action, verdict)
            await asyncio.sleep(verdict.wait_ms / 1000)

    def check(self, action: str) -> None:
        """Let a request pass that has been counted, unless the exchange has asked for a pause since.

        Raises:
            Retryable: the pause is not over.
        """
        if left_ms := self.stopped_ms(action):
            raise self._held(action, Verdict(left_ms, is_stopped=True))

    def stopped_ms(self, action: str) -> int:
        """Return how much of a pause is left that concerns an action."""
        return self._access.budget.stopped_ms([self._address.key, *(limit.key for limit in self._counting(action))])

    def answered(self, action: str | None, answer: Answer) -> None:
        """Learn from an answer what is left, and whether the exchange wants a pause; None if the action is unknown."""
        counting = self._limits if action is None else self._counting(action)
        for limit in counting:
            if (used := answer.used(limit.rule)) is not None:
                self._access.budget.observe(limit.key, limit.rule.window_ms, used)
        broken = next((limit for limit in counting if limit.rule.error_code in answer.codes), None)
        default_ms = broken.rule.window_ms if broken else self._profile.requests.ban_ms
        if ms := pause_ms(answer, self._profile.requests.reset_ms_header, default_ms):
            self._stop(broken.key if broken else self._address.key, ms)

    def refused(self, action: str) -> None:
        """Learn that the exchange refused a request for a limit, in a way that no answer's status or header shows."""
        if not self.stopped_ms(action):
            own = [limit.key for limit in self._counting(action) if limit.rule.scope == "account"]
            is_shared = any(limit.rule.scope == "ip" for limit in self._counting(action))
            for key in [self._address.key] if is_shared or not own else own:
                self._stop(key, self._profile.requests.ban_ms)

    def adopt(self, reports: Iterable[LimitReport]) -> None:
        """Take over the limits, and what was used of them, that the exchange itself tells."""
        for report in reports:
            for limit in self._limits:
                if (limit.rule.name, limit.rule.window_ms) == (report.name, report.window_ms):
                    self._allow(limit.key, report.limit)
                    self._access.budget.observe(limit.key, report.window_ms, report.used)
        self._report()

    @contextmanager
    def reporting(self, gauge: Gauge) -> Iterator[None]:
        """Report what is left of each limit, and until when requests are paused, while the context lasts."""
        self._gauges.add(gauge)
        self._report_now()
        try:
            yield
        finally:
            self._gauges.discard(gauge)

    def _counting(self, action: str) -> list[CountedLimit]:
        return [limit for limit in self._limits if limit.rule.counts_action(action)]

    def _charges(self, action: str, weight: int | None) -> list[Charge]:
        charges = self._known_charges.get((action, weight))
        if charges is None:
            charges = self._known_charges[action, weight] = self._new_charges(action, self._weight(action, weight))
        return charges

    def _new_charges(self, action: str, weight: int) -> list[Charge]:
        return [self._address, *(self._charge(limit, action, weight) for limit in self._counting(action))]

    def _charge(self, limit: CountedLimit, action: str, weight: int) -> Charge:
        cap = self._cap(limit, action)
        # No cancel waits because its tenant was busy.
        contended_cap = cap if action in CANCELS else cap // 2
        return Charge(limit.key, limit.rule.window_ms, limit.weight(weight), cap, contended_cap)

    def _weight(self, action: str, weight: int | None) -> int:
        usual = self._profile.requests.weights.get(action)
        if weight is None:
            return usual if usual is not None else int(action != CONNECT)
        return max(weight, usual or 0)

    def _cap(self, limit: CountedLimit, action: str) -> int:
        allowed = self._allowed[limit.key]
        if not limit.rule.counts_action("cancelOrder"):
            return allowed
        return max(1, allowed * _PERCENT[_kind(action)] // 100)

    def _allow(self, key: str, limit: int) -> None:
        if self._allowed[key] != limit:
            self._allowed[key] = limit
            self._known_charges.clear()

    def _held(self, action: str, verdict: Verdict) -> Retryable:
        why = "the exchange asked for a pause" if verdict.is_stopped else "its request limits are used up"
        return Retryable(
            f"not sent: {why}; {verdict.wait_ms / 1000:.1f} s are left",
            exchange=self._profile.exchange,
            action=action,
            kind="RateLimitExceeded",
            retry_after_ms=verdict.wait_ms,
        )

    def _stop(self, key: str, ms: int) -> None:
        self._access.budget.stop(key, ms)
        self._report_now()

    def _report(self) -> None:
        """Report now, or soon after the last report: nobody reads the numbers after every order."""
        if self._next_report is None and self._gauges:
            self._report_now()
            self._next_report = asyncio.get_running_loop().call_later(_REPORT_S, self._report_again)

    def _report_again(self) -> None:
        self._next_report = None
        self._report_now()

    def _report_now(self) -> None:
        used = self._access.budget.used
        left = {
            limit: max(0, self._allowed[limit.key] - used[limit.key]) for limit in self._limits if limit.key in used
        }
        numbers: dict[str, int] = {f"left.{limit.rule.name}": number for limit, number in left.items()}
        if left:
            shares = (number / max(1, self._allowed[limit.key]) for limit, number in left.items())
            numbers["leftPercent"] = round(100 * min(shares))
        left_ms = self._access.budget.stopped_ms([self._address.key, *self._allowed])
        numbers["pausedUntil"] = now_ms() + left_ms if left_ms else 0
        for gauge in self._gauges:
            for name, value in numbers.items():
                gauge(name, value)


def _kind(action: str) -> str:
    if action in CANCELS:
        return "cancel"
    if action in ORDERS:
        return "order"
    return "history" if action in HISTORY else "question"
