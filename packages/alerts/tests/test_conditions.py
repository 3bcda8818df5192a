"""What each kind of rule finds."""

from decimal import Decimal

import pytest

from millrace_alerts.answers import FailedAnswer
from millrace_alerts.conditions import conditions, events
from millrace_alerts.increases import Increase, increases
from millrace_alerts.memory import CountersSeen
from millrace_alerts.observation import Observation, Presence, Troubles
from millrace_bus import HaltNote, HaltScope
from millrace_core.clock import DAY_MS
from millrace_core.config import AlertKind, AlertRule
from millrace_core.heartbeat import Heartbeat, UnitHealth, UnitState
from millrace_core.names import ExchangeId, Tenant

NOW = 1_800_000_000_000
MINE, OTHER = Tenant("StrankaXY"), Tenant("Other")
STREAM = f"{MINE}.binance.watchOrderBook.ETH/BTC"


def rule(kind: AlertKind, threshold: float | None = None, tenant: Tenant | None = None) -> AlertRule:
    """Return a rule."""
    return AlertRule(kind=kind, threshold=threshold, tenant=tenant, notify=("ops",))


def unit(name: str = STREAM, state: UnitState = "live", since: int = NOW, **more: object) -> UnitHealth:
    """Return a unit's health."""
    detail, counters = more.get("detail"), {k: v for k, v in more.items() if k != "detail"}
    return UnitHealth(name=name, state=state, since=since, detail=detail, counters=counters)  # type: ignore[arg-type]


def beat(*units: UnitHealth, kind: str = "gatherer", started_at: int = 1) -> Heartbeat:
    """Return a heartbeat."""
    return Heartbeat(
        id=kind.upper(), kind=kind, state="running", pid=1, started_at=started_at, sent_at=NOW, version="1",
        units=[*units],
    )  # fmt: skip


def seen(*beats: Heartbeat) -> Observation:
    """Return an observation of these agents."""
    return Observation(NOW, beats, trouble_since=Troubles().update(beats))


@pytest.mark.parametrize(
    ("state", "is_stale"), [("stale", True), ("failed", True), ("starting", True), ("live", False)]
)
def test_a_stream_is_stale_after_a_while(state: UnitState, *, is_stale: bool) -> None:
    """Whatever keeps it from being live; a short break is none."""
    late = seen(beat(unit(state=state, since=NOW - 31_000, detail="silent")))
    soon = seen(beat(unit(state=state, since=NOW - 29_000, detail="silent")))
    assert [*conditions(rule("staleStream"), late)] == ([f"GATHERER {STREAM}"] if is_stale else [])
    assert not conditions(rule("staleStream"), soon)


def test_a_unit_that_fails_again_and_again_is_in_trouble_since_the_first_time() -> None:
    """Starting anew is no recovery."""
    troubles = Troubles()
    for since in range(NOW - 40_000, NOW, 1_000):
        state: UnitState = "failed" if since % 2_000 else "starting"
        beats = (beat(unit(state=state, since=since, detail="again, after OSError")),)
        trouble_since = troubles.update(beats)
    observed = Observation(NOW, beats, trouble_since=trouble_since)
    assert conditions(rule("staleStream"), observed)
    assert conditions(rule("unitFailed"), observed)
    troubles.update((beat(unit()),))
    assert not conditions(rule("staleStream"), Observation(NOW, beats, trouble_since=troubles.update((beat(unit()),))))


def test_a_unit_that_exceeded_its_limits_has_failed_and_one_that_was_stopped_has_not() -> None:
    """What was stopped for good says why."""
    exceeded = unit(state="stopped", since=NOW - 60_000, detail="used 600 MB")
    assert conditions(rule("unitFailed"), seen(beat(exceeded, kind="magicbox")))
    assert not conditions(rule("unitFailed"), seen(beat(unit(state="stopped", since=0), kind="magicbox")))


def test_a_rule_of_a_tenant_sees_that_tenant_alone() -> None:
    """Neither its streams, nor its halts, losses or failures tell it of another."""
    observed = Observation(
        NOW,
        beats := (beat(unit(state="stale", since=0), kind="gatherer"),),
        trouble_since=Troubles().update(beats),
        halts={MINE: {HaltScope(): HaltNote(since=0, by="James")}},
        losses={(MINE, "USDT"): Decimal(100)},
        failed=[FailedAnswer(MINE, "rejected")],
        increases=[Increase("GATHERER", "gatherer", STREAM, "lost", 3)],
    )
    for kind in ("staleStream", "halt", "lossLimit"):
        assert conditions(rule(kind, 1, MINE), observed)
        assert not conditions(rule(kind, 1, OTHER), observed)
    for kind in ("failedExecution", "gap"):
        assert events(rule(kind, 1, MINE), observed, {})
        assert not events(rule(kind, 1, OTHER), observed, {})


