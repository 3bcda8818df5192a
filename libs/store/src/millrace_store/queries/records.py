"""Records that queries return, camelCase as JSON. Money is `Decimal`, times are ms unless their name says ns."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from millrace_core.market import ExchangePosition, Level
from millrace_core.market_terms import MarketTerms
from millrace_core.orders import Order
from millrace_core.trace import Trace


class _Record(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A row as queries return it."""


class TradeRecord(_Record, frozen=True, kw_only=True):
    """A trade of the market, or one of the tenant's own."""

    exchange: str
    symbol: str
    message_id: str
    at_ms: int
    """The exchange's time of the trade, or when it was published if the exchange sends no time."""
    id: str | None
    side: str | None
    price: Decimal
    amount: Decimal
    order: str | None = None
    """This and all fields below: own trades only."""
    taker_or_maker: str | None = None
    fee_cost: Decimal | None = None
    """None if the fee is not known, or was charged in several currencies."""
    fee_currency: str | None = None
    fees_by_currency: Mapping[str, Decimal] | None = None
    """The fees that were charged in several currencies; None of any other trade."""


class CandleRecord(_Record, frozen=True, kw_only=True):
    """Prices and volume of one interval."""

    exchange: str
    symbol: str
    at_ms: int
    """When the interval opened."""
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    """In base currency."""
    trades: int | None = None
    """Number of trades in it; None for the exchange's own candles."""


class MarketRecord(_Record, frozen=True, kw_only=True):
    """What an exchange takes in one market."""

    exchange: str
    symbol: str
    at_ms: int
    """When the gatherer said so last."""
    terms: MarketTerms
    """Steps and least sizes; what the exchange does not state is absent."""


class TickerRecord(_Record, frozen=True, kw_only=True):
    """A whole ticker after one message."""

    exchange: str
    symbol: str
    message_id: str
    at_ms: int
    ticker: dict[str, Any]


class BookRecord(_Record, frozen=True, kw_only=True):
    """An order book as it was."""

    exchange: str
    symbol: str
    message_id: str
    """The last message that it includes; seq 0 is the snapshot with which an epoch began."""
    at_ms: int
    """When that message was published."""
    nonce: int | None
    bids: list[Level]
    asks: list[Level]
    checked: bool
    """Whether a checksum proved this book or the one it was built from; False if the gatherer sent none."""
    deltas: int
    """How many messages were applied to the snapshot."""


class CurrentOrder(_Record, frozen=True, kw_only=True):
    """One of the tenant's orders, joined from every source."""

    exchange: str
    symbol: str | None
    order: Order
    order_source: str | None
    request_id: str | None
    created_ms: int | None
    updated_ms: int


class OrderEventRecord(_Record, frozen=True, kw_only=True):
    """The report of one message about an order."""

    message_id: str
    at_ms: int
    stream: str
    """The name of the stream."""
    order: Order


class RequestRecord(_Record, frozen=True, kw_only=True):
    """A request to trade as it was sent."""

    message_id: str
    at_ms: int
    request_id: str | None
    action: str | None
    exchange: str | None
    symbol: str | None
    order_source: str | None
    request: msgspec.Raw
    """The whole request as published, with every digit: JSON."""


class ResponseRecord(_Record, frozen=True, kw_only=True):
    """One answer of the executor."""

    exchange: str
    symbol: str | None
    message_id: str
    at_ms: int
    action: str
    request_id: str
    status: str
    order_id: str | None
    order_source: str | None
    error_kind: str | None
    error_message: str | None
    trace: Trace
    latencies: dict[str, int]
    """ns between each two hops, as `received→published`."""


class OrderHistory(_Record, frozen=True, kw_only=True):
    """Everything known of one order, each part oldest first."""

    order: CurrentOrder | None
    """None if no order was ever placed."""
    requests: list[RequestRecord]
    responses: list[ResponseRecord]
    events: list[OrderEventRecord]
    fills: list[TradeRecord]


