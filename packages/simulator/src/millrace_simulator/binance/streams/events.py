"""Market events in Binance's format: one function for each event, returning its JSON.

Field meanings: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from millrace_simulator.binance.streams.depth import DepthUpdate
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.statistics import AveragePrice, DayTicker, Interval, Kline
from millrace_simulator.venue import AggregateTrade, BookSnapshot, BookTicker, PublicTrade, Scale, decimal_text

_encode = msgspec.json.Encoder().encode


def trade(event: PublicTrade, scale: Scale, unit: TimeUnit) -> bytes:
    """Return the event of `@trade`."""
    time = unit.of_us(event.time_us)
    return _encode(
        {
            "e": "trade",
            "E": time,
            "s": event.symbol,
            "t": event.trade_id,
            "p": scale.price_text(event.price),
            "q": scale.quantity_text(event.quantity),
            "b": event.buyer_order_id,
            "a": event.seller_order_id,
            "T": time,
            "m": event.buyer_is_maker,
            "M": True,
        }
    )


def aggregate_trade(event: AggregateTrade, scale: Scale, unit: TimeUnit) -> bytes:
    """Return the event of `@aggTrade`."""
    time = unit.of_us(event.time_us)
    return _encode(
        {
            "e": "aggTrade",
            "E": time,
            "s": event.symbol,
            "a": event.aggregate_id,
            "p": scale.price_text(event.price),
            "q": scale.quantity_text(event.quantity),
            "f": event.first_trade_id,
            "l": event.last_trade_id,
            "T": time,
            "m": event.buyer_is_maker,
            "M": True,
        }
    )


def book_ticker(best: BookTicker, scale: Scale) -> bytes:
    """Return the event of `@bookTicker`, which carries no time."""
    return _encode({"u": best.update_id, "s": best.symbol, **_best_prices(best, scale)})


def depth_update(update: DepthUpdate, scale: Scale, now_us: int, unit: TimeUnit) -> bytes:
    """Return the event of `@depth`."""
    return _encode(
        {
            "e": "depthUpdate",
            "E": unit.of_us(now_us),
            "s": update.symbol,
            "U": update.first_update_id,
            "u": update.last_update_id,
            "b": _levels(update.bids, scale),
            "a": _levels(update.asks, scale),
        }
    )


def partial_depth(book: BookSnapshot, levels: int, scale: Scale) -> bytes:
    """Return the event of `@depth5`, `@depth10` or `@depth20`."""
    return _encode(
        {
            "lastUpdateId": book.last_update_id,
            "bids": _levels(book.bids[:levels], scale),
            "asks": _levels(book.asks[:levels], scale),
        }
    )


def kline(
    symbol: str, interval: Interval, candle: Kline, scale: Scale, now_us: int, unit: TimeUnit, *, closed: bool
) -> bytes:
    """Return the event of `@kline_<interval>`."""
    return _encode(
        {
            "e": "kline",
            "E": unit.of_us(now_us),
            "s": symbol,
            "k": {
                "t": unit.of_ms(candle.open_ms),
                "T": unit.end_of_ms(candle.close_ms),
                "s": symbol,
                "i": interval.value,
                "f": candle.first_trade_id,
                "L": candle.last_trade_id,
                "o": scale.price_text(candle.open),
                "c": scale.price_text(candle.close),
                "h": scale.price_text(candle.high),
                "l": scale.price_text(candle.low),
                "v": scale.quantity_text(candle.volume),
                "n": candle.trades,
                "x": closed,
                "q": scale.quote_text(candle.quote_volume),
                "V": scale.quantity_text(candle.taker_buy_volume),
                "Q": scale.quote_text(candle.taker_buy_quote_volume),
                "B": "0",
            },
        }
    )


def ticker(symbol: str, day: DayTicker, best: BookTicker, scale: Scale, now_us: int, unit: TimeUnit) -> bytes:
    """Return the event of `@ticker`."""
    return _encode(
        {
            "e": "24hrTicker",
            "E": unit.of_us(now_us),
            "s": symbol,
            "p": scale.price_text(day.change),
            "P": f"{day.change_percent:.3f}",
            "w": decimal_text(day.weighted_average),
            "x": scale.price_text(day.previous_close),
            "c": scale.price_text(day.last),
            "Q": scale.quantity_text(day.last_quantity),
            **_best_prices(best, scale),
            **_day(day, scale),
            "O": unit.of_ms(day.open_ms),
            "C": unit.of_ms(day.close_ms),
            "F": day.first_trade_id,
            "L": day.last_trade_id,
            "n": day.trades,
        }
    )


def mini_ticker(symbol: str, day: DayTicker, scale: Scale, now_us: int, unit: TimeUnit) -> bytes:
    """Return the event of `@miniTicker`."""
    return _encode(
        {
            "e": "24hrMiniTicker",
            "E": unit.of_us(now_us),
            "s": symbol,
            "c": scale.price_text(day.last),
            **_day(day, scale),
        }
    )


def average_price(symbol: str, average: AveragePrice, now_us: int, unit: TimeUnit) -> bytes:
    """Return the event of `@avgPrice`."""
    return _encode(
        {
            "e": "avgPrice",
            "E": unit.of_us(now_us),
            "s": symbol,
            "i": f"{average.minutes}m",
            "w": decimal_text(average.price),
            "T": unit.of_ms(average.close_ms),
        }
    )


def server_shutdown(now_us: int, unit: TimeUnit) -> bytes:
    """Return the notice that the connection is about to be closed."""
    return _encode({"e": "serverShutdown", "E": unit.of_us(now_us)})


def array(events: Iterable[bytes]) -> bytes:
    """Return one event that holds several, as the streams of all symbols do."""
    return b"[" + b",".join(events) + b"]"


def _levels(levels: Iterable[tuple[int, int]], scale: Scale) -> list[tuple[str, str]]:
    return [(scale.price_text(price), scale.quantity_text(total)) for price, total in levels]


def _best_prices(best: BookTicker, scale: Scale) -> dict[str, Any]:
    return {
        "b": scale.price_text(best.bid),
        "B": scale.quantity_text(best.bid_quantity),
        "a": scale.price_text(best.ask),
        "A": scale.quantity_text(best.ask_quantity),
    }


def _day(day: DayTicker, scale: Scale) -> dict[str, Any]:
    return {
        "o": scale.price_text(day.open),
        "h": scale.price_text(day.high),
        "l": scale.price_text(day.low),
        "v": scale.quantity_text(day.volume),
        "q": scale.quote_text(day.quote_volume),
    }
