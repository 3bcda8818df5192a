"""What rows each message must leave in the database, from docs/database.md and the message alone.

It shares nothing with what stores them: JSON is read by Python's own reader, with every digit of its numbers.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from tests.support.recording import Journal

from millrace_core.ids import MessageId

Row = tuple[str, tuple[Any, ...]]
"""A table, and the values of a row there: epoch, seq, `n` where a message leaves several, then its content."""

COLUMNS = {
    "statuses": "epoch, seq, status, reason",
    "book_deltas": "epoch, seq, event_ms, nonce, data",
    "trades": "epoch, seq, n, trade_id, side, price, amount",
    "tickers": "epoch, seq, event_ms, data",
    "own_trades": (
        "epoch, seq, n, trade_id, order_id, side, price, amount, taker_or_maker, fee_cost, fee_currency, cost"
    ),
    "order_events": "epoch, seq, n, order_id, status, filled, data",
    "balances": "epoch, seq, n, currency, free, used, total",
    "events": "epoch, seq, event_ms, data",
    "snapshots": "epoch, seq, as_of_epoch, as_of_seq, nonce, checksum, data",
    "requests": "epoch, seq, request_id, action, exchange, symbol, order_source, data",
    "responses": "epoch, seq, request_id, status, order_id, order_source, error_kind, error_message, trace",
    "failed_executions": "epoch, seq, request_id, status, kind, reason, order_source",
    "dead_letters": "epoch, seq, reason",
}
"""Every table of messages, and what of it is compared."""
DOCUMENTS = frozenset({"data", "trace"})
"""Columns that hold JSON: compared by value, so that the order of keys does not count."""
NUMBERS = frozenset({"price", "amount", "cost", "fee_cost", "filled", "free", "used", "total"})
"""Text in one database and numeric in the other."""


class Said(NamedTuple):
    """One message, taken apart."""

    id: MessageId
    type: str
    timestamp: int | None
    trace: Any
    data: Any


def rows_of(name: str, journal: Journal) -> Counter[Row]:
    """Return the rows that a journal's messages must leave, each as often as it must be there."""
    if name.endswith(".traderActions"):
        return Counter(_freeze(row) for id_, body in journal.items() for row in _request(id_, body))
    is_snapshot = name.startswith("stream.snapshot.")
    first_of = dict(sorted(journal, reverse=True))
    put = _PUTS.get(_action(name), _answer if not _action(name).startswith("watch") else _event)
    rows: Counter[Row] = Counter()
    for said in map(_said, journal.values()):
        if said.type == "status":
            rows.update([_freeze(("statuses", (*said.id, said.data["status"], said.data["reason"])))])
        else:
            rows.update(map(_freeze, _snapshot(said) if is_snapshot else put(said)))
            if is_snapshot and _action(name) == "watchBalance" and said.id.seq == first_of[said.id.epoch]:
                # What holds when an epoch begins no delta tells.
                held = {currency: amounts for currency, amounts in said.data.items() if currency != "asOf"}
                rows.update(map(_freeze, _balances(said._replace(data=held))))
    return rows


def candles_of(journal: Journal) -> dict[tuple[str, int], tuple[Any, ...]]:
    """Return the newest version of each candle in a journal: its table keeps no history."""
    newest: dict[tuple[str, int], tuple[Any, ...]] = {}
    for id_ in sorted(journal):
        said = _said(journal[id_])
        if said.type == "delta":
            for at_ms, *numbers in said.data["candles"]:
                newest[said.data["timeframe"], at_ms] = (*id_, *map(_number, numbers))
    return newest


def is_kept(name: str) -> bool:
    """Tell whether a journal is stored: of snapshots those that hold what messages alone do not (docs/dbsync.md)."""
    kinds = ("watchOrderBook", "watchTicker", "watchBalance", "watchOrders")
    return not name.startswith("stream.snapshot.") or _action(name.replace("stream.snapshot.", "stream.")) in kinds


def from_database(table: str, row: tuple[Any, ...]) -> Row:
    """Return a row of the database in the form in which rows are compared."""
    columns = COLUMNS[table].split(", ")
    return _freeze((table, tuple(_read(column, value) for column, value in zip(columns, row, strict=True))))


