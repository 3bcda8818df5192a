"""Write the table of metrics into docs/metrics.md: `python tools/metrics.py`. A test checks that it was done."""

import sys
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import Metric

from millrace_api.metrics import Metrics
from millrace_core.heartbeat import Heartbeat
from millrace_service.metrics.exposition import families

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
BEGIN, END = "<!-- metrics: begin -->\n", "<!-- metrics: end -->\n"
KINDS = ("gatherer", "magicbox", "executor", "dbsync", "api", "alerts")
_HEAD = "| metric | type | labels | agents | meaning |\n|---|---|---|---|---|\n"
_COMMON = ("agent", "kind")
"""Labels of every metric but the API's own."""


def table() -> str:
    """Return the table of every metric that an agent may serve."""
    found: dict[str, tuple[Metric, list[str]]] = {}
    for kind in KINDS:
        for family in _families(kind):
            found.setdefault(family.name, (family, []))[1].append(kind)
    return _HEAD + "".join(_row(family, kinds) for family, kinds in found.values())


def page(text: str) -> str:
    """Return the page with its table up to date."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


def _families(kind: str) -> Iterator[Metric]:
    beat = Heartbeat(id="", kind=kind, state="running", pid=0, started_at=0, sent_at=0, version="")
    yield from families(beat, {}, {})
    if kind == "api":
        yield from Metrics().registry.collect()


def _row(family: Metric, kinds: list[str]) -> str:
    name = family.name + ("_total" if family.type == "counter" else "")
    labels = ", ".join(f"`{label}`" for label in _labels(family) if label not in _COMMON)
    agents = "all" if len(kinds) == len(KINDS) else ", ".join(kinds)
    return f"| `{name}` | {family.type} | {labels} | {agents} | {family.documentation} |\n"


def _labels(family: Metric) -> tuple[str, ...]:
    # The API's metrics know their labels only once they were used.
    return tuple(getattr(family, "_labelnames", ())) or _API_LABELS.get(family.name, ())


_API_LABELS = {"millrace_api_requests": ("operation", "status"), "millrace_api_request_seconds": ("operation",)}


if __name__ == "__main__":
    new = page(PAGE.read_text())
    sys.stdout.write("docs/metrics.md is up to date\n" if new == PAGE.read_text() else "docs/metrics.md is rewritten\n")
    PAGE.write_text(new)
