import json
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.config import DbsyncConfig, parse_config
from millrace_core.ids import MessageId
from millrace_core.names import trader_actions
from millrace_core.requests import Halt
from millrace_dbsync.plan import TenantPlan, plans
from millrace_dbsync.reading.lag import LagWatch
from millrace_service.health import ErrorLog, UnitHealthReporter


def reporter() -> tuple[UnitHealthReporter, ErrorLog]:
    errors = ErrorLog()
    health = UnitHealthReporter("Ann.journals", changed=lambda: None, errors=errors)
    health.state("live")
    return health, errors


def plan() -> TenantPlan:
    workplan = {"tenant": "Ann", "assets": ["stream.Ann.*"]}
    text = json.dumps({"agent": {"id": "DBSYNC"}, "workplans": [workplan], "warnAtPercent": 50})
    found = plans(parse_config(DbsyncConfig, text))["Ann.journals"]
    assert isinstance(found, TenantPlan)
    return found


async def test_a_lag_beyond_the_limit_is_an_alarm_until_it_is_over(bus: Bus, make_feed: Any) -> None:
    """The warning comes while everything can still be stored, once, and ends when storing has caught up."""
    feed = make_feed(bus, retention=100)
    await feed.open()
    feed.write(1_000)
    await feed.drained()
    name, last = str(feed.trades_name), feed.trades.last
    stored = {name: MessageId(last.epoch, last.seq - 10)}
    health, errors = reporter()
    async with bus.journals() as journals:
        watch = LagWatch(plan(), journals, stored, health)
        await watch.look([name])
        assert (health.current_state, errors.reports()) == ("live", [])
        stored[name] = MessageId(last.epoch, last.seq - 90)
        await watch.look([name])
        await watch.look([name])
        assert health.current_state == "stale"
        (error,) = errors.reports()
        assert name in error.message
        counters = health.report().counters
        assert (counters["behind"], counters["streams"]) == (90, 1)
        assert 50 < counters["retentionUsedPercent"] < 100
        stored[name] = last
        await watch.look([name])
    assert health.current_state == "live"
    await feed.close()


@pytest.mark.parametrize("name", ["stream.Ann.binance.watchTrades.KCS/USDT", "Ann.traderActions"])
async def test_a_journal_written_below_what_is_stored_is_reported_once(bus: Bus, name: str) -> None:
    """A clock that went back after Redis lost the journal is named, with what to do."""
    health, errors = reporter()
    async with bus.journals() as journals:
        watch = LagWatch(plan(), journals, {name: MessageId(9, 5)}, health)
        for seq in (1, 2, 3):
            await bus._publishing.call("XADD", name, f"8-{seq}", "data", "x")
            await watch.look([name])
    (error,) = errors.reports()
    assert "clock" in error.message


async def test_a_lag_in_requests_is_seen(bus: Bus, make_feed: Any) -> None:
    """Requests that wait to be stored count, although their ids are times."""
    name = trader_actions(plan().tenant)
    for _ in range(3):
        await bus.requests.send(plan().tenant, Halt())
    health, _ = reporter()
    async with bus.journals() as journals:
        await LagWatch(plan(), journals, {}, health).look([name, "stream.Ann.binance.watchTrades.NONE"])
    assert health.report().counters["behind"] == 3


async def test_a_journal_that_is_gone_before_it_was_stored_is_an_alarm(bus: Bus, make_feed: Any) -> None:
    """It is reported once, with how far it had come; one that was stored is not. Neither counts as caught up."""
    feed = make_feed(bus, retention=100)
    await feed.open()
    feed.write(1_000)
    await feed.drained()
    names = [str(feed.trades_name), str(feed.book_name)]
    stored = {names[0]: MessageId(feed.trades.last.epoch, feed.trades.last.seq - 90), names[1]: feed.book.last}
    await feed.close()
    health, errors = reporter()
    async with bus.journals() as journals:
        watch = LagWatch(plan(), journals, stored, health)
        stored[names[1]] = (await journals.extents(names))[names[1]].newest
        await watch.look(names)
        assert health.current_state == "stale"
        await bus._publishing.call("DEL", *names)
        for _ in range(2):
            await watch.look([])
    late, gone = errors.reports()
    assert "messages wait" in late.message
    assert "is gone from Redis" in gone.message
    assert names[0] in gone.message
    assert health.report().counters["streams"] == 0


async def test_keys_that_are_no_journals_do_not_count(bus: Bus, feed: Any) -> None:
    """A key of another type under a stream's name is no stream that is read."""
    other = "stream.Ann.binance.watchTrades.ETH/USDT"
    await bus._publishing.call("SET", other, "x")
    await feed.drained()
    health, _ = reporter()
    async with bus.journals() as journals:
        await LagWatch(plan(), journals, {}, health).look([other, str(feed.trades_name)])
    assert health.report().counters["streams"] == 1