def _read(column: str, value: Any) -> Any:
    if value is None:
        return None
    if column in DOCUMENTS:
        return _json(value)
    return Decimal(value) if column in NUMBERS else value


def _action(name: str) -> str:
    return name.removeprefix("stream.snapshot.").removeprefix("stream.").split(".")[2]


def _said(body: bytes) -> Said:
    message = _json(body)
    id_ = MessageId.parse(message["id"])
    return Said(id_, message["type"], message["timestamp"], message["trace"], message["data"])


def _book(said: Said) -> Iterator[Row]:
    yield "book_deltas", (*said.id, said.timestamp, said.data.get("nonce"), said.data)


def _trades(said: Said) -> Iterator[Row]:
    for n, trade in enumerate(said.data["trades"]):
        yield "trades", (*said.id, n, trade["id"], trade["side"], _number(trade["price"]), _number(trade["amount"]))


def _own_trades(said: Said) -> Iterator[Row]:
    for n, trade in enumerate(said.data["trades"]):
        fee = trade.get("fee") or {}
        reported = (trade["id"], trade.get("order"), trade["side"], _number(trade["price"]), _number(trade["amount"]))
        paid = (trade.get("takerOrMaker"), _number(fee.get("cost")), fee.get("currency"), _number(trade.get("cost")))
        yield "own_trades", (*said.id, n, *reported, *paid)


def _ticker(said: Said) -> Iterator[Row]:
    yield "tickers", (*said.id, said.timestamp, said.data)


def _event(said: Said) -> Iterator[Row]:
    yield "events", (*said.id, said.timestamp, said.data)


def _orders(said: Said) -> Iterator[Row]:
    for n, order in enumerate(said.data["orders"]):
        yield "order_events", (*said.id, n, *_reported_of(order))


def _balances(said: Said) -> Iterator[Row]:
    for n, (currency, held) in enumerate(said.data.items()):
        yield "balances", (*said.id, n, currency, *(_number(held.get(part)) for part in ("free", "used", "total")))


def _snapshot(said: Said) -> Iterator[Row]:
    data = said.data
    as_of = MessageId.parse(data["asOf"])
    yield "snapshots", (*said.id, *as_of, data.get("nonce"), data.get("checksum"), data)


def _answer(said: Said) -> Iterator[Row]:
    answer, error = said.data, said.data.get("error") or {}
    order, source = answer.get("order"), answer.get("orderSource")
    asked = (answer["requestId"], answer["status"])
    why = (error.get("kind"), error.get("message"))
    yield "responses", (*said.id, *asked, order and order["id"], source, *why, said.trace)
    if answer["status"] != "done":
        yield "failed_executions", (*said.id, *asked, *why, source)
    for n, one in enumerate([*([order] if order else []), *(answer.get("orders") or [])]):
        yield "order_events", (*said.id, n, *_reported_of(one))


def _request(id_: MessageId, body: bytes) -> Iterator[Row]:
    request = _json(body)
    payload = request.get("payload", {})
    named = (request.get("requestId"), request.get("action"), request.get("exchangeId"))
    yield "requests", (*id_, *named, payload.get("symbol"), payload.get("orderSource"), request)


def _reported_of(order: dict[str, Any]) -> tuple[Any, ...]:
    return order["id"], order.get("status"), _number(order.get("filled")), order


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _json(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


def _freeze(row: tuple[str, tuple[Any, ...]]) -> Row:
    """Make a row fit to be counted: documents become sorted tuples."""
    return row[0], tuple(_frozen(value) for value in row[1])


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _frozen(value[key])) for key in sorted(value))
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


_PUTS: dict[str, Callable[[Said], Iterator[Row]]] = {
    "watchOrderBook": _book,
    "watchTrades": _trades,
    "watchMyTrades": _own_trades,
    "watchTicker": _ticker,
    "watchOrders": _orders,
    "watchBalance": _balances,
    "watchOHLCV": lambda _said: iter(()),
    "strategyInputs": _event,
}
