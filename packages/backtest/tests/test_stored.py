"""A recording that is made of the database is as good as one of the journals, for books and trades."""

from decimal import Decimal
from pathlib import Path

import pytest

from millrace_backtest.backtest import Backtest
from millrace_backtest.errors import NothingRecorded
from millrace_backtest.recording.files import Recording
from millrace_backtest.recording.stored import record_stored
from millrace_backtest.recording.summary import check
from millrace_backtest.report.page import report_html
from millrace_backtest.result import result_of
from millrace_backtest.settings import BacktestSettings
from millrace_backtest.strategies import BacktestedStrategy
from millrace_core.book import OrderBook
from millrace_core.clock import MINUTE_MS
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot, Candle, Liquidation, LiquidationsDelta, Trade
from millrace_core.messages import Status, encode
from millrace_core.names import Action
from millrace_store import Place, Scope, Store
from millrace_strategy import (
    BookEvent,
    CandlesEvent,
    Context,
    LiquidationsEvent,
    Strategy,
    SubscribedStream,
    TradesEvent,
)

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
        await record_stored(store, Scope(TENANT), path)
    assert check([Recording(path)]).problems == []
    backtest = await run(Buyer, Recording(path))
    strategy = backtest.runs[0].runtime.strategy
    assert (strategy.seen, strategy.best) == (2 * CHANGES, book.bids.best())
    assert sum(fill.amount for fill in backtest.ledger.fills) == Decimal(2 * CHANGES // 10)


async def test_a_range_of_time(tmp_path: Path) -> None:
    """From a moment, inclusive, to another, exclusive; nothing at all is an error."""
    path = tmp_path / "stored.jsonl.gz"
    async with Store.open(f"sqlite:///{tmp_path / 'millrace.db'}") as store:
        await store_market(store)
        scope = Scope(TENANT, since_ms=EPOCH, until_ms=EPOCH + 10 * STEP_MS)
        await record_stored(store, scope, path)
        with pytest.raises(NothingRecorded):
            await record_stored(store, Scope(TENANT, since_ms=EPOCH * 2), tmp_path / "none.jsonl.gz")
    assert [each.what.id for each in Recording(path) if each.name == str(BOOK)] == [
        f"{EPOCH}-{number}" for number in range(1, 10)
    ]


CANDLES, LIQUIDATIONS = (BOOK._replace(action=Action(name)) for name in ("watchOHLCV", "watchLiquidations"))
BALANCE = BOOK._replace(action=Action("watchBalance"), symbol=None)
HOUR_MS = 3_600_000


class Chartist(Strategy):
    """Keeps what it sees of candles and liquidations."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.charts: list[tuple[int, int]] = []
        self.liquidated = 0

    def on_candles(self, event: CandlesEvent) -> None:
        """Keep the number of closed candles, and when the last one opened."""
        closed = self.candles[event.exchange, event.symbol, event.timeframe].closed
        self.charts.append((len(closed), closed[-1][0] - EPOCH))

    def on_liquidations(self, event: LiquidationsEvent) -> None:
        """Count."""
        self.liquidated += len(event.liquidations)


async def test_candles_other_topics_and_gaps(tmp_path: Path) -> None:
    """Candles come when they end, those of before at the start. What dbsync missed is a gap, and is passed."""
    path, opened = tmp_path / "stored.jsonl.gz", EPOCH - EPOCH % MINUTE_MS
    async with Store.open(f"sqlite:///{tmp_path / 'millrace.db'}") as store:
        await store_market(store)
        async with store.batch() as batch:
            for number, minutes in enumerate((-120, -60, 0, 1, 3), 1):
                candle: Candle = (opened + minutes * MINUTE_MS, 1.0, 3.0, 0.5, 2.0, 10.0)
                batch.candles(Place(str(CANDLES), MessageId(EPOCH, number), EPOCH), "1m", [candle])
            held = b'{"USDT":{"total":50},"asOf":"1-0"}'
            batch.balances_snapshot(Place(BALANCE.snapshot, MessageId(1, 1), EPOCH), MessageId(1, 0), held, {})
            for seq in (1, 5, 6):
                data = encode(LiquidationsDelta([Liquidation(SYMBOL, price=float(seq))]))
                batch.event(Place(str(LIQUIDATIONS), MessageId(EPOCH, seq), EPOCH + seq * 1_000), data)
            batch.gap(str(LIQUIDATIONS), EPOCH, 2, 4, EPOCH + HOUR_MS, "trimmed")
            batch.gap(str(BOOK), EPOCH, CHANGES + 2, CHANGES + 4, EPOCH + HOUR_MS, "after the last one")
        await record_stored(store, Scope(TENANT), path)
    checked = check([Recording(path)])
    assert checked.problems == [f"{LIQUIDATIONS}: 1 gaps, 3 messages are known to be missing"]
    streams = tuple(SubscribedStream(EXCHANGE, SYMBOL, name.action) for name in (BOOK, CANDLES, LIQUIDATIONS))
    plan = BacktestedStrategy(strategy=Chartist, tenant=TENANT, name="S", streams=streams)
    backtest = Backtest([plan], [Recording(path)], BacktestSettings())
    await backtest.run()
    strategy = backtest.runs[0].runtime.strategy
    before = opened - EPOCH
    assert list(dict.fromkeys(strategy.charts)) == [
        (2, before - HOUR_MS),
        (3, before),
        (4, before + MINUTE_MS),
        (5, before + 3 * MINUTE_MS),
    ]
    assert strategy.liquidated == 3
    assert backtest.scanned.balances == {(TENANT, EXCHANGE): {"USDT": Decimal(50)}}
    page = report_html(backtest, result_of(backtest, []))
    assert "trimmed" in page
