"""Generated history: a day of a busy order book, and more than a month of trades of several symbols."""

import asyncio
import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

from millrace_core.book import OrderBook
from millrace_core.clock import DAY_MS
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot, Trade
from millrace_core.messages import encode
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol
from millrace_store import Batch, Place, Store

EXCHANGE = ExchangeId("binance")
START_MS = 1_760_054_400_000
"""A midnight."""

DELTAS = 500_000
LEVELS = 500
"""Of each side."""
TICK = 0.01
LEVELS_A_DELTA = 12
CHECKSUM_EVERY = 50
SNAPSHOT_EVERY_MS = 60_000
DELTAS_A_BATCH = 10_000
BUSY_MS = DAY_MS // 10
"""Half of a day's messages come within a tenth of it, when snapshots are thousands of messages apart."""

DAYS = 35
SHARES = {"BTC/USDT": 0.5, "ETH/USDT": 0.25, "SOL/USDT": 0.15, "KCS/USDT": 0.1}
"""Each symbol's share of all trades."""
TRADES_A_MESSAGE = 4
TRADES_A_BATCH = 100_000

BOOK = StreamName(PUBLIC, EXCHANGE, Action("watchOrderBook"), Symbol("BTC/USDT"))


def chance(seed: int) -> Random:
    """Return numbers that look random, and are the same in every run."""
    return Random(seed)


def trades_of(symbol: str) -> StreamName:
    """Return the name of a symbol's trades."""
    return StreamName(PUBLIC, EXCHANGE, Action("watchTrades"), Symbol(symbol))


def delta_times() -> list[int]:
    """Return when each message of the book was published."""
    random = chance(1)
    quiet = [random.randrange(DAY_MS) for _ in range(DELTAS // 2)]
    busy = [DAY_MS // 2 + random.randrange(BUSY_MS) for _ in range(DELTAS - len(quiet))]
    return [START_MS + at_ms for at_ms in sorted(quiet + busy)]


class BookDay:
    """A gatherer's day: it publishes what changes, a proof now and then, and the whole book every minute."""

    def __init__(self) -> None:
        self._random, self._book = chance(2), OrderBook()
        self._middle = 4_000_000
        """Where bids and asks meet, in ticks."""
        self._snapshots = itertools.count(1)
        self._next_snapshot_ms = START_MS
        levels = range(1, LEVELS + 1)
        self._book.replace([self._level(-level) for level in levels], [self._level(level) for level in levels], 0)

    def batches(self) -> Iterator[tuple[Batch, int]]:
        """Return the day in order, and how many messages each batch has."""
        batch = Batch()
        for seq, at_ms in enumerate(delta_times(), 1):
            if at_ms >= self._next_snapshot_ms:
                self._add_snapshot(batch, seq - 1, at_ms)
            delta = self._change(seq)
            batch.book_delta(Place(str(BOOK), MessageId(START_MS, seq), at_ms, at_ms), encode(delta), delta.nonce)
            if seq % DELTAS_A_BATCH == 0:
                yield batch, DELTAS_A_BATCH
                batch = Batch()

    def _change(self, seq: int) -> BookDelta:
        """Change levels near the middle, as markets do; now and then the middle itself moves."""
        crossed = []
        if self._random.random() < 0.2:
            step = self._random.choice((-1, 1))
            crossed = [(self._price(step), 0.0)]  # the side that gives way
            self._middle += step
        near = [int(self._random.expovariate(0.05)) + 1 for _ in range(LEVELS_A_DELTA)]
        bids = [self._level(-distance) for distance in near[::2]]
        asks = [self._level(distance) for distance in near[1::2]]
        bids, asks = crossed + bids, crossed + asks
        self._book.apply(bids, asks, 2 * seq)
        return BookDelta(bids, asks, 2 * seq, self._book.checksum() if seq % CHECKSUM_EVERY == 0 else None)

    def _level(self, distance: int) -> tuple[float, float]:
        amount = 0.0 if self._random.random() < 0.3 else round(self._random.random() * 5, 4)
        return self._price(distance), amount

    def _price(self, distance: int) -> float:
        return round((self._middle + distance) * TICK, 2)

    def _add_snapshot(self, batch: Batch, seq: int, at_ms: int) -> None:
        self._next_snapshot_ms = at_ms + SNAPSHOT_EVERY_MS
        book, as_of = self._book, MessageId(START_MS, seq)
        place = Place(BOOK.snapshot, MessageId(START_MS, next(self._snapshots)), at_ms)
        whole = BookSnapshot(book.bids.levels(), book.asks.levels(), str(as_of), book.checksum(), book.nonce)
        batch.snapshot(place, as_of, encode(whole), nonce=book.nonce, checksum=whole.checksum)


def trade_batches(symbol: str, trades: int) -> Iterator[tuple[Batch, int]]:
    """Return a symbol's trades of all days, and how many each batch has."""
    random, price, name = chance(3), 40_000.0, str(trades_of(symbol))
    step_ms = DAYS * DAY_MS * TRADES_A_MESSAGE / trades
    batch, size = Batch(), 0
    for seq in range(1, trades // TRADES_A_MESSAGE + 1):
        at_ms = START_MS + int(seq * step_ms)
        price = round(price + random.choice((-0.01, 0.0, 0.01)), 2)
        side, amounts = (
            random.choice(("buy", "sell")),
            (random.randrange(1, 100_000) / 10_000 for _ in range(TRADES_A_MESSAGE)),
        )
        message = [Trade(f"{seq}.{n}", at_ms, symbol, side, price, amount) for n, amount in enumerate(amounts)]
        batch.trades(Place(name, MessageId(START_MS, seq), at_ms), message)
        size += TRADES_A_MESSAGE
        if size >= TRADES_A_BATCH:
            yield batch, size
            batch, size = Batch(), 0
    if size:
        yield batch, size


def fill(url: str, trades: int, rows: Any) -> None:
    """Fill a database, and count its rows in `rows`."""
    asyncio.run(_fill(url, trades, rows))


async def _fill(url: str, trades: int, rows: Any) -> None:
    """Commit batch by batch, with maintenance after each, as dbsync does every minute."""
    async with Store.open(url) as store:
        markets = (trade_batches(symbol, int(trades * share)) for symbol, share in SHARES.items())
        for batch, size in itertools.chain(BookDay().batches(), *markets):
            await store.commit(batch)
            await store.maintain()
            rows.value += size
