"""The metrics of units: what each counter of a heartbeat is called in Prometheus, and what it means."""

from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple

Merge = Callable[[Iterable[float]], float]


class UnitMetric(NamedTuple):
    """One metric, of the units of some kinds of agents."""

    name: str
    """As it is scraped."""
    counter: str
    """Its name among the counters of the heartbeat; one that ends with a dot is the beginning of several names."""
    agents: tuple[str, ...]
    """The kinds of agents that have it; empty for all."""
    help: str
    type: Literal["counter", "gauge"] = "counter"
    label: str | None = None
    """The label that holds the rest of the counter's name, or the whole name where `values` lists several."""
    values: tuple[str, ...] = ()
    """The counters that are one metric, told apart by `label`."""
    merge: Merge = sum
    """How the numbers of several units become one, such as those of a stream's symbols."""
    scale: float = 1.0
    """What turns the counter's unit into the metric's."""
    starts_at_zero: bool = True
    """Whether it is 0, rather than absent, until it was first counted."""


_ANSWERS: Final = ("done", "rejected", "failed", "expired")
_GATHERER: Final = ("gatherer",)
_EXECUTOR: Final = ("executor",)
_MAGICBOX: Final = ("magicbox",)
_DBSYNC: Final = ("dbsync",)
_ALERTS: Final = ("alerts",)
_EXCHANGE: Final = ("gatherer", "executor")


def _total(name: str, counter: str, agents: tuple[str, ...], text: str) -> UnitMetric:
    return UnitMetric(f"millrace_{name}_total", counter, agents, text)


def _gauge(
    name: str,
    counter: str,
    agents: tuple[str, ...],
    text: str,
    merge: Merge = sum,
    *,
    scale: float = 1.0,
    label: str | None = None,
    starts_at_zero: bool = False,
) -> UnitMetric:
    more = {"label": label, "merge": merge, "scale": scale, "starts_at_zero": starts_at_zero}
    return UnitMetric(f"millrace_{name}", counter, agents, text, "gauge", **more)  # type: ignore[arg-type]


