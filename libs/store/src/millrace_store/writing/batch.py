"""The content of one transaction: the rows of messages, and the positions of their streams.

Pure: rows are collected here and committed by `millrace_store.writing.commit`.
"""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from msgspec import structs

from millrace_core.clock import MINUTE_MS
from millrace_core.heartbeat import Heartbeat
from millrace_core.ids import MessageId
from millrace_core.latency import Histogram
from millrace_core.market import Balances, Candle, ExchangePosition, Trade
from millrace_core.market_terms import terms_as_text
from millrace_core.message_ids import MessageIds
from millrace_core.messages import Response, Status, encode
from millrace_core.names import AgentId, StreamName
from millrace_core.orders import Order, OrderRecord
from millrace_core.trace import Trace
from millrace_store.backends.columns import Columns
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id, symbol_of
from millrace_store.schema.tables import Table
from millrace_store.writing.rows import (
    BookPage,
    LatencyAddition,
    MarketTrade,
    Place,
    all_int64,
    book_rows,
    exact_digits,
    fee_columns,
    float_digits,
    identity,
    int64,
    nul_free,
    signed,
    trade_rows,
    traded_at,
)
from millrace_store.writing.written import OrderObservation, Written


class Batch:
    """Rows that are committed together; each method adds one message.

    A message at or below the stored position of its stream is skipped, so a message is stored once and a batch that
    failed may be committed again. Add the messages of a stream in order; each one moves the position of its stream.
    Arguments must be valid: decoded as these types, names of the protocol, texts in UTF-8. Discard a batch after one of
    its methods raised.
    """

    def __init__(self) -> None:
        self.rows: dict[Table, Columns] = {}
        """Rows of messages, by table; each begins with stream_id, at_ms, epoch, seq."""
        self.book_pages: list[BookPage] = []
        """More rows of order-book deltas, page by page."""
        self.written: dict[str, Written] = {}
        """By Redis name."""
        self.candle_rows: dict[tuple[int, str, int], tuple[Any, ...]] = {}
        """The newest of each interval, by stream, timeframe and opening time."""
        self.minutes: set[tuple[int, int]] = set()
        """Stream and opening time of each minute in which it traded."""
        self.order_observations: list[OrderObservation] = []
        self.gap_rows: list[tuple[Any, ...]] = []
        self.stray_rows: list[tuple[Any, ...]] = []
        """Dead letters that are no messages."""
        self.latencies: list[LatencyAddition] = []
        self.agent_rows: list[tuple[Any, ...]] = []
        self.config_rows: list[tuple[Any, ...]] = []
        self.duplicates = 0
        """Messages that were stored before; complete once the batch is committed."""

    @property
    def messages(self) -> int:
        """Number of messages that were added."""
        return sum(written.messages for written in self.written.values())

    def book_delta(self, place: Place, data: bytes, nonce: int | None) -> None:
        """Add the change of an order book, as published."""
        if self._admits(place.name, place.id):
            row = (*identity(place), int64(place.event_ms), int64(nonce), str(data, "utf-8"))
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
        """Add a page of one order book's journal, in order: id, times, nonce and data of each message.

        Does the same as `book_delta` for each, several times faster. Times must fit in 64 bits.

        Raises:
            ValueError: the JSON of a message has more than one line.
        """
        lines = b"\n".join(texts)
        if lines.count(b"\n") != len(texts) - 1:
            raise ValueError(f"{name}: the data of a message has several lines")
        page = BookPage(stream_id(name), at_ms, ids.epochs, ids.seqs, event_ms, all_int64(nonces), lines)
        new = self._new(name, ids)
        if new is None:
            self.book_pages.append(page)
        else:
            self.add_rows(tables.book_deltas, book_rows([page]).where(new))

    def snapshot(
        self, place: Place, as_of: MessageId, data: bytes, *, nonce: int | None = None, checksum: int | None = None
    ) -> None:
        """Add a snapshot of any stream as published; `place.name` is the snapshot's name."""
        if self._admits(place.name, place.id):
            self._add(tables.snapshots, (*identity(place), *as_of, int64(nonce), int64(checksum), str(data, "utf-8")))

    def balances_snapshot(self, place: Place, as_of: MessageId, data: bytes, balances: Balances) -> None:
        """Add a snapshot of an account's balances. The first stored one of an epoch also leaves a row for each balance.

        No delta reports what an account held before it was watched, nor what changed during an outage.
        """
        begins = self._begins(place)
        self.snapshot(place, as_of, data)
        if begins:
            self._add_balances(place, balances)

    def orders_snapshot(self, place: Place, as_of: MessageId, data: bytes, orders: Sequence[Order]) -> None:
        """Add a snapshot of open orders. The first stored one of an epoch is also joined into the current orders."""
        begins = self._begins(place)
        self.snapshot(place, as_of, data)
        if begins:
            self._observe(place, orders)

    def trades(self, place: Place, trades: Sequence[MarketTrade]) -> None:
        """Add trades of the market: one row each."""
        self.market_trades(place.name, MessageIds.of([place.id]), [place.at_ms], [trades])

    def market_trades(
        self, name: str, ids: MessageIds, at_ms: Sequence[int], trades: Sequence[Sequence[MarketTrade]]
    ) -> None:
        """Add a page of one market's journal, in order: id, time and trades of each message.

        Does the same as `trades` for each, several times faster.
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
        self.minutes.update((stream, minute * MINUTE_MS) for minute in {at // MINUTE_MS for at in rows.lists[1]})

    def own_trades(self, place: Place, trades: Sequence[Trade]) -> None:
        """Add the tenant's own trades: one row each. Queries return a trade once, however often it came."""
        if not self._admits(place.name, place.id):
            return
        stream = stream_id(place.name)
        for n, trade in enumerate(trades):
            self._add(
                tables.own_trades,
                (
                    *(stream, traded_at(trade, place.at_ms), *place.id, n),
                    *(
                        nul_free(trade.id),
                        nul_free(trade.order),
                        nul_free(trade.side),
                        float_digits(trade.price),
                        float_digits(trade.amount),
                    ),
                    nul_free(trade.taker_or_maker),
                    *fee_columns(trade),
                    float_digits(trade.cost),
                ),
            )

    def candles(self, place: Place, timeframe: str, candles: Sequence[Candle]) -> None:
        """Add the exchange's candles; for one interval the newer message wins."""
        if self._admits(place.name, place.id):
            stream = stream_id(place.name)
            for at_ms, *numbers in candles:
                digits = (float_digits(number) for number in numbers)
                self.candle_rows[stream, timeframe, at_ms] = (stream, timeframe, at_ms, *place.id, *digits)

    def ticker(self, place: Place, data: bytes) -> None:
        """Add the changed fields of a ticker, as published."""
        if self._admits(place.name, place.id):
            self._add(tables.tickers, (*identity(place), int64(place.event_ms), str(data, "utf-8")))

    def orders(self, place: Place, orders: Sequence[Order]) -> None:
        """Add a message's orders: an event for each, joined into the current order."""
        if self._admits(place.name, place.id):
            self._add_order_events(place, orders)

    def balances(self, place: Place, balances: Balances) -> None:
        """Add the balances that changed."""
        if self._admits(place.name, place.id):
            self._add_balances(place, balances)

    def exchange_positions(self, place: Place, positions: Sequence[ExchangePosition]) -> None:
        """Add the positions that changed, as the exchange reports them."""
        if self._admits(place.name, place.id):
            for n, position in enumerate(positions):
                row = (*identity(place), n, nul_free(position.symbol), encode(position).decode())
                self._add(tables.exchange_positions, row)

    def event(self, place: Place, data: bytes) -> None:
        """Add a message of a stream without a table of its own (funding rates, liquidations), as published."""
        if self._admits(place.name, place.id):
            self._add(tables.events, (*identity(place), int64(place.event_ms), str(data, "utf-8")))

    def status(self, place: Place, status: Status) -> None:
        """Add a status of a stream."""
        if self._admits(place.name, place.id):
            market = None if status.market is None else encode(terms_as_text(status.market)).decode()
            self._add(tables.statuses, (*identity(place), status.status, nul_free(status.reason), nul_free(market)))

    def request(self, place: Place, data: bytes, request: Mapping[str, Any]) -> None:
        """Add a request to trade as published, even if malformed; the fields of the protocol in it are indexed."""
        if not self._admits(place.name, place.id):
            return
        payload = request.get("payload")
        said = payload if isinstance(payload, dict) else {}
        named = (request.get("requestId"), request.get("action"), request.get("exchangeId"))
        of_payload = (said.get("symbol"), said.get("orderSource"))
        texts = (nul_free(value) if isinstance(value, str) else None for value in (*named, *of_payload))
        self._add(tables.requests, (*identity(place), *texts, str(data, "utf-8")))

    def response(self, place: Place, response: Response, trace: Trace) -> None:
        """Add an executor's answer and join its orders; any status but `done` is a failed execution."""
        if not self._admits(place.name, place.id):
            return
        order, error, source = response.order, response.error, nul_free(response.order_source)
        request = nul_free(response.request_id) or ""
        kind, reason = ("", "") if error is None else (nul_free(error.kind) or "", nul_free(error.message) or "")
        self._add(
            tables.responses,
            (
                *(
                    *identity(place),
                    request,
                    response.status,
                    None if order is None else nul_free(order.id),
                    source,
                ),
                *((None, None) if error is None else (kind, reason)),
                encode(trace).decode(),
            ),
        )
        if response.status != "done":
            failed = (request, response.status, kind or "Unknown", reason or "no reason was given", source)
            self._add(tables.failed_executions, (*identity(place), *failed))
        own = [] if order is None else [order]
        self._add_order_events(place, own, response)
        self._add_order_events(place, response.orders or [], first=len(own))

    def dead_letter(self, place: Place, reason: str, raw: bytes) -> None:
        """Add a message that cannot be decoded or stored; it counts as stored."""
        if self._admits(place.name, place.id):
            self._add(tables.dead_letters, (*identity(place), nul_free(reason), bytes(raw)))

    def stray_entry(self, place: Place, reason: str, raw: bytes) -> None:
        """Add an entry of a journal to the dead letters whose id is not possible; it is no message, and kept once."""
        self._of(place.name)
        stream, at_ms, epoch, seq = identity(place)
        self.stray_rows.append((stream, at_ms, signed(epoch), signed(seq), nul_free(reason), bytes(raw)))

    def gap(self, name: str, epoch: int, first_seq: int, last_seq: int, found_ms: int, reason: str) -> None:
        """Add a gap: messages from first_seq to last_seq inclusive can never be stored. The same gap is kept once."""
        self._of(name)
        missing = last_seq - first_seq + 1
        self.gap_rows.append((stream_id(name), epoch, first_seq, last_seq, missing, found_ms, nul_free(reason)))

    def latency(self, name: str, hop: str, minute_ms: int, histogram: Histogram) -> None:
        """Add durations of one hop within one minute.

        They are left out if any message of this stream in the batch was stored before.
        """
        self._of(name)
        self.latencies.append(LatencyAddition(stream_id(name), hop, minute_ms, histogram))

    def agent(self, heartbeat: Heartbeat) -> None:
        """Add an agent's state at `heartbeat.sent_at`; the same moment is kept once."""
        agent, kind = nul_free(heartbeat.id), nul_free(heartbeat.kind)
        self.agent_rows.append((agent, heartbeat.sent_at, kind, heartbeat.state, encode(heartbeat).decode()))

    def config(self, agent: AgentId, revision: str, at_ms: int, text: str, author: str | None = None) -> None:
        """Add the configuration that an agent has from now on, unless it is the newest stored one."""
        self.config_rows.append((nul_free(agent), at_ms, revision, nul_free(text), nul_free(author)))

    def add_rows(self, table: Table, rows: Columns) -> None:
        """Add rows of messages without counting the messages."""
        self._of_table(table).extend(rows.lists)

    def all_rows(self) -> dict[Table, Columns]:
        """Return the rows of all messages, by table."""
        if not self.book_pages:
            return self.rows
        books = book_rows(self.book_pages)
        if (others := self.rows.get(tables.book_deltas)) is not None:
            books.extend(others.lists)
        return self.rows | {tables.book_deltas: books}

    def position(self, name: str, at: MessageId) -> None:
        """Move a stream's position beyond its last message in this batch."""
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
        """Count messages; return None when all are new, else which are."""
        new = self._of(name).add(ids)
        if new is not None:
            self.duplicates += new.count(False)
        return new

    def _begins(self, place: Place) -> bool:
        """Tell whether the batch has no message of this epoch yet; the commit checks the database."""
        return place.id.epoch > self._of(place.name).last.epoch

    def _add(self, table: Table, row: tuple[Any, ...]) -> None:
        self._of_table(table).append(row)

    def _of_table(self, table: Table) -> Columns:
        rows = self.rows.get(table)
        if rows is None:
            rows = self.rows[table] = Columns.empty(len(table.columns))
        return rows

    def _add_balances(self, place: Place, balances: Balances) -> None:
        for n, (currency, held) in enumerate(balances.items()):
            amounts = map(float_digits, (held.free, held.used, held.total, held.debt))
            self._add(tables.balances, (*identity(place), n, nul_free(currency), *amounts))

    def _add_order_events(
        self, place: Place, orders: Sequence[Order], response: Response | None = None, first: int = 0
    ) -> None:
        for n, order in enumerate(orders, first):
            state = (nul_free(order.id), nul_free(order.status), exact_digits(order.filled))
            self._add(tables.order_events, (*identity(place), n, *state, encode(order).decode()))
        self._observe(place, orders, response)

    def _observe(self, place: Place, orders: Sequence[Order], response: Response | None = None) -> None:
        name = StreamName.parse(place.name)
        # An order that a request canceled or edited belongs to the request that created it.
        made = response if name.action == "createOrder" else None
        source, request = (None, None) if made is None else (made.order_source, made.request_id)
        edit = response.request_id if response is not None and name.action == "editOrder" else None
        for order in orders:
            known = structs.replace(order, symbol=symbol_of(order, name) or None)
            record = OrderRecord(known, name.exchange, place.at_ms, source, request)
            self.order_observations.append(OrderObservation(stream_id(place.name), place.id, name.tenant, record, edit))
