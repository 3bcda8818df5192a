"""Turns an agent's health into metrics, and adds the memory and CPU time of its process."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.latency import Histogram
from millrace_service.agent_health import AgentHealth
from millrace_service.metrics.catalogue import UNIT_METRICS, UnitMetric

_AGENT_LABELS: Final = ("agent", "kind")
_BOUNDS: Final = range(14, 35)
"""Upper bounds of buckets of latencies as powers of two, in ns: 16 µs to 17 s. A `Histogram` counts these exactly."""
_GROUP_PARTS: Final = 3

_SLICE: Final = 200
"""How many units are counted before other work has its turn: an agent may have thousands."""

Counters = dict[tuple[str, str], list[float]]
"""By group of units and counter, the numbers of all units of the group that have it."""
Latencies = dict[tuple[str, str], Histogram]
"""By group of units and hop."""


def group_of(unit: str) -> str:
    """Return the label under which a unit is counted: `PUBLIC.binance.watchTrades` for the stream of any symbol."""
    return ".".join(unit.split(".", _GROUP_PARTS)[:_GROUP_PARTS])


async def exposition(health: AgentHealth) -> bytes:
    """Return all metrics of an agent in Prometheus's text format."""
    units, latencies = await _counters(health.heartbeat.units), await _latencies(health)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Families([*families(health.heartbeat, units, latencies)]))
    return generate_latest(registry)


async def _counters(units: Sequence[UnitHealth]) -> Counters:
    found: Counters = {}
    for index, unit in enumerate(units):
        group = group_of(unit.name)
        for counter, value in unit.counters.items():
            found.setdefault((group, counter), []).append(value)
        if index % _SLICE == 0:
            await asyncio.sleep(0)
    return found


async def _latencies(health: AgentHealth) -> Latencies:
    found: Latencies = {}
    for index, (unit, hop, histogram) in enumerate(health.latencies):
        key = group_of(unit), hop
        found[key] = found.get(key, Histogram()).merge([histogram])
        if index % _SLICE == 0:
            await asyncio.sleep(0)
    return found


def families(beat: Heartbeat, counters: Counters, latencies: Latencies) -> Iterator[Metric]:
    """Yield every metric of an agent, also those of which there is no number yet."""
    yield from _of_agent(beat)
    yield from _of_workers(beat)
    yield _states(beat)
    groups = sorted({group_of(unit.name) for unit in beat.units})
    for metric in UNIT_METRICS:
        if not metric.agents or beat.kind in metric.agents:
            yield _of_units(metric, beat, groups, counters)
    yield _durations(beat, latencies)


class _Families:
    """What Prometheus's client asks for metrics."""

    def __init__(self, found: Sequence[Metric]) -> None:
        self._found = found

    def collect(self) -> Sequence[Metric]:
        return self._found


def _of_agent(beat: Heartbeat) -> Iterator[Metric]:
    agent = [beat.id, beat.kind]
    info = GaugeMetricFamily("millrace_agent_info", "1, with the version.", labels=[*_AGENT_LABELS, "version"])
    info.add_metric([*agent, beat.version], 1)
    yield info
    state = GaugeMetricFamily("millrace_agent_state", "1 for the agent's state.", labels=[*_AGENT_LABELS, "state"])
    state.add_metric([*agent, beat.state], 1)
    yield state
    own = {
        "start_time_seconds": ("When the agent was started, Unix time.", beat.started_at / 1000),
        "config_errors": ("Mistakes in the newest configuration.", len(beat.config_errors)),
        "config_warnings": ("Warnings about the configuration in force.", len(beat.warnings)),
    }
    for name, (text, value) in own.items():
        yield _gauge_of(f"millrace_agent_{name}", text, agent, value)


def _gauge_of(name: str, text: str, agent: list[str], value: float) -> Metric:
    family = GaugeMetricFamily(name, text, labels=_AGENT_LABELS)
    family.add_metric(agent, value)
    return family


def _of_workers(beat: Heartbeat) -> Iterator[Metric]:
    labels = [*_AGENT_LABELS, "worker"]
    memory = GaugeMetricFamily("millrace_worker_memory_bytes", "Resident memory of a worker.", labels=labels)
    cpu = GaugeMetricFamily("millrace_worker_cpu_ratio", "Share of a core over the last seconds.", labels=labels)
    units = GaugeMetricFamily("millrace_worker_units", "Units that a worker runs.", labels=labels)
    replaced = CounterMetricFamily("millrace_worker_replacements", "Times that it was replaced.", labels=labels)
    for worker in beat.workers:
        of = [beat.id, beat.kind, worker.name]
        memory.add_metric(of, worker.memory_mb * 1e6)
        cpu.add_metric(of, worker.cpu_percent / 100)
        units.add_metric(of, worker.units)
        replaced.add_metric(of, worker.replaced)
    yield from (memory, cpu, units, replaced)


def _states(beat: Heartbeat) -> Metric:
    family = GaugeMetricFamily("millrace_units", "Units by state.", labels=[*_AGENT_LABELS, "unit", "state"])
    counts = Counter((group_of(unit.name), unit.state) for unit in beat.units)
    for (group, state), count in counts.items():
        family.add_metric([beat.id, beat.kind, group, state], count)
    return family


def _of_units(metric: UnitMetric, beat: Heartbeat, groups: Sequence[str], counters: Counters) -> Metric:
    make = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    more = [metric.label] if metric.label else []
    family = make(metric.name.removesuffix("_total"), metric.help, labels=[*_AGENT_LABELS, "unit", *more])
    for group, counter, label in _series(metric, groups, counters):
        values = counters.get((group, counter), [0.0])
        family.add_metric([beat.id, beat.kind, group, *label], metric.merge(values) * metric.scale)
    return family


def _series(
    metric: UnitMetric, groups: Sequence[str], counters: Counters
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield group, counter and the value of the metric's own label of each of its series."""
    if metric.values:
        yield from ((group, value, (value,)) for group in groups for value in metric.values)
    elif metric.label:
        start = metric.counter
        for group, counter in counters:
            if counter.startswith(start):
                yield group, counter, (counter.removeprefix(start),)
    else:
        found = (group for group in groups if metric.starts_at_zero or (group, metric.counter) in counters)
        yield from ((group, metric.counter, ()) for group in found)


def _durations(beat: Heartbeat, latencies: Latencies) -> Metric:
    labels = [*_AGENT_LABELS, "unit", "hop"]
    family = HistogramMetricFamily("millrace_latency_seconds", "Durations of hops.", labels=labels)
    for (group, hop), histogram in sorted(latencies.items()):
        bounds = [2**power for power in _BOUNDS]
        counts = zip(bounds, histogram.counts_below(bounds), strict=True)
        buckets = [*((repr(bound / 1e9), float(count)) for bound, count in counts), ("+Inf", float(histogram.count))]
        family.add_metric([beat.id, beat.kind, group, hop], buckets, histogram.total_ns / 1e9)
    return family