UNIT_METRICS: Final[tuple[UnitMetric, ...]] = (
    _total("unit_failures", "failures", (), "Times that a unit was run again after a failure."),
    _total("unit_errors", "errors", (), "Errors, those that a unit handled itself too."),
    _total("stream_messages", "messages", ("gatherer", "magicbox"), "Messages of streams."),
    _total("stream_gaps", "gaps", ("gatherer", "magicbox", "dbsync"), "Gaps that were noticed."),
    _total("stream_lost", "lost", ("gatherer", "dbsync"), "Messages or trades that nobody can supply any more."),
    _total("stream_reconnects", "reconnects", _GATHERER, "Connections to the exchange that were made again."),
    _total("stream_silences", "silences", _GATHERER, "Streams taken again because they were silent for too long."),
    _total("stream_unreadable", "unreadable", _GATHERER, "What the exchange sent and no reader could read."),
    _total("book_resyncs", "resyncs", _GATHERER, "Order books fetched again."),
    _total("book_crossed", "crossed", _GATHERER, "Crossed books that the exchange sent."),
    _total("book_comparisons", "comparisons", _GATHERER, "Books compared with the exchange's own answer."),
    _total("book_wrong", "wrong books", _GATHERER, "Books that such a comparison found wrong."),
    _total("trades_renumbered", "renumbered", _GATHERER, "Times that an exchange began to number its trades anew."),
    _total("orders_forgotten", "forgotten", _GATHERER, "Open orders that the exchange does not know."),
    _gauge("stream_messages_per_second", "messagesPerSecond", _GATHERER, "Messages in the last 5 s, by second."),
    _gauge("stream_lag_seconds", "lagMs", _GATHERER, "How much later than usual messages come.", max, scale=1e-3),
    _gauge("stream_last_gap_seconds", "lastGapAt", _GATHERER, "When a stream last failed, Unix time.", max, scale=1e-3),
    _gauge("poll_interval_seconds", "pollIntervalS", _GATHERER, "Pause between two questions for a stream.", max),
    _gauge("budget_left", "left.", _EXCHANGE, "What is left of a limit of requests.", min, label="limit"),
    _gauge("budget_left_percent", "leftPercent", _EXCHANGE, "The least that is left of any limit, in percent.", min),
    _gauge("budget_paused_until_seconds", "pausedUntil", _EXCHANGE, "End of a pause, Unix time.", max, scale=1e-3),
    _total("requests", "requests", ("executor", "magicbox"), "Requests to trade, taken or made."),
    UnitMetric(
        "millrace_answers_total", "", _EXECUTOR, "Final answers to requests to trade.", label="status", values=_ANSWERS
    ),
    _gauge("requests_unknown", "unknown", _EXECUTOR, "Requests whose outcome is being asked for.", starts_at_zero=True),
    _gauge("halts", "halts", _EXECUTOR, "Halts in force.", starts_at_zero=True),
    _gauge("requests_backlog", "backlog", _EXECUTOR, "Requests in the journal that are not answered yet."),
    _total("requests_malformed", "malformed", _EXECUTOR, "Requests that could not be read."),
    _total("requests_duplicate", "duplicates", _EXECUTOR, "Requests that had been carried out already."),
    UnitMetric(
        "millrace_strategy_answers_total",
        "answers.",
        _MAGICBOX,
        "Answers that a strategy received.",
        label="status",
        starts_at_zero=False,
    ),
    _total("strategy_hook_errors", "hookErrors", _MAGICBOX, "Errors raised by a strategy's own code."),
    _total("strategy_replacements", "replacements", _MAGICBOX, "Changed code or settings that took over."),
    _total("strategy_rollbacks", "rollbacks", _MAGICBOX, "New versions that failed, so that the one before came back."),
    _total("strategy_plots_dropped", "droppedPlots", _MAGICBOX, "Values of plots that were too many, or not finite."),
    _gauge("strategy_waiting_events", "waiting", _MAGICBOX, "Events that wait for a hook to return."),
    _gauge("strategy_open_orders", "openOrders", _MAGICBOX, "Open orders of a strategy."),
    _gauge(
        "strategy_slowest_event_seconds",
        "slowestMs.",
        _MAGICBOX,
        "A hook's slowest event.",
        max,
        scale=1e-3,
        label="hook",
    ),
    _total("stored_messages", "messages", _DBSYNC, "Messages stored in the database."),
    _total("stored_batches", "batches", _DBSYNC, "Transactions of the database."),
    _total("failed_executions", "failedExecutions", _DBSYNC, "Answers other than `done` that were stored."),
    _total("dead_letters", "deadLetters", _DBSYNC, "Messages that could not be stored as what they claim to be."),
    _total("stored_heartbeats", "heartbeats", _DBSYNC, "Heartbeats stored."),
    _total("stored_configurations", "configurations", _DBSYNC, "Configurations stored."),
    _total("database_maintenance_rounds", "rounds", _DBSYNC, "Rounds of maintenance."),
    _gauge("stored_streams", "streams", _DBSYNC, "Journals that are stored."),
    _gauge("storing_behind_messages", "behind", _DBSYNC, "Messages that wait to be stored."),
    _gauge(
        "storing_retention_used_ratio",
        "retentionUsedPercent",
        _DBSYNC,
        "Waiting share of what a journal keeps, of the worst; at 1 messages are lost.",
        max,
        scale=1e-2,
    ),
    _gauge("foreign_journal_names", "foreignNames", _DBSYNC, "Names among a tenant's journals that no journal has."),
    _total("alerts_sent", "sent", _ALERTS, "Messages that a receiver took."),
    _total("alerts_refused", "refused", _ALERTS, "Attempts to send that failed."),
    _total("alerts_dropped", "dropped", _ALERTS, "Messages given up because too many waited for one receiver."),
    _total("alerts_raised", "raised", _ALERTS, "Conditions that began, and events."),
    _gauge("alerts_waiting", "waiting", _ALERTS, "Messages that wait to be sent.", starts_at_zero=True),
    _gauge("alerts_active", "active", _ALERTS, "Conditions that hold.", starts_at_zero=True),
)

NOT_EXPORTED: Final = frozenset({"liveClients", "liveStreams", "liveMessages", "liveConflated", "liveDropped"})
"""Counters that the API's own `/metrics` has under other names."""
