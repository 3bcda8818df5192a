"""A recording that is made of the database is as good as one of the journals, for books and trades."""

from decimal import Decimal
from pathlib import Path

import pytest

from millrace_backtest.errors import NothingRecorded
from millrace_backtest.recording.files import Recording, RecordingWriter
from millrace_backtest.recording.stored import record_stored
from millrace_backtest.recording.summary import check
from millrace_core.book import OrderBook
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot, Trade
from millrace_core.messages import Status, encode
from millrace_store import Place, Scope, Store
from millrace_strategy import BookEvent, Strategy, TradesEvent

from .conftest import BOOK, EPOCH, EXCHANGE, SYMBOL, TENANT, TRADES, run

STEP_MS = 7_000
CHANGES = 40


class Buyer(Strategy):
    """Buys at every tenth trade."""

    seen = 0
    best: object = None

    def on_order_book(self, event: BookEvent) -> None:
        """Keep the best bid."""
        self.best = event.book.best_bid

    def on_trades(self, event: TradesEvent) -> None:
        """Count."""
        self.seen += len(event.trades)
        if self.seen % 10 == 0:
            self.trader.create_order(exchange=EXCHANGE, symbol=SYMBOL, side="buy", type="market", amount=1)


async def store_market(store: Store) -> OrderBook:
    """Store a book and trades of some minutes; return the book at the end."""
    book = OrderBook()
    book.replace([(100.0, 1.0)], [(101.0, 9.0)], None)
    async with store.batch() as batch:
        begins = BookSnapshot(book.bids.levels(), book.asks.levels(), f"{EPOCH}-0", book.checksum())
        at = Place(BOOK.snapshot, MessageId(EPOCH, 1), EPOCH)
        batch.snapshot(at, MessageId(EPOCH, 0), encode(begins), checksum=book.checksum())
        for name in (BOOK, TRADES):
            batch.status(Place(str(name), MessageId(EPOCH, 1), EPOCH), Status("live"))
        for number in range(2, CHANGES + 2):
            at_ms, place = EPOCH + number * STEP_MS, MessageId(EPOCH, number)
            changed = [(100.0, float(number))]
            book.apply(changed, [], None)
            delta = BookDelta(changed, [], checksum=book.checksum())
            batch.book_delta(Place(str(BOOK), place, at_ms), encode(delta), None)
            trades = [Trade(f"{number}-{n}", at_ms, SYMBOL, "buy", 101.0, 0.1) for n in range(2)]
            batch.trades(Place(str(TRADES), place, at_ms), trades)
    return book


async def test_what_was_stored_is_played(tmp_path: Path) -> None:
    """Book by book and trade by trade, over the limits of minutes; a strategy trades on it."""
    path = tmp_path / "stored.jsonl.gz"
    async with Store.open(f"sqlite:///{tmp_path / 'millrace.db'}") as store:
        book = await store_market(store)
        with RecordingWriter(path, 0) as writer:
            await record_stored(store, Scope(TENANT), writer, lambda _: None)
    assert check([Recording(path)]).problems == []
    backtest = await run(Buyer, Recording(path))
    strategy = backtest.runs[0].runtime.strategy
    assert (strategy.seen, strategy.best) == (2 * CHANGES, book.bids.best())
    assert sum(fill.amount for fill in backtest.ledger.fills) == Decimal(2 * CHANGES // 10) - 1


async def test_a_range_of_time(tmp_path: Path) -> None:
    """From a moment, inclusive, to another, exclusive; nothing at all is an error."""
    path = tmp_path / "stored.jsonl.gz"
    async with Store.open(f"sqlite:///{tmp_path / 'millrace.db'}") as store:
        await store_market(store)
        scope = Scope(TENANT, since_ms=EPOCH, until_ms=EPOCH + 10 * STEP_MS)
        with RecordingWriter(path, 0) as writer:
            await record_stored(store, scope, writer, lambda _: None)
        with RecordingWriter(tmp_path / "none.jsonl.gz", 0) as writer, pytest.raises(NothingRecorded):
            await record_stored(store, Scope(TENANT, since_ms=EPOCH * 2), writer, lambda _: None)
    assert [each.what.id for each in Recording(path) if each.name == str(BOOK)] == [
        f"{EPOCH}-{number}" for number in range(1, 10)
    ]
