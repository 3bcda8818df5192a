"""What one transaction writes: messages, and with them how far their streams are stored.

Pure: rows are gathered here and committed by `millrace_store.writing.commit`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import compress
from typing import Any, Final, NamedTuple

from msgspec import structs

from millrace_core.heartbeat import Heartbeat
from millrace_core.ids import MessageId
from millrace_core.latency import Histogram
from millrace_core.market import Balances, Candle, Trade
from millrace_core.message_ids import MessageIds
from millrace_core.messages import Response, Status, encode
from millrace_core.names import AgentId, StreamName
from millrace_core.orders import Order, OrderRecord
from millrace_core.trace import Trace
from millrace_store.backends.columns import Columns
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id, symbol_of
from millrace_store.schema.tables import Table
from millrace_store.writing.book_pages import BookPage, book_rows
from millrace_store.writing.rows import MarketTrade, trade_rows, traded_at
from millrace_store.writing.written import Written

_MINUTE_MS: Final = 60_000
_INT64: Final = 2**63


class Place(NamedTuple):
    """Which message, and when: its identity in the database."""

    name: str
    """The Redis name on which it travelled: a stream's, a stream's snapshots', or a tenant's traderActions."""
    id: MessageId
    at_ms: int
    """When it was published, by its trace; a request's own time."""
    event_ms: int | None = None
    """The exchange's own time, where it gave one."""


class Sighting(NamedTuple):
    """What one message said of an order."""

    stream: int
    id: MessageId
    tenant: str
    record: OrderRecord


class LatencyAddition(NamedTuple):
    """Durations of one hop within one minute."""

    stream: int
    hop: str
    minute_ms: int
    histogram: Histogram


