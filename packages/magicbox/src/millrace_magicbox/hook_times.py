"""How long a strategy's hooks take: by hook, the slowest of each, and a word about those that are too slow."""

import time
from typing import Any, Final

from millrace_core.clock import NS_PER_MS
from millrace_service import UnitHealthReporter
from millrace_strategy import HOOK_NAMES, Event

SLOW_NS: Final = 100_000_000
"""An event that takes longer is reported as an error: others wait meanwhile."""
REPORT_EVERY_NS: Final = 60_000_000_000
MAX_EVENT_TEXT: Final = 300


class HookTimes:
    """Measures the events of one strategy. In the heartbeat: a latency and a counter `slowestMs.…` for each hook."""

    def __init__(self, health: UnitHealthReporter, log: Any) -> None:
        self._health = health
        self._log = log
        self._new: dict[type[Any], list[int]] = {kind: [] for kind in HOOK_NAMES}
        self._slowest: dict[str, int] = {}
        self._next_report_ns: dict[str, int] = {}

    def handled(self, event: Event, ns: int) -> None:
        """Note the time that the hooks of an event took. Called for every event, so sums are left to `flush`."""
        self._new[type(event)].append(ns)
        if ns > SLOW_NS:
            self._report(event, ns, "took")

    def flush(self, unfinished: tuple[Event, int] | None) -> None:
        """Add what was noted to the heartbeat's figures, and name a hook that has waited for long and still does."""
        if unfinished is not None and unfinished[1] > SLOW_NS:
            self._report(*unfinished, "has not returned after")
        for kind, durations in self._new.items():
            if not durations:
                continue
            hook, slowest = HOOK_NAMES[kind], max(durations)
            self._health.latencies(hook, durations)
            durations.clear()
            if slowest > self._slowest.get(hook, 0):
                self._slowest[hook] = slowest
                self._health.gauge(f"slowestMs.{hook}", round(slowest / NS_PER_MS, 3))

    def _report(self, event: Event, ns: int, took: str) -> None:
        hook, now = HOOK_NAMES[type(event)], time.monotonic_ns()
        if now < self._next_report_ns.get(hook, 0):
            return
        self._next_report_ns[hook] = now + REPORT_EVERY_NS
        ms = round(ns / NS_PER_MS)
        self._health.error(f"{hook} {took} {ms} ms ({described(event)}); other events wait meanwhile")
        self._log.warning("a hook is slow", hook=hook, ms=ms, on=repr(event)[:MAX_EVENT_TEXT])


def described(event: Event) -> str:
    """Return an event's kind and what it is about, such as `BookEvent binance KCS/USDT`."""
    about = (getattr(event, name, None) for name in ("exchange", "action", "symbol", "name"))
    return " ".join([type(event).__name__, *(str(each) for each in about if each is not None)])
