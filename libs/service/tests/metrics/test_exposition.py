"""What Prometheus reads of an agent."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from millrace_core.heartbeat import WorkerHealth
from millrace_core.names import AgentId
from millrace_service.agent_health import HealthCollector
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_service.metrics.catalogue import NOT_EXPORTED, UNIT_METRICS
from millrace_service.metrics.exposition import exposition
from millrace_service.status import AgentStatus

ROOT = Path(__file__).parents[4]
GROUP = "PUBLIC.binance.watchTrades"
Sample = Callable[..., float | None]


def reporter(name: str) -> UnitHealthReporter:
    """Return the reporter of a unit."""
    return UnitHealthReporter(name, changed=lambda: None, errors=ErrorLog())


async def scraped(kind: str, *units: UnitHealthReporter, workers: tuple[WorkerHealth, ...] = ()) -> Sample:
    """Return how to look up a sample in what is scraped of an agent with these units."""
    status = AgentStatus(kind, AgentId("TINY"), ErrorLog(), lambda: None)
    health = await HealthCollector(status, lambda: units, lambda: list(workers)).collect()
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families((await exposition(health)).decode())
        for sample in family.samples
    }

    def sample(name: str, **labels: str) -> float | None:
        ours = {} if name.startswith("process_") else {"agent": "TINY", "kind": kind}
        return samples.get((name, tuple(sorted((ours | labels).items()))))

    return sample


async def test_symbols_of_a_stream_are_one_series() -> None:
    """Totals are added up, of lags the worst counts, and no label names a symbol."""
    ada, eth = reporter(f"{GROUP}.ADA/BTC"), reporter(f"{GROUP}.ETH/BTC")
    ada.count("lost", 2)
    eth.count("lost", 3)
    ada.gauge("lagMs", 20)
    eth.gauge("lagMs", 1500)
    eth.state("live")
    sample = await scraped("gatherer", ada, eth)
    assert sample("millrace_stream_lost_total", unit=GROUP) == 5
    assert sample("millrace_stream_lag_seconds", unit=GROUP) == 1.5
    assert sample("millrace_units", unit=GROUP, state="live") == 1
    assert sample("millrace_units", unit=GROUP, state="starting") == 1


async def test_what_never_happened_is_zero() -> None:
    """A total is there before its first event, so that its first increase shows."""
    sample = await scraped("executor", reporter("StrankaXY.binance"))
    assert sample("millrace_answers_total", unit="StrankaXY.binance", status="failed") == 0
    assert sample("millrace_requests_unknown", unit="StrankaXY.binance") == 0
    assert sample("millrace_unit_failures_total", unit="StrankaXY.binance") == 0
    assert sample("millrace_budget_left", unit="StrankaXY.binance", limit="ORDERS") is None


async def test_a_counter_of_several_names_has_a_label() -> None:
    """What is left of each limit is one metric."""
    account = reporter("StrankaXY.binance")
    account.gauge("left.ORDERS", 40)
    account.gauge("left.REQUEST_WEIGHT", 900)
    sample = await scraped("executor", account)
    assert sample("millrace_budget_left", unit="StrankaXY.binance", limit="ORDERS") == 40
    assert sample("millrace_budget_left", unit="StrankaXY.binance", limit="REQUEST_WEIGHT") == 900


async def test_latencies_are_histograms() -> None:
    """Each bucket has exactly the durations below its bound; the sum is right within the histogram's accuracy."""
    first, second = reporter(f"{GROUP}.ADA/BTC"), reporter(f"{GROUP}.ETH/BTC")
    durations = [2**15, 2**19, 2**20 - 1, 2**20, 2**40]
    for ns in durations[:3]:
        first.latency("received→published", ns)
    for ns in durations[3:]:
        second.latency("received→published", ns)
    sample = await scraped("gatherer", first, second)
    hop = {"unit": GROUP, "hop": "received→published"}
    assert sample("millrace_latency_seconds_count", **hop) == 5
    assert sample("millrace_latency_seconds_bucket", le=repr(2**20 / 1e9), **hop) == 3
    assert sample("millrace_latency_seconds_bucket", le="+Inf", **hop) == 5
    assert sample("millrace_latency_seconds_sum", **hop) == pytest.approx(sum(durations) / 1e9, rel=0.05)


async def test_the_process_and_its_workers_are_measured() -> None:
    """Memory is that of the process itself, and of each worker."""
    worker = WorkerHealth(name="1", state="live", units=4, memory_mb=104.5, cpu_percent=50, replaced=2)
    sample = await scraped("gatherer", workers=(worker,))
    assert (sample("process_resident_memory_bytes") or 0) > 1e6
    assert sample("millrace_worker_memory_bytes", worker="1") == 104.5e6
    assert sample("millrace_worker_cpu_ratio", worker="1") == 0.5
    assert sample("millrace_worker_replacements_total", worker="1") == 2


def test_every_counter_is_a_metric() -> None:
    """A counter that a service reports is in the catalogue, and one that nobody reports is not."""
    reported = re.compile(r"(?:\.(?:count|gauge)\(|numbers\[|numbers.* = {)\s*f?\"([A-Za-z][A-Za-z ]+(?:\.(?={))?)")
    sources = [path for root in ("libs", "packages") for path in (ROOT / root).glob("*/src/**/*.py")]
    text = "\n".join(path.read_text() for path in sources if "simulator" not in path.parts)
    found = set(reported.findall(text))
    known = {metric.counter for metric in UNIT_METRICS if metric.counter}
    assert found - known - NOT_EXPORTED == set()
    assert known - found == set()


def test_names_follow_one_rule() -> None:
    """Totals end so, others do not; and no name of one kind of agent is taken twice."""
    for metric in UNIT_METRICS:
        assert re.fullmatch(r"millrace_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
    names = [metric.name for metric in UNIT_METRICS]
    assert len(names) == len(set(names))
