"""Metrics for Prometheus, made from what the heartbeat says, when they are asked for. See docs/metrics.md."""