class FailedExecution(_Record, frozen=True, kw_only=True):
    """An answer that is not `done`."""

    exchange: str
    symbol: str | None
    message_id: str
    at_ms: int
    action: str
    request_id: str
    status: str
    """`rejected`, `failed`, `expired`, or `unknown`."""
    kind: str
    """A class of ccxt's errors, or RiskRefused, Expired, Halted, Malformed."""
    reason: str
    order_source: str | None
    settled: str | None
    """The status of the final answer to an `unknown`; None while there is no final answer."""


class BalanceRecord(_Record, frozen=True, kw_only=True):
    """An account's balance of one currency from a moment on."""

    exchange: str
    message_id: str
    at_ms: int
    currency: str
    free: Decimal | None
    used: Decimal | None
    total: Decimal | None
    """With what is borrowed."""
    debt: Decimal | None
    """What is owed of it; None if the exchange does not say."""


class ExchangePositionRecord(_Record, frozen=True, kw_only=True):
    """What an account holds of a contract from a moment on, as the exchange reports it; 0 contracts: no more."""

    exchange: str
    message_id: str
    at_ms: int
    position: ExchangePosition


class EventRecord(_Record, frozen=True, kw_only=True):
    """A message of a stream without a table of its own: funding rates, liquidations."""

    exchange: str
    symbol: str | None
    action: str
    message_id: str
    at_ms: int
    data: Any


class GapRecord(_Record, frozen=True, kw_only=True):
    """Messages that were lost before they could be stored."""

    stream: str
    epoch: int
    first_seq: int
    last_seq: int
    missing: int
    found_ms: int
    reason: str


class LatencyRecord(_Record, frozen=True, kw_only=True):
    """Durations of one hop over a period, ns."""

    stream: str
    hop: str
    """As `received→published`."""
    at_ms: int
    """When the interval began."""
    count: int
    p50: float
    p90: float
    p99: float


class StreamRecord(_Record, frozen=True, kw_only=True):
    """The position up to which a journal is stored."""

    stream: str
    position: str
    updated_ms: int
    messages: int
    """Stored in all epochs."""


class EpochRecord(_Record, frozen=True, kw_only=True):
    """How many messages of one epoch of a journal are stored: `last_seq - first_seq + 1` less those in `gaps`."""

    epoch: int
    first_seq: int
    last_seq: int
    messages: int


class AgentRecord(_Record, frozen=True, kw_only=True):
    """The state of an agent at a moment."""

    agent_id: str
    at_ms: int
    kind: str
    state: str
    heartbeat: Any


class ConfigRecord(_Record, frozen=True, kw_only=True):
    """A configuration that an agent had from a moment on."""

    agent_id: str
    at_ms: int
    revision: str
    text: str
    """The JSON as it was in Redis, secrets included: never return it to a client without removing them."""
    author: str | None


class DeadLetter(_Record, frozen=True, kw_only=True):
    """A message that could not be decoded or stored, as it came."""

    stream: str
    message_id: str
    at_ms: int
    reason: str
    raw: bytes
    """In JSON base64."""


class TokenRecord(_Record, frozen=True, kw_only=True):
    """An API token; only a hash of its secret is stored."""

    id: str
    tenant: str
    name: str
    role: str
    """`read`, `trade` or `admin`."""
    secret_hash: str
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None
    last_used_ms: int | None


class SignInCode(_Record, frozen=True, kw_only=True):
    """What a code that works once stands for: one tenant's token, made when the code is used."""

    digest: str
    """SHA-256 of the code."""
    tenant: str
    role: str
    usable_until_ms: int
    expires_ms: int | None
    """When the token expires; None for never."""


class AuditEntry(_Record, frozen=True, kw_only=True):
    """An action through the API, done or denied."""

    at_ms: int
    tenant: str
    actor: str
    """The id of the token, or the text that was sent instead of a token."""
    action: str
    target: str | None
    outcome: str
    address: str | None
    detail: Any


class AuditRecord(AuditEntry, frozen=True, kw_only=True):
    """An entry of the audit trail."""

    id: int


class IdempotentAnswer(_Record, frozen=True, kw_only=True):
    """The answer to a request of this key; `status` and `body` are None while the request is being handled."""

    digest: str
    """Digest of the request; the same key with another request is an error."""
    status: int | None
    body: str | None
    created_ms: int
