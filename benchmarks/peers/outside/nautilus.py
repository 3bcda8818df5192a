"""The peer nautilus_trader: its backtest engine over the books and trades of a recording. Runs in a Python that has it.

python benchmarks/peers/outside/nautilus.py RECORDING    prints the number of changes and the seconds of two runs

One has the data in memory, as its own objects. One reads it, some at a time, from its own files (`ParquetDataCatalog`).
"""

import gzip
import json
import sys
import tempfile
import time
from typing import Any

from nautilus_trader.backtest.config import BacktestDataConfig, BacktestRunConfig, BacktestVenueConfig
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.config import LoggingConfig
from nautilus_trader.data.config import DataEngineConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
    RecordFlag,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("BINANCE")
_SILENT = LoggingConfig(bypass_logging=True)
_CHUNK = 100_000
"""Rows that are read from files at a time."""


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


def recorded(path: str) -> tuple[dict[str, CurrencyPair], list[Any]]:
    """Return the markets, and the changes of their books and their trades."""
    names: dict[int, str] = {}
    markets: dict[str, CurrencyPair] = {}
    found = []
    with gzip.open(path) as lines:
        for line in map(json.loads, lines):
            if isinstance(line, dict):
                names |= {line["stream"]: line["name"]} if "stream" in line else {}
                continue
            name, message = names[line[0]], line[3]
            market = name.rsplit(".", 1)[1].replace("/", "")
            markets.setdefault(market, instrument(market))
            if ".watchOrderBook." in name:
                found.append(deltas(markets[market].id, line[1], message))
            elif message["type"] == "delta":
                found += [trade_tick(markets[market].id, line[1], trade) for trade in message["data"]["trades"]]
    return markets, found


def deltas(market: InstrumentId, at_ns: int, message: dict[str, Any]) -> OrderBookDeltas:
    """Return one message's changes, the last one marked as such."""
    sides = ((OrderSide.BUY, message["data"]["bids"]), (OrderSide.SELL, message["data"]["asks"]))
    levels = [(side, price, amount) for side, levels in sides for price, amount in levels]
    made = []
    for number, (side, price, amount) in enumerate(levels, 1):
        action = BookAction.UPDATE if amount else BookAction.DELETE
        order = BookOrder(side, Price(price, 2), Quantity(amount, 2), 0)
        flags = RecordFlag.F_LAST if number == len(levels) else 0
        made.append(OrderBookDelta(market, action, order, flags, 0, at_ns, at_ns))
    return OrderBookDeltas(market, made)


def trade_tick(market: InstrumentId, at_ns: int, trade: dict[str, Any]) -> TradeTick:
    """Return a trade."""
    side = AggressorSide.BUYER if trade["side"] == "buy" else AggressorSide.SELLER
    price, size = Price(trade["price"], 2), Quantity(max(trade["amount"], 0.01), 2)
    return TradeTick(market, price, size, side, TradeId(trade["id"]), at_ns, at_ns)


def from_memory(markets: dict[str, CurrencyPair], data: list[Any]) -> tuple[int, float]:
    """Return how many changes the strategy saw, and in how many seconds."""
    engine = BacktestEngine(BacktestEngineConfig(logging=_SILENT))
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
    return strategy.seen, time.perf_counter() - began


def from_files(folder: str, markets: dict[str, CurrencyPair], data: list[Any]) -> tuple[int, float]:
    """Return the same of a run that reads files, which are written before."""
    catalog = ParquetDataCatalog(folder)
    catalog.write_data(list(markets.values()))
    catalog.write_data([delta for each in data if isinstance(each, OrderBookDeltas) for delta in each.deltas])
    catalog.write_data([each for each in data if isinstance(each, TradeTick)])
    config = BacktestRunConfig(
        engine=BacktestEngineConfig(logging=_SILENT, data_engine=DataEngineConfig(buffer_deltas=True)),
        chunk_size=_CHUNK,
        venues=[
            BacktestVenueConfig(
                name=str(VENUE),
                oms_type="NETTING",
                account_type="CASH",
                starting_balances=["1000000 USDT"],
                book_type="L2_MBP",
            )
        ],
        data=[
            BacktestDataConfig(catalog_path=folder, data_cls=kind, instrument_id=market.id)
            for market in markets.values()
            for kind in (OrderBookDelta, TradeTick)
        ],
    )
    node = BacktestNode([config])
    node.build()
    strategy = Watcher([market.id for market in markets.values()])
    engine = node.get_engine(config.id)
    assert engine is not None
    engine.add_strategy(strategy)
    began = time.perf_counter()
    node.run()
    return strategy.seen, time.perf_counter() - began


def main(path: str) -> None:
    """Run."""
    markets, data = recorded(path)
    changes = sum(isinstance(each, OrderBookDeltas) for each in data)
    memory, in_memory_s = from_memory(markets, data)
    with tempfile.TemporaryDirectory() as folder:
        files, in_files_s = from_files(folder, markets, data)
    assert min(memory, files) >= changes * 0.99, (memory, files, changes)
    print(json.dumps({"changes": changes, "from_memory": in_memory_s, "from_files": in_files_s}))


if __name__ == "__main__":
    main(sys.argv[1])
