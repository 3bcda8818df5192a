"""The API's own metrics, for Prometheus and the heartbeat."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Metrics in a registry of their own, so that several APIs can run in one process, as in tests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "millrace_api_requests", "Requests served.", ("operation", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "millrace_api_request_seconds",
            "Time until the last byte of a response.",
            ("operation",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.live_clients = Gauge("millrace_api_live_clients", "Open WebSockets.", registry=self.registry)
        self.live_streams = Gauge("millrace_api_live_streams", "Streams followed.", registry=self.registry)
        self.live_messages = Counter(
            "millrace_api_live_messages", "Messages sent to live clients.", registry=self.registry
        )
        self.live_conflated = Counter(
            "millrace_api_live_conflated",
            "Messages that slow clients received as part of a snapshot.",
            registry=self.registry,
        )
        self.live_dropped = Counter(
            "millrace_api_live_dropped",
            "Clients disconnected for being too slow.",
            registry=self.registry,
        )

    def gauges(self) -> dict[str, float]:
        """Return the values that the heartbeat carries."""
        names = {
            "liveClients": "millrace_api_live_clients",
            "liveStreams": "millrace_api_live_streams",
            "liveMessages": "millrace_api_live_messages_total",
            "liveConflated": "millrace_api_live_conflated_total",
            "liveDropped": "millrace_api_live_dropped_total",
        }
        return {name: self.registry.get_sample_value(sample) or 0.0 for name, sample in names.items()}

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)
