import json
from typing import Any

import pytest

from millrace_bus import JournalPage
from millrace_core.ids import MessageId
from millrace_dbsync.handling.handler import HandlingResult
from millrace_dbsync.handling.handlers import handler_of
from millrace_store import Batch
from millrace_store.schema import tables

PREFIX = "stream.Ann.binance."
ID = MessageId(1763800000000, 42)
ORDER = {"id": "7", "symbol": "KCS/USDT", "status": "open", "filled": 0, "amount": 1}
TRADE = {"id": "1", "timestamp": 1763800000123, "symbol": "KCS/USDT", "side": "buy", "price": 1.5, "amount": 2}
BOOK = {"bids": [[10.0, 3.5]], "asks": [], "nonce": 7}
KINDS: list[tuple[str, str, Any, str]] = [
    ("watchOrderBook.KCS/USDT", "delta", BOOK, "book_deltas"),
    ("watchTrades.KCS/USDT", "delta", {"trades": [TRADE]}, "trades"),
    ("watchMyTrades.KCS/USDT", "delta", {"trades": [TRADE]}, "own_trades"),
    ("watchTicker.KCS/USDT", "delta", {"last": 1.5}, "tickers"),
    ("watchOrders.KCS/USDT", "delta", {"orders": [ORDER]}, "order_events"),
    ("watchBalance", "delta", {"KCS": {"free": 1, "used": 0, "total": 1}}, "balances"),
    ("watchPositions", "delta", {"positions": [{"symbol": "A/B:B", "contracts": 1}]}, "exchange_positions"),
    ("watchLiquidations.A/B:B", "delta", {"liquidations": []}, "events"),
    ("strategyInputs.PingPong", "delta", {"run": 1}, "events"),
    ("watchTrades.KCS/USDT", "status", {"status": "live"}, "statuses"),
    ("createOrder.KCS/USDT", "response", {"requestId": "a" * 32, "status": "done", "order": ORDER}, "responses"),
]


def body(kind: str, data: Any, **fields: Any) -> bytes:
    message = {"id": str(ID), "type": kind, "timestamp": None, "trace": {"received": 1, "published": 2}, "data": data}
    return json.dumps(message | fields).encode()


def tables_of(batch: Batch) -> set[str]:
    return {table.name for table in batch.all_rows()}


def handle(batch: Batch, name: str, *raws: bytes | None) -> HandlingResult:
    result = HandlingResult()
    page = JournalPage([b"%d-%d" % (ID.epoch, ID.seq + n) for n in range(len(raws))], list(raws))
    handler_of(name).handle(batch, page, result)
    return result


@pytest.mark.parametrize(("stream", "kind", "data", "table"), KINDS)
def test_each_kind_of_message_has_its_table(stream: str, kind: str, data: Any, table: str) -> None:
    """A message goes where messages of its stream and type belong, with its trace."""
    batch = Batch()
    assert not handle(batch, PREFIX + stream, body(kind, data)).dead
    assert table in tables_of(batch)


def test_candles_are_stored() -> None:
    """A message of candles leaves one for each."""
    batch = Batch()
    data = {"timeframe": "1m", "candles": [[1763800000000, 1, 2, 0.5, 1.5, 10]]}
    assert not handle(batch, PREFIX + "watchOHLCV.KCS/USDT", body("delta", data)).dead
    assert len(batch.candle_rows) == 1


def test_snapshots_are_stored_with_what_they_include() -> None:
    """A snapshot keeps the id up to which it holds everything."""
    batch = Batch()
    data = {"bids": [], "asks": [], "asOf": "1763800000000-0", "checksum": 0}
    name = "stream.snapshot.Ann.binance.watchOrderBook.KCS/USDT"
    assert not handle(batch, name, body("snapshot", data)).dead
    assert tables_of(batch) == {"snapshots"}


def test_the_first_snapshots_of_an_account_add_what_no_delta_did() -> None:
    """Balances and open orders from before the first message are in the tables; the next snapshots are only kept."""
    held = {"KCS": {"free": 1, "used": 0, "total": 1, "debt": 0.5}, "USDT": {"free": 2}, "asOf": "1-0"}
    batch = Batch()
    for stream, data in (("watchBalance", held), ("watchOrders.KCS/USDT", {"orders": [ORDER], "asOf": "1-0"})):
        bodies = [body("snapshot", data, id=f"{ID.epoch}-{ID.seq + n}") for n in range(2)]
        assert not handle(batch, f"stream.snapshot.Ann.binance.{stream}", *bodies).dead
    assert [(*row[3:6], *row[-2:]) for row in batch.rows[tables.balances]] == [
        (ID.seq, 0, "KCS", "1", "0.5"),
        (ID.seq, 1, "USDT", None, None),
    ]
    assert [(observation.id, observation.record.order.id) for observation in batch.order_observations] == [(ID, "7")]
    assert len(batch.rows[tables.snapshots]) == 4
    assert tables_of(batch) == {"snapshots", "balances"}


