"""The peer nautilus_trader: its backtest engine over the changes of a recording. Runs in a Python that has it.

python benchmarks/peers/outside/nautilus.py RECORDING    prints the number of changes and the seconds of the run
"""

import gzip
import json
import sys
import time
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
from nautilus_trader.model.enums import AccountType, BookAction, BookType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("BINANCE")


def instrument(name: str) -> CurrencyPair:
    """Return a market with two decimals."""
    return CurrencyPair(
        instrument_id=InstrumentId(Symbol(name), VENUE),
        raw_symbol=Symbol(name),
        base_currency=BTC,
        quote_currency=USDT,
        price_precision=2,
        size_precision=2,
        price_increment=Price(0.01, 2),
        size_increment=Quantity(0.01, 2),
        ts_event=0,
        ts_init=0,
    )


class Watcher(Strategy):  # type: ignore[misc]
    """Looks at the best prices at each change."""

    def __init__(self, ids: list[InstrumentId]) -> None:
        super().__init__()
        self.ids, self.seen = ids, 0

    def on_start(self) -> None:
        """Follow all books."""
        for each in self.ids:
            self.subscribe_order_book_deltas(each, book_type=BookType.L2_MBP)

    def on_order_book_deltas(self, deltas: OrderBookDeltas) -> None:
        """Look."""
        book = self.cache.order_book(deltas.instrument_id)
        if book.best_bid_price() is not None and book.best_ask_price() is not None:
            self.seen += 1


def changes(path: str) -> tuple[dict[str, CurrencyPair], list[Any]]:
    """Return the markets, and the changes of their books."""
    names: dict[int, str] = {}
    markets: dict[str, CurrencyPair] = {}
    found = []
    with gzip.open(path) as lines:
        for line in map(json.loads, lines):
            if isinstance(line, dict):
                names |= {line["stream"]: line["name"]} if "stream" in line else {}
            elif ".watchOrderBook." in names[line[0]]:
                market = names[line[0]].rsplit(".", 1)[1].replace("/", "")
                markets.setdefault(market, instrument(market))
                found.append(deltas(markets[market].id, line[1], line[3]))
    return markets, found


def deltas(market: InstrumentId, at_ns: int, message: dict[str, Any]) -> OrderBookDeltas:
    """Return one message's changes."""
    made = []
    for side, levels in ((OrderSide.BUY, message["data"]["bids"]), (OrderSide.SELL, message["data"]["asks"])):
        for price, amount in levels:
            action = BookAction.UPDATE if amount else BookAction.DELETE
            order = BookOrder(side, Price(price, 2), Quantity(amount, 2), 0)
            made.append(OrderBookDelta(market, action, order, 0, 0, at_ns, at_ns))
    return OrderBookDeltas(market, made)


def main(path: str) -> None:
    """Run."""
    markets, data = changes(path)
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        base_currency=None,
        starting_balances=[Money(1_000_000, USDT)],
        book_type=BookType.L2_MBP,
    )
    for market in markets.values():
        engine.add_instrument(market)
    engine.add_data(data)
    strategy = Watcher([market.id for market in markets.values()])
    engine.add_strategy(strategy)
    began = time.perf_counter()
    engine.run()
    took = time.perf_counter() - began
    assert strategy.seen >= len(data) * 0.99, (strategy.seen, len(data))
    print(json.dumps({"changes": len(data), "seconds": took}))


if __name__ == "__main__":
    main(sys.argv[1])
