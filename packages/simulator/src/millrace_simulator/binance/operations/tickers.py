"""Tickers: prices now, and how they moved over a day or a window."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from millrace_simulator.binance import errors
from millrace_simulator.binance.exchange import Exchange, PublicOperation
from millrace_simulator.binance.operations import symbols
from millrace_simulator.binance.operations.time_zones import read_time_zone
from millrace_simulator.binance.parameters import Parameters
from millrace_simulator.binance.times import Time
from millrace_simulator.statistics import Interval, Kline
from millrace_simulator.venue import Instrument, decimal_text

MINUTE_MS = 60_000
DAY_MS = 86_400_000
WINDOW = re.compile(r"([1-9]|[1-5]\d)m|([1-9]|1\d|2[0-3])h|([1-7])d")
WINDOW_UNIT_MS = {"m": MINUTE_MS, "h": 3_600_000, "d": DAY_MS}
MOST_SYMBOLS = 100
MINI_FIELDS = (
    "symbol",
    "openPrice",
    "highPrice",
    "lowPrice",
    "lastPrice",
    "volume",
    "quoteVolume",
    "openTime",
    "closeTime",
    "firstId",
    "lastId",
    "count",
)


def ticker_24hr(exchange: Exchange, parameters: Parameters) -> Any:
    """Return the last 24 hours of one symbol, of several or of all."""
    return _show(exchange, parameters, _sized(parameters, _show_day))


def ticker_price(exchange: Exchange, parameters: Parameters) -> Any:
    """Return the last price of one symbol, of several or of all."""
    return _show(exchange, parameters, _show_price)


def ticker_book(exchange: Exchange, parameters: Parameters) -> Any:
    """Return the best bid and ask of one symbol, of several or of all."""
    return _show(exchange, parameters, _show_book)


def ticker_window(exchange: Exchange, parameters: Parameters) -> Any:
    """Return the last `windowSize` of one symbol or of several; it begins on a whole minute."""
    size = parameters.text("windowSize") or "1d"
    if not WINDOW.fullmatch(size):
        raise errors.invalid_value("windowSize")
    now_ms = exchange.now_ms()
    open_ms = (now_ms - int(size[:-1]) * WINDOW_UNIT_MS[size[-1]]) // MINUTE_MS * MINUTE_MS
    return _show_since(exchange, parameters, open_ms, now_ms)


def ticker_trading_day(exchange: Exchange, parameters: Parameters) -> Any:
    """Return the day since midnight, UTC or in a time zone, of one symbol or of several."""
    open_ms = Interval.D1.open_of(exchange.now_ms(), read_time_zone(parameters))
    return _show_since(exchange, parameters, open_ms, open_ms + DAY_MS - 1)


def _show(exchange: Exchange, parameters: Parameters, show: Callable[[Instrument], dict[str, Any]]) -> Any:
    chosen = symbols.named_or_all(exchange, parameters)
    return show(chosen) if isinstance(chosen, Instrument) else [show(instrument) for instrument in chosen]


def _show_since(exchange: Exchange, parameters: Parameters, open_ms: int, close_ms: int) -> Any:
    sent = symbols.count_sent(parameters)
    if not sent:
        raise errors.one_of("symbol", "symbols")
    if sent > MOST_SYMBOLS:
        raise errors.invalid_value("symbols")
    limit = (close_ms - open_ms) // MINUTE_MS + 1

    def show(instrument: Instrument) -> dict[str, Any]:
        rows = instrument.statistics.klines(Interval.M1, open_ms, None, limit)
        return _sum_klines(instrument, rows, open_ms, close_ms)

    return _show(exchange, parameters, _sized(parameters, show))


def _sized(
    parameters: Parameters, show: Callable[[Instrument], dict[str, Any]]
) -> Callable[[Instrument], dict[str, Any]]:
    """Return the ticker in the size that `type` asks for: FULL or MINI."""
    if (parameters.choice("type", ("FULL", "MINI")) or "FULL") == "FULL":
        return show

    def show_mini(instrument: Instrument) -> dict[str, Any]:
        full = show(instrument)
        return {field: full[field] for field in MINI_FIELDS}

    return show_mini


def _show_day(instrument: Instrument) -> dict[str, Any]:
    day, best, scale = instrument.statistics.ticker(), instrument.book_ticker(), instrument.scale
    return {
        "symbol": instrument.symbol,
        "priceChange": scale.price_text(day.change),
        "priceChangePercent": f"{day.change_percent:.3f}",
        "weightedAvgPrice": decimal_text(day.weighted_average),
        "prevClosePrice": scale.price_text(day.previous_close),
        "lastPrice": scale.price_text(day.last),
        "lastQty": scale.quantity_text(day.last_quantity),
        "bidPrice": scale.price_text(best.bid),
        "bidQty": scale.quantity_text(best.bid_quantity),
        "askPrice": scale.price_text(best.ask),
        "askQty": scale.quantity_text(best.ask_quantity),
        "openPrice": scale.price_text(day.open),
        "highPrice": scale.price_text(day.high),
        "lowPrice": scale.price_text(day.low),
        "volume": scale.quantity_text(day.volume),
        "quoteVolume": scale.quote_text(day.quote_volume),
        "openTime": Time.of_ms(day.open_ms),
        "closeTime": Time.of_ms(day.close_ms),
        "firstId": day.first_trade_id,
        "lastId": day.last_trade_id,
        "count": day.trades,
    }


def _show_price(instrument: Instrument) -> dict[str, Any]:
    return {"symbol": instrument.symbol, "price": instrument.scale.price_text(instrument.last_price)}


def _show_book(instrument: Instrument) -> dict[str, Any]:
    best, scale = instrument.book_ticker(), instrument.scale
    return {
        "symbol": instrument.symbol,
        "bidPrice": scale.price_text(best.bid),
        "bidQty": scale.quantity_text(best.bid_quantity),
        "askPrice": scale.price_text(best.ask),
        "askQty": scale.quantity_text(best.ask_quantity),
    }


def _sum_klines(instrument: Instrument, rows: list[Kline], open_ms: int, close_ms: int) -> dict[str, Any]:
    scale = instrument.scale
    volume = sum(row.volume for row in rows)
    quote_volume = sum(row.quote_volume for row in rows)
    traded = [row for row in rows if row.trades]
    first, last = rows[0].open, rows[-1].close
    average = scale.quote(quote_volume) / scale.quantity(volume) if volume else scale.price(last)
    return {
        "symbol": instrument.symbol,
        "priceChange": scale.price_text(last - first),
        "priceChangePercent": f"{100 * (last - first) / first:.3f}",
        "weightedAvgPrice": decimal_text(average),
        "openPrice": scale.price_text(first),
        "highPrice": scale.price_text(max(row.high for row in rows)),
        "lowPrice": scale.price_text(min(row.low for row in rows)),
        "lastPrice": scale.price_text(last),
        "volume": scale.quantity_text(volume),
        "quoteVolume": scale.quote_text(quote_volume),
        "openTime": Time.of_ms(open_ms),
        "closeTime": Time.end_of_ms(close_ms),
        "firstId": traded[0].first_trade_id if traded else -1,
        "lastId": traded[-1].last_trade_id if traded else -1,
        "count": sum(row.trades for row in rows),
    }


def _weight_of_day(parameters: Parameters) -> int:
    sent = symbols.count_sent(parameters)
    if not sent or sent > MOST_SYMBOLS:
        return 80
    return 2 if sent <= 20 else 40


def _weight_of_price(parameters: Parameters) -> int:
    return 2 if "symbol" in parameters else 4


def _weight_of_window(parameters: Parameters) -> int:
    return min(4 * max(1, symbols.count_sent(parameters)), 200)


_SYMBOLS = ("symbol", "symbols", "symbolStatus")

TICKER_24HR = PublicOperation(ticker_24hr, weight=_weight_of_day, takes=(*_SYMBOLS, "type"))
TICKER_PRICE = PublicOperation(ticker_price, weight=_weight_of_price, takes=_SYMBOLS)
TICKER_BOOK = PublicOperation(ticker_book, weight=_weight_of_price, takes=_SYMBOLS)
TICKER_WINDOW = PublicOperation(ticker_window, weight=_weight_of_window, takes=(*_SYMBOLS, "windowSize", "type"))
TICKER_TRADING_DAY = PublicOperation(
    ticker_trading_day, weight=_weight_of_window, takes=(*_SYMBOLS, "timeZone", "type")
)