def test_a_halt_names_its_scope_and_who_did_it() -> None:
    """The sentence says everything that the halt does."""
    note = HaltNote(since=NOW, reason="maintenance", by="James")
    found = conditions(rule("halt"), Observation(NOW, halts={MINE: {HaltScope(ExchangeId("binance")): note}}))
    assert [*found.values()] == ["StrankaXY: binance/* (exchange/source) is halted by James: maintenance"]


def test_an_agent_is_down_after_a_while_and_forgotten_after_a_day() -> None:
    """Its last heartbeat counts; an outage of Redis, in which nobody could be seen, does not."""
    agents: dict[str, int] = {}
    presence = Presence(agents)
    presence.update([beat()], NOW, 0)
    missing = presence.update([], NOW + 31_000, 0)
    assert [*conditions(rule("agentDown"), Observation(NOW + 31_000, missing=missing))] == ["GATHERER"]
    agents["GATHERER"] = 0
    missing = presence.update([], NOW + 31_000, NOW + 30_000)
    assert not conditions(rule("agentDown"), Observation(NOW + 31_000, missing=missing))
    assert presence.update([], NOW + DAY_MS + 60_000, 0) == {}
    assert agents == {}


def test_redis_itself_may_be_down() -> None:
    """Then nothing else is known."""
    found = conditions(rule("agentDown"), Observation(NOW, redis_gone_ms=NOW - 30_000))
    assert [*found] == ["Redis"]


def test_the_days_loss_counts_in_its_currency() -> None:
    """A profit is below zero; another currency is another rule's."""
    losses = {(MINE, "USDT"): Decimal("99.5"), (MINE, "BTC"): Decimal(500), (OTHER, "USDT"): Decimal(-500)}
    assert not conditions(rule("lossLimit", 100), Observation(NOW, losses=losses))
    assert [*conditions(rule("lossLimit", 99), Observation(NOW, losses=losses))] == ["StrankaXY USDT"]


def test_dbsync_that_is_behind() -> None:
    """Beyond a share of what the journals keep."""
    late = unit("StrankaXY.journals", retentionUsedPercent=50.0, behind=5_000)
    assert conditions(rule("dbsyncLag"), seen(beat(late, kind="dbsync")))
    assert not conditions(rule("dbsyncLag", 51), seen(beat(late, kind="dbsync")))


def test_a_budget_is_reported_once_for_all_streams_of_an_account() -> None:
    """They share it; a pause that the exchange wanted is another matter."""
    streams = [unit(f"{MINE}.binance.watchTrades.{n}", leftPercent=9, pausedUntil=NOW + 1) for n in range(20)]
    found = conditions(rule("budgetSpent"), seen(beat(*streams)))
    assert [*found] == [f"GATHERER {MINE}.binance", f"GATHERER {MINE}.binance paused"]
    assert not conditions(rule("budgetSpent"), seen(beat(unit(leftPercent=11, pausedUntil=0))))


def test_increases_are_noticed_over_restarts() -> None:
    """Of the agent, which counts anew, and of alerts, which remember; the first look ever only remembers."""
    known: dict[str, CountersSeen] = {}
    assert increases([beat(unit(lost=5))], known, is_first=True) == []
    assert increases([beat(unit(lost=5))], known, is_first=False) == []
    (grown,) = increases([beat(unit(lost=7))], known, is_first=False)
    assert (grown.counter, grown.by) == ("lost", 2)
    (again,) = increases([beat(unit(lost=1), started_at=2)], known, is_first=False)
    assert again.by == 1


def test_a_failure_that_a_condition_reports_is_no_event_too() -> None:
    """A unit that runs again is told as an event, one that does not as a condition."""
    failure = Observation(NOW, increases=[Increase("GATHERER", "gatherer", STREAM, "failures", 1)])
    assert events(rule("unitFailed"), failure, {}) == [f"{STREAM} of GATHERER failed and was run again"]
    assert events(rule("unitFailed"), failure, {f"GATHERER {STREAM}": "failed"}) == []
    assert events(rule("gap"), failure, {}) == []
