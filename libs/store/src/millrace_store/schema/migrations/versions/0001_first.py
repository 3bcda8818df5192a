"""The first schema: journals, market data, orders, the platform's own health, and what the API keeps."""

from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "0001"
down_revision = None

_INT = sa.BigInteger
_TEXT = sa.Text
_MONEY = sa.Text().with_variant(sa.Numeric(), "postgresql")
_DAY_MS = 86_400_000
_FIRST_MS, _LAST_MS = 1_230_768_000_000, 4_102_444_800_000
_PARTITIONED = {"book_deltas", "snapshots", "book_checkpoints", "statuses", "trades", "tickers"}


def upgrade() -> None:
    """Make every table."""
    if context.config.attributes.get("timescale"):
        op.execute(
            "CREATE FUNCTION millrace_now_ms() RETURNS BIGINT LANGUAGE SQL STABLE "
            "AS $$ SELECT (extract(epoch FROM now()) * 1000)::BIGINT $$"
        )
    _journals()
    _market()
    _account()
    _platform()
    _api()


def _column(name: str, kind: object, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, kind, nullable=null, autoincrement=False)  # type: ignore[arg-type]


def _table(name: str, key: tuple[str, ...], *columns: sa.Column[object] | sa.UniqueConstraint) -> None:
    # Without a rowid a SQLite table is one tree in the order of its key: half the writing, and pages by time
    # are read in one piece.
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key), sqlite_with_rowid=False)


def _messages(name: str, *columns: sa.Column[object], several: bool = False) -> None:
    """Make a table whose rows are left by messages; partitioned by day where it may grow large."""
    identity = ("stream_id", "at_ms", "epoch", "seq", *(("n",) if several else ()))
    postgres = op.get_context().dialect.name == "postgresql"
    large = postgres and name in _PARTITIONED
    timescale = bool(context.config.attributes.get("timescale"))
    options: dict[str, Any] = {"postgresql_partition_by": "RANGE (at_ms)"} if large and not timescale else {}
    op.create_table(
        name,
        *(_column(part, _INT) for part in identity),
        *columns,
        sa.PrimaryKeyConstraint(*identity),
        sqlite_with_rowid=False,
        **options,
    )
    if options:
        # Days are made when they are needed; these two hold times that are mistakes. There is no default partition:
        # with one, making a day would wait for every reader of the table.
        op.execute(f"CREATE TABLE {name}_early PARTITION OF {name} FOR VALUES FROM (MINVALUE) TO ({_FIRST_MS})")
        op.execute(f"CREATE TABLE {name}_late PARTITION OF {name} FOR VALUES FROM ({_LAST_MS}) TO (MAXVALUE)")
    elif large:
        _hypertable(name, ", ".join(identity[1:]))


def _hypertable(name: str, order: str) -> None:
    """Leave a large table's days to TimescaleDB, which compresses those older than a week."""
    op.execute(f"SELECT create_hypertable('{name}', 'at_ms', chunk_time_interval => {_DAY_MS})")
    op.execute(f"SELECT set_integer_now_func('{name}', 'millrace_now_ms')")
    op.execute(
        f"ALTER TABLE {name} SET (timescaledb.compress, timescaledb.compress_segmentby = 'stream_id', "
        f"timescaledb.compress_orderby = '{order}')"
    )
    op.execute(f"SELECT add_compression_policy('{name}', BIGINT '{7 * _DAY_MS}')")


def _journals() -> None:
    _table(
        "streams",
        ("id",),
        _column("id", _INT),
        sa.Column("name", _TEXT, nullable=False, unique=True),
        *(_column(name, _TEXT, null=True) for name in ("tenant", "exchange", "action", "symbol")),
        _column("face", _TEXT),
        *(_column(name, _INT) for name in ("position_epoch", "position_seq", "messages", "updated_ms")),
    )
    op.create_index("streams_by_tenant", "streams", ["tenant", "action", "exchange", "symbol"])
    _table(
        "stream_epochs",
        ("stream_id", "epoch"),
        *(_column(name, _INT) for name in ("stream_id", "epoch", "first_seq", "last_seq", "messages")),
    )
    _table(
        "gaps",
        ("stream_id", "epoch", "first_seq"),
        *(_column(name, _INT) for name in ("stream_id", "epoch", "first_seq", "last_seq", "missing", "found_ms")),
        _column("reason", _TEXT),
    )
    op.create_index("gaps_by_time", "gaps", ["found_ms"])
    _messages("dead_letters", _column("reason", _TEXT), _column("raw", sa.LargeBinary))
    _messages("statuses", _column("status", _TEXT), _column("reason", _TEXT, null=True))


def _market() -> None:
    event_ms, nonce, data = _column("event_ms", _INT, null=True), _column("nonce", _INT, null=True), "data"
    _messages("book_deltas", event_ms, nonce, _column(data, _TEXT))
    _messages(
        "snapshots",
        _column("as_of_epoch", _INT),
        _column("as_of_seq", _INT),
        _column("nonce", _INT, null=True),
        _column("checksum", _INT, null=True),
        _column(data, _TEXT),
    )
    op.create_index("snapshots_by_message", "snapshots", ["stream_id", "as_of_epoch", "as_of_seq"])
    op.create_index("snapshots_by_nonce", "snapshots", ["stream_id", "nonce"])
    _messages("book_checkpoints", _column("nonce", _INT, null=True), _column("checked", _INT), _column(data, _TEXT))
    op.create_index("book_checkpoints_by_message", "book_checkpoints", ["stream_id", "epoch", "seq"])
    op.create_index("book_checkpoints_by_nonce", "book_checkpoints", ["stream_id", "nonce"])
    _table(
        "checkpoint_progress",
        ("stream_id",),
        *(_column(name, _INT) for name in ("stream_id", "epoch", "seq")),
    )
    _messages(
        "trades",
        _column("trade_id", _TEXT, null=True),
        _column("side", _TEXT, null=True),
        _column("price", _MONEY),
        _column("amount", _MONEY),
        several=True,
    )
    for name in ("tickers", "events"):
        _messages(name, _column("event_ms", _INT, null=True), _column(data, _TEXT))
    _candles()


