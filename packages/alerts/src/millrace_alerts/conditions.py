"""Judges one rule: which conditions hold, and what has happened. Pure."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from millrace_alerts.observation import Observation
from millrace_core.config import AlertKind, AlertRule
from millrace_core.decimals import number_text
from millrace_core.heartbeat import Heartbeat, UnitHealth

Conditions = Mapping[str, str]
"""Sentences by key. A key begins with what it was seen at: an agent, or a tenant."""
REDIS: Final = "Redis"
_LOSING: Final = frozenset({"gatherer", "dbsync"})
"""Agents whose gaps matter: other readers fill theirs from the journal."""


def conditions(rule: AlertRule, seen: Observation) -> Conditions:
    """Return what holds now and should not."""
    judge = _CONDITIONS.get(rule.kind)
    return {} if judge is None else dict(judge(rule, seen))


def events(rule: AlertRule, seen: Observation, holding: Conditions) -> list[str]:
    """Return what has happened, a sentence each; not what the conditions `holding` say already."""
    match rule.kind:
        case "failedExecution":
            return [failed.text for failed in seen.failed if rule.tenant in (None, failed.tenant)]
        case "gap" | "unitFailed":
            return list(_increases(rule, seen, holding))
        case _:
            return []


def _increases(rule: AlertRule, seen: Observation, holding: Conditions) -> Iterator[str]:
    for agent, kind, unit, counter, by in seen.increases:
        is_failure = counter == "failures"
        if not _concerns(rule, unit) or is_failure != (rule.kind == "unitFailed"):
            continue
        if is_failure and f"{agent} {unit}" not in holding:
            yield f"{unit} of {agent} failed and was run again"
        elif not is_failure and kind in _LOSING:
            what = "gap" if counter == "gaps" else "message"
            plural = "" if by == 1 else "s"
            ending = "" if counter == "gaps" else " that nobody can supply any more"
            yield f"{unit} of {agent}: {by:g} {what}{plural}{ending}"


def _units(rule: AlertRule, seen: Observation, kind: str | None = None) -> Iterator[tuple[Heartbeat, UnitHealth]]:
    for beat in seen.beats:
        if kind is None or beat.kind == kind:
            yield from ((beat, unit) for unit in beat.units if _concerns(rule, unit.name))


def _concerns(rule: AlertRule, unit: str) -> bool:
    return rule.tenant is None or unit.startswith(f"{rule.tenant}.")


def _why(unit: UnitHealth) -> str:
    return f": {unit.detail}" if unit.detail else ""


def _stale(rule: AlertRule, seen: Observation) -> Iterator[tuple[str, str]]:
    for beat, unit in _units(rule, seen, "gatherer"):
        since = seen.trouble_since.get((beat.id, unit.name))
        if since is not None and seen.now_ms - since >= rule.limit * 1000:
            yield f"{beat.id} {unit.name}", f"{unit.name} is {unit.state}{_why(unit)}"


def _failed_units(rule: AlertRule, seen: Observation) -> Iterator[tuple[str, str]]:
    for beat, unit in _units(rule, seen):
        since = seen.trouble_since.get((beat.id, unit.name))
        is_failing = unit.state in ("failed", "stopped") or (unit.state == "starting" and unit.detail)
        if is_failing and since is not None and seen.now_ms - since >= rule.limit * 1000:
            yield f"{beat.id} {unit.name}", f"{unit.name} of {beat.id} is {unit.state}{_why(unit)}"


def _halts(rule: AlertRule, seen: Observation) -> Iterator[tuple[str, str]]:
    for tenant, halts in seen.halts.items():
        if rule.tenant not in (None, tenant):
            continue
        for scope, note in halts.items():
            if seen.now_ms - note.since >= rule.limit * 1000:
                by = f" by {note.by}" if note.by else ""
                why = f": {note.reason}" if note.reason else ""
                yield f"{tenant} {scope}", f"{tenant}: {scope} (exchange/source) is halted{by}{why}"


def _agents_down(rule: AlertRule, seen: Observation) -> Iterator[tuple[str, str]]:
    if seen.redis_gone_ms is not None and seen.now_ms - seen.redis_gone_ms >= rule.limit * 1000:
        yield REDIS, f"Redis does not answer since {utc(seen.redis_gone_ms)}: nothing else can be watched"
    for agent, last_ms in seen.missing.items():
        if seen.now_ms - last_ms >= rule.limit * 1000:
            yield agent, f"{agent} sends no heartbeat since {utc(last_ms)}"


def _losses(rule: AlertRule, seen: Observation) -> Iterator[tuple[str, str]]:
    for (tenant, currency), loss in seen.losses.items():
        if rule.tenant in (None, tenant) and currency == rule.currency and loss >= rule.limit:
            # Without the amount, which changes: it would be another sentence each time.
            yield f"{tenant} {currency}", f"{tenant} has lost {number_text(rule.limit)} {currency} or more today (UTC)"


def _lags(rule: AlertRule, seen: Observation) -> Iterator[tuple[str, str]]:
    for beat, unit in _units(rule, seen, "dbsync"):
        used = unit.counters.get("retentionUsedPercent", 0)
        if used >= rule.limit:
            behind = unit.counters.get("behind", 0)
            text = f"{unit.name}: {behind:,.0f} messages wait to be stored, {used:g} % of what a journal keeps"
            yield f"{beat.id} {unit.name}", text


def _budgets(rule: AlertRule, seen: Observation) -> Iterator[tuple[str, str]]:
    for beat, unit in _units(rule, seen):
        account = ".".join(unit.name.split(".", 2)[:2])
        left = unit.counters.get("leftPercent")
        if left is not None and 100 - left >= rule.limit:
            yield f"{beat.id} {account}", f"{account}: {left:g} % of a limit of requests are left to {beat.id}"
        if unit.counters.get("pausedUntil", 0) > seen.now_ms:
            yield f"{beat.id} {account} paused", f"{account}: the exchange wants a pause of {beat.id}"


_CONDITIONS: Final[dict[AlertKind, Callable[[AlertRule, Observation], Iterator[tuple[str, str]]]]] = {
    "agentDown": _agents_down,
    "budgetSpent": _budgets,
    "dbsyncLag": _lags,
    "halt": _halts,
    "lossLimit": _losses,
    "staleStream": _stale,
    "unitFailed": _failed_units,
}


def utc(ms: int) -> str:
    """Return a time as people read it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
