"""What a query is about, and the pages in which it answers."""

from typing import Generic, NamedTuple, TypeVar

from millrace_core.names import ExchangeId, Symbol, Tenant

DEFAULT_LIMIT = 1_000
MAX_LIMIT = 10_000

RowT = TypeVar("RowT")


class Scope(NamedTuple):
    """Whose data, and which of it; None leaves a filter open."""

    tenant: Tenant
    exchange: ExchangeId | None = None
    symbol: Symbol | None = None
    since_ms: int | None = None
    """Inclusive."""
    until_ms: int | None = None
    """Exclusive."""
    source: str | None = None
    """An `orderSource`: of orders and whatever came of them; balances and market data have none."""


class Page(NamedTuple, Generic[RowT]):
    """Some of a query's rows, in order."""

    rows: list[RowT]
    next_cursor: str | None
    """Pass it to the same query for the rows that follow; None after the last. Rows written meanwhile disturb nothing:
    none comes twice, and none that was there at the start is left out."""
