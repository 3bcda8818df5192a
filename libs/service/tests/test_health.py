"""What a unit reports of itself."""

import pytest

from millrace_service.health import KEPT_ERRORS, MAX_ERROR_TEXT, ErrorLog, UnitHealthReporter


class Changes:
    """Counts reported changes."""

    times = 0

    def __call__(self) -> None:
        """Count it."""
        self.times += 1


@pytest.fixture
def changes() -> Changes:
    """Counts the changes that were reported."""
    return Changes()


@pytest.fixture
def errors() -> ErrorLog:
    """The process's newest errors."""
    return ErrorLog()


@pytest.fixture
def health(changes: Changes, errors: ErrorLog) -> UnitHealthReporter:
    """A unit's reporter."""
    return UnitHealthReporter("PUBLIC.binance.watchTrades.ETH/BTC", changed=changes, errors=errors)


def test_counters_are_running_totals(health: UnitHealthReporter) -> None:
    """Each count adds, a gauge is what it was set to last."""
    health.count("messages")
    health.count("messages", 4)
    health.gauge("openOrders", 7)
    health.gauge("openOrders", 3)
    assert health.report().counters == {"messages": 5, "openOrders": 3}


def test_a_change_of_state_is_reported_once(health: UnitHealthReporter, changes: Changes) -> None:
    """Repeating a state costs no heartbeat; another state or detail does."""
    for _ in range(3):
        health.state("live")
    health.state("stale", "no message for 30 s")
    assert changes.times == 2
    report = health.report()
    assert (report.state, report.detail) == ("stale", "no message for 30 s")


def test_counting_sends_no_heartbeat(health: UnitHealthReporter, changes: Changes) -> None:
    """Counters and latencies, called for every message, cause no heartbeat of their own."""
    health.count("messages")
    health.latency("received→published", 60_000)
    assert changes.times == 0


@pytest.mark.parametrize("at_once", [True, False])
def test_latencies_are_summed_up_by_hop(health: UnitHealthReporter, at_once: bool) -> None:
    """The report holds count, p50 and p99 in ms; the percentiles are right within the histogram's buckets."""
    durations = [microseconds * 1_000 for microseconds in range(1, 1001)]
    if at_once:
        health.latencies("received→published", durations)
    else:
        for ns in durations:
            health.latency("received→published", ns)
    summary = health.report().latencies["received→published"]
    assert summary["count"] == 1_000
    assert summary["p50"] == pytest.approx(0.5, rel=0.05)
    assert summary["p99"] == pytest.approx(0.99, rel=0.05)


def test_an_error_is_counted_and_kept_with_its_unit(health: UnitHealthReporter, errors: ErrorLog) -> None:
    """An error is among the newest errors with its unit, in one line, without secrets."""
    health.error(ValueError("bad\n  signature=abcdef1"))
    (report,) = errors.reports()
    assert report.where == "PUBLIC.binance.watchTrades.ETH/BTC"
    assert report.message == "ValueError: bad signature=***"
    assert health.report().counters == {"errors": 1}


def test_only_the_newest_errors_are_kept(errors: ErrorLog) -> None:
    """However many and long the errors are, the heartbeat stays small."""
    for number in range(3 * KEPT_ERRORS):
        errors.add("unit", f"{number} " + "x" * 10_000)
    reports = errors.reports()
    assert [report.message.split()[0] for report in reports] == [
        str(n) for n in range(2 * KEPT_ERRORS, 3 * KEPT_ERRORS)
    ]
    assert all(len(report.message) <= MAX_ERROR_TEXT for report in reports)


def test_a_counter_that_is_not_finite_is_left_out(health: UnitHealthReporter) -> None:
    """NaN becomes null in JSON, which no reader of heartbeats takes: the agent would look dead."""
    health.gauge("share", float("nan"))
    health.gauge("pace", float("inf"))
    health.count("messages")
    assert health.report().counters == {"messages": 1}