@pytest.mark.parametrize("as_of", ["", "1", "x-1", f"1-{'9' * 5_000}"])
def test_a_snapshot_that_does_not_say_what_it_includes_is_a_dead_letter(as_of: str) -> None:
    """What a snapshot adds up to must be an id."""
    for stream, data in (("watchTicker.A/B", {}), ("watchOrderBook.A/B", {"bids": [], "asks": [], "checksum": 0})):
        batch = Batch()
        name = f"stream.snapshot.Ann.binance.{stream}"
        assert handle(batch, name, body("snapshot", {**data, "asOf": as_of})).dead
        assert tables_of(batch) == {"dead_letters"}


@pytest.mark.parametrize("status", ["rejected", "failed", "expired", "unknown"])
def test_every_answer_but_done_is_a_failed_execution(status: str) -> None:
    """Whatever was not done is a row with the reason in words."""
    batch = Batch()
    error = {"kind": "RiskRefused", "message": "above the limit of 100 USDT"}
    data = {"requestId": "a" * 32, "status": status, "error": error}
    assert handle(batch, PREFIX + "createOrder.KCS/USDT", body("response", data)).failed == 1
    assert "failed_executions" in tables_of(batch)


@pytest.mark.parametrize("request_", [{"action": "createOrder", "exchangeId": "kucoin"}, {"action": 7}, {}])
def test_a_request_is_stored_as_it_was_made_however_malformed(request_: dict[str, Any]) -> None:
    """A request is stored even if the executor will refuse it."""
    batch = Batch()
    assert not handle(batch, "Ann.traderActions", json.dumps(request_).encode()).dead
    assert tables_of(batch) == {"requests"}


def test_a_request_keeps_every_digit() -> None:
    """What is stored is the text that travelled, not what a float makes of it."""
    batch, text = Batch(), b'{"payload": {"amountBase": 12345678.123456789012, "symbol": "A/B"}}'
    handle(batch, "Ann.traderActions", text)
    ((*_, symbol, _, stored),) = batch.rows[tables.requests]
    assert (symbol, stored) == ("A/B", text.decode())


POISON: list[tuple[str, str, bytes | None]] = [
    ("no field", "watchTrades.KCS/USDT", None),
    ("no JSON", "watchTrades.KCS/USDT", b"{"),
    ("no message", "watchTrades.KCS/USDT", b'{"a":1}'),
    ("not UTF-8", "watchTrades.KCS/USDT", b'{"id":"\xff"}'),
    ("another's id", "watchTrades.KCS/USDT", body("delta", {"trades": []}, id="1-1")),
    ("an unknown type", "watchTrades.KCS/USDT", body("surprise", {})),
    ("a snapshot among deltas", "watchTrades.KCS/USDT", body("snapshot", {"trades": [], "asOf": "1-0"})),
    ("an answer among deltas", "watchTrades.KCS/USDT", body("response", {})),
    ("a delta among answers", "createOrder.KCS/USDT", body("delta", {})),
    ("malformed trades", "watchTrades.KCS/USDT", body("delta", {"trades": [{"price": "much"}]})),
    ("malformed levels", "watchOrderBook.KCS/USDT", body("delta", {"bids": [["a", 1]], "asks": []})),
    ("a ticker that is a list", "watchTicker.KCS/USDT", body("delta", [])),
    ("an unknown status", "watchTrades.KCS/USDT", body("status", {"status": "dancing"})),
]


@pytest.mark.parametrize(("what", "stream", "raw"), POISON, ids=[what for what, *_ in POISON])
def test_what_cannot_be_understood_is_a_dead_letter(what: str, stream: str, raw: bytes | None) -> None:
    """A poison message is kept unchanged, with the reason, and counts as stored."""
    batch = Batch()
    (dead,) = handle(batch, PREFIX + stream, raw).dead
    assert dead.id == ID, what
    assert tables_of(batch) == {"dead_letters"}
    assert batch.messages == 1


def test_a_request_that_is_no_object_is_a_dead_letter() -> None:
    """A request to trade is at least a JSON object."""
    batch = Batch()
    assert handle(batch, "Ann.traderActions", b"[1]").dead
