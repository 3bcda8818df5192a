from typing import Any

import msgspec

from millrace_core.heartbeat import ErrorReport, Heartbeat, UnitHealth
from millrace_dbsync.agent_history import KEPT_EVERY_MS, HeartbeatSieve


def beat(sent_at: int, **changes: Any) -> Heartbeat:
    said = Heartbeat("GATHERER", "gatherer", "running", pid=1, started_at=0, sent_at=sent_at, version="1")
    return msgspec.structs.replace(said, **changes)


def test_a_heartbeat_without_news_is_kept_once_a_minute() -> None:
    """As long as an agent goes on as it did, one in a minute is enough."""
    sieve = HeartbeatSieve()
    kept = [at for at in range(0, 3 * KEPT_EVERY_MS + 1, 5_000) if sieve.worth_keeping([beat(at)])]
    assert kept == [0, KEPT_EVERY_MS, 2 * KEPT_EVERY_MS, 3 * KEPT_EVERY_MS]


def test_a_heartbeat_is_kept_once_a_minute_after_its_clock_was_set_back() -> None:
    """Otherwise none would be until the clock shows again what it showed."""
    sieve = HeartbeatSieve()
    sieve.worth_keeping([beat(60 * KEPT_EVERY_MS)])
    kept = [at for at in range(0, 2 * KEPT_EVERY_MS + 1, 5_000) if sieve.worth_keeping([beat(at)])]
    assert kept == [0, KEPT_EVERY_MS, 2 * KEPT_EVERY_MS]


def test_each_change_is_kept() -> None:
    """A new state, of the agent or of a unit, a new configuration or a new error is worth a row at once."""
    sieve = HeartbeatSieve()
    unit = UnitHealth("Ann.journals", "live", since=0)
    changes: list[dict[str, Any]] = [
        {},
        {"state": "stopped"},
        {"config_revision": "abc"},
        {"units": [unit]},
        {"units": [msgspec.structs.replace(unit, state="failed")]},
        {"last_errors": [ErrorReport(at=1, where="x", message="y")]},
    ]
    for at, change in enumerate(changes):
        assert sieve.worth_keeping([beat(at, **change)])


def test_counters_alone_are_no_change() -> None:
    """A unit that counts on is as it was."""
    sieve = HeartbeatSieve()
    sieve.worth_keeping([beat(0, units=[UnitHealth("a", "live", since=0, counters={"messages": 1})])])
    assert not sieve.worth_keeping([beat(1, units=[UnitHealth("a", "live", since=0, counters={"messages": 2})])])


def test_agents_that_are_gone_are_forgotten() -> None:
    """Under however many names agents come and go, only those that are there are remembered."""
    sieve = HeartbeatSieve()
    for number in range(1_000):
        assert sieve.worth_keeping([beat(0), beat(0, id=f"passing{number}")])[-1].id == f"passing{number}"
    assert set(sieve._kept) == {"GATHERER", "passing999"}
