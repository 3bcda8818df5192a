"""Strategies that trade at random over a random market, and the backtest that runs them."""

from collections import defaultdict
from decimal import Decimal
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.support.fills import MINUTE_MS, SYMBOL

from millrace_backtest.backtest import Backtest
from millrace_backtest.exchange.fees import read_fees
from millrace_backtest.recording.files import Recording, RecordingWriter
from millrace_backtest.settings import BacktestSettings
from millrace_backtest.strategies import BacktestedStrategy
from millrace_core.book import OrderBook
from millrace_core.clock import NS_PER_MS
from millrace_core.market import BookDelta, BookSnapshot, Level
from millrace_core.messages import Outgoing, encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.trace import Trace
from millrace_strategy import BookEvent, Strategy, StrategyConfiguration, SubscribedStream

TENANT: Final = Tenant("T")
BINANCE, KUCOIN = ExchangeId("binance"), ExchangeId("kucoin")
BOOK, OWN_TRADES = Action("watchOrderBook"), Action("watchMyTrades")
KCS, BNB = Symbol(SYMBOL), Symbol("BNB/USDT")
BEGIN_MS: Final = 1_763_800_020_000
"""A whole minute."""
FEES: Final = ("binance=0.0002/0.00075/BNB", "kucoin=-0.0001/0.001")
"""In a third currency; in that which is received, with a rebate for makers."""
_LAST_STEPS: Final = 30


class Gambler(Strategy):
    """Trades at random at each change of a book, and takes everything back at the end."""

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        seed: int
        until_ms: int

    def on_start(self, event: object) -> None:
        """Begin."""
        self.random = Random(self.configuration.seed)

    def on_order_book(self, event: BookEvent) -> None:
        """Take from the book, or stand in it."""
        resting = [order for order in self.orders.open if order.exchange == event.exchange]
        ends = self.clock.now_ms() >= self.configuration.until_ms
        for order in resting if ends or len(resting) > 2 else ():
            self.trader.cancel_order(order)
        if ends or event.symbol != KCS:
            return
        side, best = self.random.choice([("buy", event.book.best_bid), ("sell", event.book.best_ask)])
        assert best is not None
        terms: dict[str, Any] = (
            {"type": "limit", "price": best[0]} if self.random.random() < 0.4 else {"type": "market"}
        )
        amount = Decimal(self.random.randrange(1, 3_000)) / 100
        self.trader.create_order(exchange=event.exchange, symbol=KCS, side=side, amount=amount, **terms)


def _recorded(path: Path, steps: int) -> tuple[Recording, dict[int, Decimal]]:
    """Record random books, a change each second; return the price of BNB in each minute beside."""
    random, numbers = Random(3), defaultdict[StreamName, Any](lambda: count(1))
    shown: dict[StreamName, tuple[list[Level], list[Level]]] = {}
    bnb: dict[int, Decimal] = {}

    def write(name: StreamName, bids: list[Level], asks: list[Level]) -> None:
        before, shown[name] = shown.get(name), (bids, asks)
        if before is None:
            book = OrderBook()
            book.replace(bids, asks, None)
            entry, at = f"{BEGIN_MS}-1", name.snapshot
            data: Any = BookSnapshot(bids, asks, f"{BEGIN_MS}-0", book.checksum())
        else:
            gone = [[(price, 0.0) for price, _ in side] for side in before]
            entry, at, data = f"{BEGIN_MS}-{next(numbers[name])}", str(name), BookDelta(gone[0] + bids, gone[1] + asks)
        kind: Any = "snapshot" if before is None else "delta"
        writer.message(at, at_ns, entry, encode(Outgoing(entry, kind, None, Trace(published=at_ns), data)))

    with RecordingWriter(path, BEGIN_MS * NS_PER_MS) as writer:
        for step in range(steps):
            at_ms = BEGIN_MS + 1_000 * step
            at_ns = at_ms * NS_PER_MS
            if at_ms % MINUTE_MS == 0:
                cents = random.randrange(50_000, 60_000)
                bnb[at_ms] = Decimal(cents) / 100
                write(StreamName(TENANT, BINANCE, BOOK, BNB), [((cents - 1) / 100, 5.0)], [((cents + 1) / 100, 5.0)])
            for exchange in (BINANCE, KUCOIN):
                middle = random.randrange(9_000, 15_000)
                sides = [
                    [((middle + sign * level) / 1_000, random.randrange(1, 1_000) / 100) for level in range(1, 9)]
                    for sign in (-1, 1)
                ]
                write(StreamName(TENANT, exchange, BOOK, KCS), *sides)
        writer.end(at_ns)
    return Recording(path), bnb


async def backtested(path: Path, steps: int) -> tuple[Backtest, dict[int, Decimal]]:
    """Let three strategies trade in one account for so many seconds; return the price of BNB in each minute beside."""
    recording, bnb = _recorded(path, steps)
    until_ms = BEGIN_MS + 1_000 * (steps - _LAST_STEPS)
    streams = tuple(SubscribedStream(each, KCS, action) for each in (BINANCE, KUCOIN) for action in (BOOK, OWN_TRADES))
    plans = [
        BacktestedStrategy(
            strategy=Gambler,
            tenant=TENANT,
            name=name,
            configuration={"seed": seed, "untilMs": until_ms},
            streams=(*streams, SubscribedStream(BINANCE, BNB, BOOK)),
        )
        for seed, name in enumerate("ABC")
    ]
    backtest = Backtest(plans, [recording], BacktestSettings(fees=read_fees(FEES), latency="5:40"))
    await backtest.run()
    assert [run.host.errors for run in backtest.runs] == [[], [], []]
    return backtest, bnb