class Batch:
    """Rows that are committed together; each method adds one message.

    A message is stored once: one at or below its stream's stored position is skipped, whoever stored it. So the
    messages of one stream must be added in order, and a batch that failed may be given again whole. Adding moves the
    stream's position to the message by itself. What is added must be valid (decoded by the types given here, names of
    the protocol, texts in UTF-8): a batch of which a method raised is to be thrown away.
    """

    def __init__(self) -> None:
        self.rows: dict[Table, Columns] = {}
        """What messages leave, by table; each row begins with stream_id, at_ms, epoch, seq."""
        self.book_pages: list[BookPage] = []
        """More rows of order-book deltas, page by page."""
        self.written: dict[str, Written] = {}
        """By Redis name."""
        self.candle_rows: dict[tuple[int, str, int], tuple[Any, ...]] = {}
        """The newest of each interval, by stream, timeframe and opening time."""
        self.minutes: set[tuple[int, int]] = set()
        """Stream and opening time of each minute in which it traded."""
        self.sightings: list[Sighting] = []
        self.gap_rows: list[tuple[Any, ...]] = []
        self.latencies: list[LatencyAddition] = []
        self.agent_rows: list[tuple[Any, ...]] = []
        self.config_rows: list[tuple[Any, ...]] = []
        self.duplicates = 0
        """Messages skipped because they were stored before; complete once the batch is committed."""

    @property
    def messages(self) -> int:
        """How many messages were added."""
        return sum(written.messages for written in self.written.values())

    def book_delta(self, place: Place, data: bytes, nonce: int | None) -> None:
        """Add what changed in an order book, as it travelled."""
        if self._admits(place.name, place.id):
            row = (*_identity(place), _int64(place.event_ms), _int64(nonce), str(data, "utf-8"))
            self._add(tables.book_deltas, row)

    def book_deltas(
        self,
        name: str,
        ids: MessageIds,
        at_ms: Sequence[int],
        event_ms: Sequence[int | None],
        nonces: Sequence[int | None],
        texts: Sequence[bytes],
    ) -> None:
        """Add a page of one order book's journal, in order: of each message its id, times, nonce and data.

        The same as `book_delta` for each, several times quicker. Times must be within 64 bits, and JSON in one line.
        """
        lines = b"\n".join(texts)
        if lines.count(b"\n") != len(texts) - 1:
            raise ValueError(f"{name}: the data of a message has several lines")
        page = BookPage(stream_id(name), at_ms, ids.epochs, ids.seqs, event_ms, _all_int64(nonces), lines)
        new = self._new(name, ids)
        if new is None:
            self.book_pages.append(page)
        else:
            self.add_rows(tables.book_deltas, book_rows([page]).where(new))

    def snapshot(
        self, place: Place, as_of: MessageId, data: bytes, *, nonce: int | None = None, checksum: int | None = None
    ) -> None:
        """Add a snapshot of any stream as it travelled; `place.name` is the snapshot's name."""
        if self._admits(place.name, place.id):
            self._add(
                tables.snapshots, (*_identity(place), *as_of, _int64(nonce), _int64(checksum), str(data, "utf-8"))
            )

    def balances_snapshot(self, place: Place, as_of: MessageId, data: bytes, balances: Balances) -> None:
        """Add a snapshot of an account's balances; the first of an epoch that is stored tells of each balance in it.

        What an account held before anybody watched, and what changed while nobody could say so, no delta tells.
        """
        begins = self._begins(place)
        self.snapshot(place, as_of, data)
        if begins:
            self._hold(place, balances)

    def orders_snapshot(self, place: Place, as_of: MessageId, data: bytes, orders: Sequence[Order]) -> None:
        """Add a snapshot of the open orders; the first of an epoch that is stored is joined into the current orders."""
        begins = self._begins(place)
        self.snapshot(place, as_of, data)
        if begins:
            self._sight(place, orders)

    def trades(self, place: Place, trades: Sequence[MarketTrade]) -> None:
        """Add trades of the market: one row each."""
        self.market_trades(place.name, MessageIds.of([place.id]), [place.at_ms], [trades])

    def market_trades(
        self, name: str, ids: MessageIds, at_ms: Sequence[int], trades: Sequence[Sequence[MarketTrade]]
    ) -> None:
        """Add a page of one market's journal, in order: of each message its id, time and trades.

        The same as `trades` for each, several times quicker.
        """
        new = self._new(name, ids)
        if new is not None:
            ids, at_ms, trades = (
                MessageIds.of(compress(ids, new)),
                list(compress(at_ms, new)),
                list(compress(trades, new)),
            )
        stream = stream_id(name)
        rows = trade_rows(stream, ids, at_ms, trades)
        self.add_rows(tables.trades, rows)
        self.minutes.update((stream, minute * _MINUTE_MS) for minute in {at // _MINUTE_MS for at in rows.lists[1]})

    def own_trades(self, place: Place, trades: Sequence[Trade]) -> None:
        """Add the tenant's own trades: one row each; queries give one that comes again only once."""
        if not self._admits(place.name, place.id):
            return
        stream = stream_id(place.name)
        for n, trade in enumerate(trades):
            fee = trade.fee
            self._add(
                tables.own_trades,
                (
                    *(stream, traded_at(trade, place.at_ms), *place.id, n),
                    *(_text(trade.id), _text(trade.order), _text(trade.side), repr(trade.price), repr(trade.amount)),
                    _text(trade.taker_or_maker),
                    *((_digits(fee.cost), _text(fee.currency)) if fee is not None else (None, None)),
                ),
            )

    def candles(self, place: Place, timeframe: str, candles: Sequence[Candle]) -> None:
        """Add candles as the exchange gave them; of two for one interval the newer message's stays."""
        if self._admits(place.name, place.id):
            stream = stream_id(place.name)
            for at_ms, *numbers in candles:
                digits = (repr(number) for number in numbers)
                self.candle_rows[stream, timeframe, at_ms] = (stream, timeframe, at_ms, *place.id, *digits)

    def ticker(self, place: Place, data: bytes) -> None:
        """Add the fields of a ticker that changed, as they travelled."""
        if self._admits(place.name, place.id):
            self._add(tables.tickers, (*_identity(place), _int64(place.event_ms), str(data, "utf-8")))

    def orders(self, place: Place, orders: Sequence[Order]) -> None:
        """Add what a message said of orders: an event each, joined into the current order."""
        if self._admits(place.name, place.id):
            self._see(place, orders)

    def balances(self, place: Place, balances: Balances) -> None:
        """Add the balances that changed."""
        if self._admits(place.name, place.id):
            self._hold(place, balances)

    def event(self, place: Place, data: bytes) -> None:
        """Add a message of a stream without a table of its own (positions, funding rates), as it travelled."""
        if self._admits(place.name, place.id):
            self._add(tables.events, (*_identity(place), _int64(place.event_ms), str(data, "utf-8")))

    def status(self, place: Place, status: Status) -> None:
        """Add what a writer said of its stream."""
        if self._admits(place.name, place.id):
            self._add(tables.statuses, (*_identity(place), status.status, _text(status.reason)))

    def request(self, place: Place, data: bytes, request: Mapping[str, Any]) -> None:
        """Add a request to trade as it travelled, of whatever form; what it names of the protocol is indexed."""
        if not self._admits(place.name, place.id):
            return
        payload = request.get("payload")
        said = payload if isinstance(payload, dict) else {}
        named = (request.get("requestId"), request.get("action"), request.get("exchangeId"))
        of_payload = (said.get("symbol"), said.get("orderSource"))
        texts = (_text(value) if isinstance(value, str) else None for value in (*named, *of_payload))
        self._add(tables.requests, (*_identity(place), *texts, str(data, "utf-8")))

    def response(self, place: Place, response: Response, trace: Trace) -> None:
        """Add an executor's answer; its orders are joined into the current ones, and one not done has failed."""
        if not self._admits(place.name, place.id):
            return
        order, error, source = response.order, response.error, _text(response.order_source)
        request = _text(response.request_id) or ""
        kind, reason = ("", "") if error is None else (_text(error.kind) or "", _text(error.message) or "")
        self._add(
            tables.responses,
            (
                *(*_identity(place), request, response.status, None if order is None else _text(order.id), source),
                *((None, None) if error is None else (kind, reason)),
                encode(trace).decode(),
            ),
        )
        if response.status != "done":
            failed = (request, response.status, kind or "Unknown", reason or "no reason was given", source)
            self._add(tables.failed_executions, (*_identity(place), *failed))
        # Only an order that this request made is the request's; what it canceled or edited was another's.
        made = response if StreamName.parse(place.name).action == "createOrder" else None
        own = [] if order is None else [order]
        self._see(place, own, made)
        self._see(place, response.orders or [], first=len(own))

    def dead_letter(self, place: Place, reason: str, raw: bytes) -> None:
        """Add a message that cannot be understood: it counts as stored."""
        if self._admits(place.name, place.id):
            self._add(tables.dead_letters, (*_identity(place), _text(reason), bytes(raw)))

    def gap(self, name: str, epoch: int, first_seq: int, last_seq: int, found_ms: int, reason: str) -> None:
        """Add a hole: these messages, both ends included, can never be stored. The same hole is kept once."""
        self._of(name)
        missing = last_seq - first_seq + 1
        self.gap_rows.append((stream_id(name), epoch, first_seq, last_seq, missing, found_ms, _text(reason)))

    def latency(self, name: str, hop: str, minute_ms: int, histogram: Histogram) -> None:
        """Add durations of one hop within one minute to what is stored of them.

        They are left out when any message of this stream in the batch turns out to have been stored before.
        """
        self._of(name)
        self.latencies.append(LatencyAddition(stream_id(name), hop, minute_ms, histogram))

    def agent(self, heartbeat: Heartbeat) -> None:
        """Add what an agent said of itself at `heartbeat.sent_at`; the same moment is kept once."""
        said = (heartbeat.id, heartbeat.sent_at, heartbeat.kind, heartbeat.state, encode(heartbeat).decode())
        self.agent_rows.append(said)

    def config(self, agent: AgentId, revision: str, at_ms: int, text: str, author: str | None = None) -> None:
        """Add a configuration that an agent has from now on; the one that it has already is not added again."""
        self.config_rows.append((str(agent), at_ms, revision, text, author))

    def add_rows(self, table: Table, rows: Columns) -> None:
        """Add rows that messages leave; the messages themselves are not counted in by this."""
        self._of_table(table).extend(rows.lists)

    def all_rows(self) -> dict[Table, Columns]:
        """Return what all messages leave, by table."""
        if not self.book_pages:
            return self.rows
        books = book_rows(self.book_pages)
        if (others := self.rows.get(tables.book_deltas)) is not None:
            books.extend(others.lists)
        return self.rows | {tables.book_deltas: books}

    def position(self, name: str, at: MessageId) -> None:
        """Say how far a stream is dealt with, where that is further than its last message in this batch."""
        written = self._of(name)
        written.position = at if written.position is None else max(at, written.position)

    def _of(self, name: str) -> Written:
        written = self.written.get(name)
        if written is None:
            written = self.written[name] = Written(name)
        return written

    def _admits(self, name: str, id_: MessageId) -> bool:
        return self._new(name, MessageIds.of([id_])) is None

    def _new(self, name: str, ids: MessageIds) -> list[bool] | None:
        """Count messages in; None when all are new, else which are."""
        new = self._of(name).add(ids)
        if new is not None:
            self.duplicates += new.count(False)
        return new

    def _begins(self, place: Place) -> bool:
        """Tell whether no message of this epoch is in the batch; whether one is stored is seen when it is committed."""
        return place.id.epoch > self._of(place.name).last.epoch

    def _add(self, table: Table, row: tuple[Any, ...]) -> None:
        self._of_table(table).append(row)

    def _of_table(self, table: Table) -> Columns:
        rows = self.rows.get(table)
        if rows is None:
            rows = self.rows[table] = Columns.empty(len(table.columns))
        return rows

    def _hold(self, place: Place, balances: Balances) -> None:
        for n, (currency, held) in enumerate(balances.items()):
            amounts = (_digits(held.free), _digits(held.used), _digits(held.total))
            self._add(tables.balances, (*_identity(place), n, _text(currency), *amounts))

    def _see(self, place: Place, orders: Sequence[Order], response: Response | None = None, first: int = 0) -> None:
        for n, order in enumerate(orders, first):
            said = (_text(order.id), _text(order.status), _exact(order.filled), encode(order).decode())
            self._add(tables.order_events, (*_identity(place), n, *said))
        self._sight(place, orders, response)

    def _sight(self, place: Place, orders: Sequence[Order], response: Response | None = None) -> None:
        name = StreamName.parse(place.name)
        source = None if response is None else response.order_source
        request = None if response is None else response.request_id
        for order in orders:
            known = structs.replace(order, symbol=symbol_of(order, name) or None)
            record = OrderRecord(known, name.exchange, place.at_ms, source, request)
            self.sightings.append(Sighting(stream_id(place.name), place.id, name.tenant, record))


def _identity(place: Place) -> tuple[int, int, int, int]:
    return stream_id(place.name), place.at_ms, *place.id


def _int64(value: int | None) -> int | None:
    """Return a number as both databases can hold it."""
    return value if value is not None and -_INT64 <= value < _INT64 else None


def _all_int64(values: Sequence[int | None]) -> Sequence[int | None]:
    """Return numbers as both databases can hold them."""
    every: Sequence[Any] = values
    try:
        if every and min(every) >= -_INT64 and max(every) < _INT64:
            return values
    except TypeError:
        pass  # some are None
    return [_int64(value) for value in values]


def _text(value: str | None) -> str | None:
    """Return a text as both databases can hold it: PostgreSQL refuses NUL."""
    return value.replace("\x00", "\ufffd") if value is not None and "\x00" in value else value


def _exact(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _digits(number: float | None) -> str | None:
    return None if number is None else repr(number)
