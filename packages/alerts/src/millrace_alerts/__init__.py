"""Sends what needs a person by any messenger: rules over heartbeats, halts, answers and profits. See docs/alerts.md."""

from millrace_alerts.agent import AlertsAgent

__all__ = ["AlertsAgent"]
