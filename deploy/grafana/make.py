"""Write Grafana's dashboards of millrace as JSON: `python deploy/grafana/make.py FOLDER`.

Import the files in Grafana, or provision the folder. Each dashboard lets its reader choose the data source and agents.
"""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

WIDTH = 24
"""Columns of Grafana's grid."""
HEIGHT = 8
PER_ROW = 2
CHOSEN = 'agent=~"$agent"'
API_SECONDS = "rate(millrace_api_request_seconds_bucket[$__rate_interval])"
_SOURCE = {"type": "prometheus", "uid": "${source}"}


class Panel(NamedTuple):
    """One graph: its queries, each with the legend of its lines."""

    title: str
    unit: str
    """Grafana's name of the unit of its axis."""
    queries: tuple[tuple[str, str], ...]
    text: str = ""
    """What to look for."""


class Dashboard(NamedTuple):
    """One page."""

    name: str
    title: str
    panels: tuple[Panel, ...]


def rate(metric: str, by: str, labels: str = CHOSEN) -> str:
    """Return the query of a total's increase by second."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def increase(metric: str, by: str, labels: str = CHOSEN) -> str:
    """Return the query of how much a total has grown in the range that is shown at each point."""
    return f"sum by ({by}) (increase({metric}{{{labels}}}[$__rate_interval]))"


def quantile(share: float, by: str, labels: str = CHOSEN) -> str:
    """Return the query of a percentile of the durations of hops."""
    buckets = f"rate(millrace_latency_seconds_bucket{{{labels}}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by ({by}, le) ({buckets}))"


def latest(metric: str, by: str, merge: str = "sum", labels: str = CHOSEN) -> str:
    """Return the query of a number that goes up and down."""
    return f"{merge} by ({by}) ({metric}{{{labels}}})"


OVERVIEW = Dashboard(
    "overview",
    "millrace: overview",
    (
        Panel("Units by state", "short", ((latest("millrace_units", "state"), "{{state}}"),), "All should be live."),
        Panel("Failures of units", "short", ((increase("millrace_unit_failures_total", "unit"), "{{unit}}"),)),
        Panel("Orders", "short", ((increase("millrace_answers_total", "status"), "{{status}}"),)),
        Panel(
            "Halts and unknown outcomes",
            "short",
            (
                (latest("millrace_halts", "unit"), "halts {{unit}}"),
                (latest("millrace_requests_unknown", "unit"), "unknown {{unit}}"),
            ),
            "Both should be 0.",
        ),
        Panel("Memory", "bytes", (('process_resident_memory_bytes{job="millrace"}', "{{instance}}"),)),
        Panel(
            "CPU",
            "percentunit",
            (('rate(process_cpu_seconds_total{job="millrace"}[$__rate_interval])', "{{instance}}"),),
        ),
        Panel("Memory of workers", "bytes", ((latest("millrace_worker_memory_bytes", "worker"), "{{worker}}"),)),
        Panel("CPU of workers", "percentunit", ((latest("millrace_worker_cpu_ratio", "worker"), "{{worker}}"),)),
        Panel("Starts", "dateTimeFromNow", (("1000 * millrace_agent_start_time_seconds", "{{agent}}"),)),
        Panel("Mistakes in configurations", "short", ((latest("millrace_agent_config_errors", "agent"), "{{agent}}"),)),
        Panel(
            "Alerts",
            "short",
            (
                (increase("millrace_alerts_raised_total", "agent"), "raised"),
                (increase("millrace_alerts_refused_total", "unit"), "refused by {{unit}}"),
                (latest("millrace_alerts_waiting", "agent"), "waiting"),
            ),
        ),
    ),
)
STREAMS = Dashboard(
    "streams",
    "millrace: streams",
    (
        Panel("Messages a second", "short", ((latest("millrace_stream_messages_per_second", "unit"), "{{unit}}"),)),
        Panel("Lag", "s", ((latest("millrace_stream_lag_seconds", "unit", "max"), "{{unit}}"),), "Stale from 2 s on."),
        Panel(
            "Gaps and losses",
            "short",
            (
                (increase("millrace_stream_gaps_total", "unit"), "gaps {{unit}}"),
                (increase("millrace_stream_lost_total", "unit"), "lost {{unit}}"),
            ),
            "Gaps are mended; what is lost stays lost.",
        ),
        Panel("Reconnects", "short", ((increase("millrace_stream_reconnects_total", "unit"), "{{unit}}"),)),
        Panel(
            "Books",
            "short",
            (
                (increase("millrace_book_resyncs_total", "unit"), "resyncs {{unit}}"),
                (increase("millrace_book_wrong_total", "unit"), "wrong {{unit}}"),
            ),
        ),
        Panel(
            "Not live",
            "short",
            ((latest("millrace_units", "unit,state", labels=f'{CHOSEN}, state!="live"'), "{{unit}} {{state}}"),),
        ),
        Panel("Request limits left", "percent", ((latest("millrace_budget_left_percent", "unit", "min"), "{{unit}}"),)),
        Panel(
            "Left of each limit",
            "short",
            ((latest("millrace_budget_left", "unit,limit", "min"), "{{unit}} {{limit}}"),),
        ),
    ),
)
TRADING = Dashboard(
    "trading",
    "millrace: trading and latency",
    (
        Panel("Requests a second", "reqps", ((rate("millrace_requests_total", "unit"), "{{unit}}"),)),
        Panel("Answers", "short", ((increase("millrace_answers_total", "unit,status"), "{{unit}} {{status}}"),)),
        Panel("Latency by hop, median", "s", ((quantile(0.5, "hop"), "{{hop}}"),)),
        Panel("Latency by hop, 99 %", "s", ((quantile(0.99, "hop"), "{{hop}}"),)),
        Panel("Open orders of strategies", "short", ((latest("millrace_strategy_open_orders", "unit"), "{{unit}}"),)),
        Panel(
            "Errors of strategies", "short", ((increase("millrace_strategy_hook_errors_total", "unit"), "{{unit}}"),)
        ),
        Panel("Events that wait", "short", ((latest("millrace_strategy_waiting_events", "unit"), "{{unit}}"),)),
        Panel(
            "Slowest event",
            "s",
            ((latest("millrace_strategy_slowest_event_seconds", "unit,hook", "max"), "{{unit}} {{hook}}"),),
        ),
    ),
)
STORAGE = Dashboard(
    "storage",
    "millrace: database and API",
    (
        Panel("Messages stored a second", "short", ((rate("millrace_stored_messages_total", "unit"), "{{unit}}"),)),
        Panel("Waiting to be stored", "short", ((latest("millrace_storing_behind_messages", "unit"), "{{unit}}"),)),
        Panel(
            "Waiting share of what a journal keeps",
            "percentunit",
            ((latest("millrace_storing_retention_used_ratio", "unit", "max"), "{{unit}}"),),
            "At 100 % messages are lost.",
        ),
        Panel("Dead letters", "short", ((increase("millrace_dead_letters_total", "unit"), "{{unit}}"),)),
        Panel("API: requests a second", "reqps", ((rate("millrace_api_requests_total", "status", ""), "{{status}}"),)),
        Panel(
            "API: time of a response, 99 %",
            "s",
            (
                (
                    f"histogram_quantile(0.99, sum by (le) ({API_SECONDS}))",
                    "p99",
                ),
            ),
        ),
        Panel(
            "API: live clients",
            "short",
            (("millrace_api_live_clients", "clients"), ("millrace_api_live_streams", "streams")),
        ),
    ),
)
DASHBOARDS = (OVERVIEW, STREAMS, TRADING, STORAGE)


def document(dashboard: Dashboard) -> dict[str, Any]:
    """Return a dashboard as Grafana imports it."""
    return {
        "uid": f"millrace-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["millrace"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source(), _agents()]},
        "panels": [_panel(index, panel) for index, panel in enumerate(dashboard.panels)],
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _agents() -> dict[str, Any]:
    query = "label_values(millrace_agent_info, agent)"
    return {
        "name": "agent",
        "label": "Agent",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "agents"},
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _panel(index: int, panel: Panel) -> dict[str, Any]:
    width = WIDTH // PER_ROW
    place = {"x": index % PER_ROW * width, "y": index // PER_ROW * HEIGHT, "w": width, "h": HEIGHT}
    return {
        "id": index + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": expr, "legendFormat": legend, "datasource": _SOURCE}
            for number, (expr, legend) in enumerate(panel.queries)
        ],
    }


def main() -> None:
    """Write one file for each dashboard."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder to write to")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for dashboard in DASHBOARDS:
        (folder / f"millrace-{dashboard.name}.json").write_text(json.dumps(document(dashboard), indent=2) + "\n")


if __name__ == "__main__":
    main()
