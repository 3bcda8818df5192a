"""Queries of market data."""

from millrace_core.ids import MessageId
from millrace_core.names import StreamName
from millrace_store.database import Database
from millrace_store.records import BookRecord, CandleRecord, EventRecord, TickerRecord, TradeRecord
from millrace_store.scope import DEFAULT_LIMIT, Page, Scope


class Market:
    """What markets did. Pages run oldest first, or newest first with `descending`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def trades(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, descending: bool = False
    ) -> Page[TradeRecord]:
        """Give trades by their time.

        Raises:
            BadCursor: `cursor` is none of this query's.
        """
        raise NotImplementedError

    async def candles(
        self, scope: Scope, timeframe: str, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[CandleRecord]:
        """Give candles of one timeframe (`1m`) as the exchange gave them."""
        raise NotImplementedError

    async def candles_from_trades(
        self, scope: Scope, interval_ms: int, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[CandleRecord]:
        """Give candles of any interval, built exactly from stored trades; an interval without trades has none.

        `scope` must name an exchange and a symbol. Intervals start at multiples of `interval_ms` since 1970 UTC.
        """
        raise NotImplementedError

    async def tickers(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[TickerRecord]:
        """Give the whole ticker after each message."""
        raise NotImplementedError

    async def book(
        self,
        name: StreamName,
        *,
        at_ms: int | None = None,
        message_id: MessageId | None = None,
        nonce: int | None = None,
        depth: int | None = None,
    ) -> BookRecord:
        """Give the order book as it was: at a moment, after a message, or at the exchange's own number of it.

        Exactly one of the three must be given. Between two numbers the book is that of the lower.

        Raises:
            BookUnknown: it cannot be rebuilt and proved from what is stored; says why.
        """
        raise NotImplementedError

    async def events(
        self, scope: Scope, action: str, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[EventRecord]:
        """Give messages of streams without a table of their own, such as `watchPositions`."""
        raise NotImplementedError

    async def streams(self, scope: Scope) -> list[StreamName]:
        """Give the streams of which anything is stored."""
        raise NotImplementedError