def _candles() -> None:
    prices = ("open", "high", "low", "close", "volume")
    _table(
        "candles",
        ("stream_id", "timeframe", "at_ms"),
        _column("stream_id", _INT),
        _column("timeframe", _TEXT),
        *(_column(name, _INT) for name in ("at_ms", "epoch", "seq")),
        *(_column(name, _MONEY) for name in prices),
    )
    _table(
        "minute_candles",
        ("stream_id", "at_ms"),
        _column("stream_id", _INT),
        _column("at_ms", _INT),
        *(_column(name, _MONEY) for name in prices),
        _column("trades", _INT),
    )
    _table("stale_minutes", ("stream_id", "at_ms"), *(_column(name, _INT) for name in ("stream_id", "at_ms", "mark")))


def _account() -> None:
    _messages(
        "own_trades",
        *(_column(name, _TEXT, null=True) for name in ("trade_id", "order_id", "side")),
        _column("price", _MONEY),
        _column("amount", _MONEY),
        _column("taker_or_maker", _TEXT, null=True),
        _column("fee_cost", _MONEY, null=True),
        _column("fee_currency", _TEXT, null=True),
        several=True,
    )
    op.create_index("own_trades_by_order", "own_trades", ["order_id"])
    op.create_index("own_trades_by_id", "own_trades", ["stream_id", "trade_id"])
    _table(
        "orders",
        ("tenant", "exchange", "order_id"),
        *(_column(name, _TEXT) for name in ("tenant", "exchange", "order_id")),
        *(_column(name, _TEXT, null=True) for name in ("symbol", "order_source", "request_id")),
        *(_column(name, _TEXT, null=True) for name in ("side", "type", "status")),
        *(_column(name, _MONEY, null=True) for name in ("price", "amount", "filled", "average")),
        _column("created_ms", _INT),
        _column("updated_ms", _INT),
        _column("data", _TEXT),
    )
    op.create_index("orders_by_time", "orders", ["tenant", "created_ms"])
    op.create_index("orders_by_request", "orders", ["request_id"])
    _messages(
        "order_events",
        _column("order_id", _TEXT),
        _column("status", _TEXT, null=True),
        _column("filled", _MONEY, null=True),
        _column("data", _TEXT),
        several=True,
    )
    op.create_index("order_events_by_order", "order_events", ["order_id"])
    _messages(
        "balances",
        _column("currency", _TEXT),
        *(_column(name, _MONEY, null=True) for name in ("free", "used", "total")),
        several=True,
    )
    _executions()


def _executions() -> None:
    _messages(
        "requests",
        *(_column(name, _TEXT, null=True) for name in ("request_id", "action", "exchange", "symbol", "order_source")),
        _column("data", _TEXT),
    )
    op.create_index("requests_by_id", "requests", ["request_id"])
    _messages(
        "responses",
        _column("request_id", _TEXT),
        _column("status", _TEXT),
        *(_column(name, _TEXT, null=True) for name in ("order_id", "order_source", "error_kind", "error_message")),
        _column("trace", _TEXT),
    )
    op.create_index("responses_by_request", "responses", ["request_id"])
    op.create_index("responses_by_order", "responses", ["order_id"])
    _messages(
        "failed_executions",
        *(_column(name, _TEXT) for name in ("request_id", "status", "kind", "reason")),
        _column("order_source", _TEXT, null=True),
    )


def _platform() -> None:
    _table(
        "latencies",
        ("stream_id", "hop", "at_ms"),
        _column("stream_id", _INT),
        _column("hop", _TEXT),
        _column("at_ms", _INT),
        _column("count", _INT),
        _column("buckets", _TEXT),
    )
    _table(
        "agent_states",
        ("agent_id", "at_ms"),
        _column("agent_id", _TEXT),
        _column("at_ms", _INT),
        *(_column(name, _TEXT) for name in ("kind", "state", "data")),
    )
    _table(
        "configs",
        ("agent_id", "at_ms", "revision"),
        _column("agent_id", _TEXT),
        _column("at_ms", _INT),
        _column("revision", _TEXT),
        _column("data", _TEXT),
        _column("author", _TEXT, null=True),
    )


def _api() -> None:
    _table(
        "tokens",
        ("id",),
        *(_column(name, _TEXT) for name in ("id", "tenant", "name", "role", "secret_hash")),
        _column("created_ms", _INT),
        *(_column(name, _INT, null=True) for name in ("expires_ms", "revoked_ms", "last_used_ms")),
        sa.UniqueConstraint("tenant", "name"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        _column("at_ms", _INT),
        *(_column(name, _TEXT) for name in ("tenant", "actor", "action")),
        _column("target", _TEXT, null=True),
        _column("outcome", _TEXT),
        _column("address", _TEXT, null=True),
        _column("detail", _TEXT),
    )
    op.create_index("audit_by_tenant", "audit", ["tenant", "id"])
    _table(
        "idempotency_keys",
        ("tenant", "key"),
        *(_column(name, _TEXT) for name in ("tenant", "key", "digest")),
        _column("status", _INT, null=True),
        _column("body", _TEXT, null=True),
        _column("created_ms", _INT),
    )
