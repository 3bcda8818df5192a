"""Market data: time, status, books, trades, candles."""

from __future__ import annotations

from typing import Any

from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.exchange import AccountOperation, Exchange, PublicOperation
from millrace_simulator.kucoin.numbers import number_text
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.statistics import Interval, Kline
from millrace_simulator.venue import Account, BookSnapshot, Instrument, PublicTrade, Scale

TRADES = 100
"""How many trades the history shows."""
MOST_CANDLES = 1500

CANDLE_TYPES = {
    "1min": Interval.M1,
    "3min": Interval.M3,
    "5min": Interval.M5,
    "15min": Interval.M15,
    "30min": Interval.M30,
    "1hour": Interval.H1,
    "2hour": Interval.H2,
    "4hour": Interval.H4,
    "6hour": Interval.H6,
    "8hour": Interval.H8,
    "12hour": Interval.H12,
    "1day": Interval.D1,
    "1week": Interval.W1,
    "1month": Interval.MO1,
}


def timestamp(exchange: Exchange, parameters: Parameters) -> int:
    """Return the exchange's own time, ms."""
    return exchange.now_ms()


def status(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Report that the exchange is open."""
    return {"status": "open", "msg": ""}


def client_address(exchange: Exchange, parameters: Parameters) -> str:
    """Return the address of a client, which is always this machine."""
    return "127.0.0.1"


def part_book(levels: int) -> PublicOperation:
    """Return the operation that answers with the best levels of a book."""

    def run(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
        instrument = exchange.instrument(parameters)
        return _show_book(exchange, instrument.scale, instrument.depth(levels))

    return PublicOperation(run, weight=2 if levels <= 20 else 4)


def full_book(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return all levels of a book."""
    instrument = exchange.instrument(parameters)
    return _show_book(exchange, instrument.scale, instrument.depth())


def trade_history(exchange: Exchange, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the newest trades, oldest first."""
    instrument = exchange.instrument(parameters)
    return [_show_trade(instrument.scale, trade) for trade in instrument.tape.recent(TRADES)]


def candles(exchange: Exchange, parameters: Parameters) -> list[list[str]]:
    """Return the candles that begin from `startAt` to before `endAt` (s), newest first; none without trades."""
    instrument = exchange.instrument(parameters)
    interval = CANDLE_TYPES.get(parameters.required("type"))
    if interval is None:
        raise errors.bad_parameter("Incorrect candlestick type.")
    start_s, end_s = parameters.integer("startAt"), parameters.integer("endAt")
    rows = instrument.statistics.klines(
        interval, (start_s or 0) * 1000, end_s * 1000 - 1 if end_s else None, limit=10**9
    )
    traded = [row for row in rows if row.trades][-MOST_CANDLES:]
    return [show_candle(instrument.scale, row) for row in reversed(traded)]


def show_candle(scale: Scale, row: Kline) -> list[str]:
    """Return a candle in KuCoin's form: begin (s), open, close, high, low, volume, turnover."""
    prices = (scale.price(price) for price in (row.open, row.close, row.high, row.low))
    amounts = (scale.quantity(row.volume), scale.quote(row.quote_volume))
    return [str(row.open_ms // 1000), *(number_text(number) for number in (*prices, *amounts))]


def best_text(price: int, scale: Scale) -> str | None:
    """Return a best price as text; None where the side is empty."""
    return number_text(scale.price(price)) if price else None


def level1(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return the best prices and the last trade."""
    return {"time": exchange.now_ms(), **show_level1(exchange.instrument(parameters))}


def show_level1(instrument: Instrument) -> dict[str, Any]:
    """Return the best prices and the last trade in KuCoin's form, without the time."""
    scale, best = instrument.scale, instrument.book_ticker()
    last_quantity = instrument.statistics.last_quantity
    return {
        "sequence": str(best.update_id),
        "price": number_text(scale.price(instrument.last_price)),
        "size": number_text(scale.quantity(last_quantity)),
        "bestBid": best_text(best.bid, scale),
        "bestBidSize": number_text(scale.quantity(best.bid_quantity)),
        "bestAsk": best_text(best.ask, scale),
        "bestAskSize": number_text(scale.quantity(best.ask_quantity)),
    }


def show_levels(scale: Scale, levels: tuple[tuple[int, int], ...]) -> list[tuple[str, str]]:
    """Return one side of a book in KuCoin's form."""
    return [(number_text(scale.price(price)), number_text(scale.quantity(total))) for price, total in levels]


def _show_book(exchange: Exchange, scale: Scale, book: BookSnapshot) -> dict[str, Any]:
    return {
        "time": exchange.now_ms(),
        "sequence": str(book.last_update_id),
        "bids": show_levels(scale, book.bids),
        "asks": show_levels(scale, book.asks),
    }


def _show_trade(scale: Scale, trade: PublicTrade) -> dict[str, Any]:
    return {
        "sequence": str(trade.trade_id),
        "price": number_text(scale.price(trade.price)),
        "size": number_text(scale.quantity(trade.quantity)),
        "side": "sell" if trade.buyer_is_maker else "buy",
        "time": trade.time_us * 1000,
    }


TIMESTAMP = PublicOperation(timestamp, weight=3)
STATUS = PublicOperation(status, weight=3)
CLIENT_ADDRESS = PublicOperation(client_address, weight=0)
LEVEL1 = PublicOperation(level1, weight=2)
BOOK_20 = part_book(20)
BOOK_100 = part_book(100)
FULL_BOOK = AccountOperation(full_book, weight=3)
TRADE_HISTORY = PublicOperation(trade_history, weight=3)
CANDLES = PublicOperation(candles, weight=3)
