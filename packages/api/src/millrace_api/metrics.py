"""What the API counts of itself, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters in a registry of their own, so that several APIs may live in one process, as in tests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "millrace_api_requests", "Requests answered.", ("operation", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "millrace_api_request_seconds",
            "Time until the last byte of an answer.",
            ("operation",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.live_clients = Gauge("millrace_api_live_clients", "WebSockets that are open.", registry=self.registry)
        self.live_streams = Gauge("millrace_api_live_streams", "Streams followed.", registry=self.registry)
        self.live_messages = Counter(
            "millrace_api_live_messages", "Messages handed to live clients.", registry=self.registry
        )
        self.live_conflated = Counter(
            "millrace_api_live_conflated",
            "Messages that slow clients got as part of a snapshot instead.",
            registry=self.registry,
        )
        self.live_dropped = Counter(
            "millrace_api_live_dropped", "Clients that were too slow and were told to go.", registry=self.registry
        )

    def gauges(self) -> dict[str, float]:
        """Return what the heartbeat tells."""
        names = {
            "liveClients": "millrace_api_live_clients",
            "liveStreams": "millrace_api_live_streams",
            "liveMessages": "millrace_api_live_messages_total",
            "liveConflated": "millrace_api_live_conflated_total",
            "liveDropped": "millrace_api_live_dropped_total",
        }
        return {name: self.registry.get_sample_value(sample) or 0.0 for name, sample in names.items()}

    def text(self) -> bytes:
        """Return everything in Prometheus's text form."""
        return generate_latest(self.registry)
