"""The columns of all tables, as the code uses them. Keys, indexes and partitions are in the migrations only.

Every row of a message begins with `stream_id, at_ms, epoch, seq`: its stream, its time, its id. The row of `streams`
holds the tenant, so every row has an owner. Prices and amounts are text on SQLite, which has no exact decimal, and
`numeric` on PostgreSQL.
"""

from typing import Any, Final

import sqlalchemy as sa

Table = sa.TableClause

MONEY: Final = sa.Text().with_variant(sa.Numeric(), "postgresql")
_TYPES: Final[dict[str, Any]] = {
    "int": sa.BigInteger(),
    "text": sa.Text(),
    "money": MONEY,
    "bytes": sa.LargeBinary(),
}


def _table(table: str, /, **columns: str) -> Table:
    return sa.table(table, *(sa.column(column, _TYPES[kind]) for column, kind in columns.items()))


def _messages(table: str, /, **columns: str) -> Table:
    return _table(table, stream_id="int", at_ms="int", epoch="int", seq="int", **columns)


streams = _table(
    "streams",
    id="int",
    name="text",
    tenant="text",
    exchange="text",
    action="text",
    symbol="text",
    face="text",
    position_epoch="int",
    position_seq="int",
    messages="int",
    updated_ms="int",
)
stream_epochs = _table("stream_epochs", stream_id="int", epoch="int", first_seq="int", last_seq="int", messages="int")

book_deltas = _messages("book_deltas", event_ms="int", nonce="int", data="text")
snapshots = _messages("snapshots", as_of_epoch="int", as_of_seq="int", nonce="int", checksum="int", data="text")
book_checkpoints = _messages("book_checkpoints", nonce="int", checked="int", data="text")
checkpoint_progress = _table("checkpoint_progress", stream_id="int", epoch="int", seq="int")
statuses = _messages("statuses", status="text", reason="text", market="text")
trades = _messages("trades", n="int", trade_id="text", side="text", price="money", amount="money")
tickers = _messages("tickers", event_ms="int", data="text")
events = _messages("events", event_ms="int", data="text")
candles = _table(
    "candles",
    stream_id="int",
    timeframe="text",
    at_ms="int",
    epoch="int",
    seq="int",
    open="money",
    high="money",
    low="money",
    close="money",
    volume="money",
)
minute_candles = _table(
    "minute_candles",
    stream_id="int",
    at_ms="int",
    open="money",
    high="money",
    low="money",
    close="money",
    volume="money",
    trades="int",
)
stale_minutes = _table("stale_minutes", stream_id="int", at_ms="int", mark="int")

own_trades = _messages(
    "own_trades",
    n="int",
    trade_id="text",
    order_id="text",
    side="text",
    price="money",
    amount="money",
    taker_or_maker="text",
    fee_cost="money",
    fee_currency="text",
    fees_by_currency="text",
    cost="money",
)
positions = _table(
    "positions",
    stream_id="int",
    source="text",
    at_ms="int",
    last_ms="int",
    trades="int",
    quantity="money",
    opened_quantity="money",
    opened_cost="money",
    realised="money",
    fees="money",
    bought="money",
    sold="money",
    turnover="money",
    fees_by_currency="text",
    unvalued_fees="text",
)
fee_prices = _table("fee_prices", stream_id="int", currency="text", at_ms="int", price="money")
equity = _table("equity", tenant="text", at_ms="int", currency="text", value="money", holdings="text")
orders = _table(
    "orders",
    tenant="text",
    exchange="text",
    order_id="text",
    symbol="text",
    order_source="text",
    request_id="text",
    side="text",
    type="text",
    status="text",
    price="money",
    amount="money",
    filled="money",
    average="money",
    created_ms="int",
    updated_ms="int",
    data="text",
)
order_events = _messages("order_events", n="int", order_id="text", status="text", filled="money", data="text")
exchange_positions = _messages("exchange_positions", n="int", symbol="text", data="text")
balances = _messages("balances", n="int", currency="text", free="money", used="money", total="money", debt="money")
requests = _messages(
    "requests",
    request_id="text",
    action="text",
    exchange="text",
    symbol="text",
    order_source="text",
    data="text",
)
responses = _messages(
    "responses",
    request_id="text",
    status="text",
    order_id="text",
    order_source="text",
    error_kind="text",
    error_message="text",
    trace="text",
)
failed_executions = _messages(
    "failed_executions", request_id="text", status="text", kind="text", reason="text", order_source="text"
)

gaps = _table(
    "gaps",
    stream_id="int",
    epoch="int",
    first_seq="int",
    last_seq="int",
    missing="int",
    found_ms="int",
    reason="text",
)
latencies = _table("latencies", stream_id="int", hop="text", at_ms="int", count="int", buckets="text")
dead_letters = _messages("dead_letters", reason="text", raw="bytes")
agent_states = _table("agent_states", agent_id="text", at_ms="int", kind="text", state="text", data="text")
configs = _table("configs", agent_id="text", at_ms="int", revision="text", data="text", author="text")
halts = _table("halts", tenant="text", scope="text", since_ms="int", reason="text", author="text", resumed_ms="int")

retention = _table("retention", subject="text", dropped_before_ms="int")

tokens = _table(
    "tokens",
    id="text",
    tenant="text",
    name="text",
    role="text",
    secret_hash="text",  # noqa: S106 - a column's type
    created_ms="int",
    expires_ms="int",
    revoked_ms="int",
    last_used_ms="int",
)
sign_in_codes = _table(
    "sign_in_codes", digest="text", tenant="text", role="text", usable_until_ms="int", expires_ms="int"
)
audit = _table(
    "audit",
    id="int",
    at_ms="int",
    tenant="text",
    actor="text",
    action="text",
    target="text",
    outcome="text",
    address="text",
    detail="text",
)
idempotency_keys = _table(
    "idempotency_keys", tenant="text", key="text", digest="text", status="int", body="text", created_ms="int"
)

PARTITIONED: Final = ("book_deltas", "snapshots", "book_checkpoints", "statuses", "trades", "tickers")
"""Tables that PostgreSQL partitions by day."""
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "streams": ("id",),
    "stream_epochs": ("stream_id", "epoch"),
    "checkpoint_progress": ("stream_id",),
    "candles": ("stream_id", "timeframe", "at_ms"),
    "minute_candles": ("stream_id", "at_ms"),
    "stale_minutes": ("stream_id", "at_ms"),
    "orders": ("tenant", "order_id", "exchange", "symbol"),
    "positions": ("stream_id", "source", "at_ms"),
    "fee_prices": ("stream_id", "currency", "at_ms"),
    "equity": ("tenant", "at_ms"),
    "gaps": ("stream_id", "epoch", "first_seq"),
    "latencies": ("stream_id", "hop", "at_ms"),
    "agent_states": ("agent_id", "at_ms"),
    "configs": ("agent_id", "at_ms", "revision"),
    "halts": ("tenant", "scope"),
    "retention": ("subject",),
    "tokens": ("id",),
    "sign_in_codes": ("digest", "tenant"),
    "idempotency_keys": ("tenant", "key"),
}
"""Primary keys of the tables that are not keyed by message."""


def key_of(table: Table) -> tuple[str, ...]:
    """Return the primary key of a table; `n` distinguishes the rows of one message where it may have several."""
    if (key := KEYS.get(table.name)) is not None:
        return key
    return ("stream_id", "at_ms", "epoch", "seq", *(["n"] if "n" in table.c else []))
