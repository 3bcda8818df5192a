"""Market data: the book, the trades, the klines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from millrace_simulator.binance import errors
from millrace_simulator.binance.exchange import Exchange, PublicOperation
from millrace_simulator.binance.operations import symbols
from millrace_simulator.binance.operations.time_zones import read_time_zone
from millrace_simulator.binance.parameters import Parameters
from millrace_simulator.binance.times import Time
from millrace_simulator.statistics import Interval, Kline
from millrace_simulator.venue import BookSnapshot, Instrument, PublicTrade, Scale, decimal_text

MOST_LEVELS = 5000
MOST_ROWS = 1000
DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (MOST_LEVELS, 250))
"""Request weight by number of levels."""
INTERVALS = frozenset(Interval)


def ping(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return an empty object."""
    return {}


def server_time(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return the exchange's own time."""
    return {"serverTime": exchange.now()}


def depth(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return the best levels of both sides as of one update id."""
    instrument = exchange.instrument(parameters)
    if not symbols.has_status(parameters):
        raise errors.other_symbol_status()
    limit = parameters.limit(100, MOST_LEVELS)
    instrument.deepen(limit)
    snapshot = instrument.depth(limit)
    return show_book(instrument, snapshot)


def recent_trades(exchange: Exchange, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the newest trades, oldest first."""
    instrument = exchange.instrument(parameters)
    return [show_trade(instrument.scale, trade) for trade in instrument.tape.recent(parameters.limit(500, MOST_ROWS))]


def historical_trades(exchange: Exchange, parameters: Parameters) -> list[dict[str, Any]]:
    """Return trades from `fromId` on; the newest without it."""
    instrument = exchange.instrument(parameters)
    limit = parameters.limit(500, MOST_ROWS)
    from_id = parameters.integer("fromId")
    trades = instrument.tape.recent(limit) if from_id is None else instrument.tape.since(from_id, limit)
    return [show_trade(instrument.scale, trade) for trade in trades]


def aggregate_trades(exchange: Exchange, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the fills that one taker got at one price, as one: from an id on, within a time, or the newest."""
    instrument = exchange.instrument(parameters)
    from_id = parameters.integer("fromId")
    start_us, end_us = parameters.moment_us("startTime"), parameters.last_moment_us("endTime")
    if from_id is not None and (start_us is not None or end_us is not None):
        raise errors.bad_combination()
    aggregates = instrument.tape.aggregated(
        from_id=from_id,
        start_us=start_us,
        end_us=end_us,
        limit=parameters.limit(500, MOST_ROWS),
    )
    return [
        {
            "a": aggregate.aggregate_id,
            "p": instrument.scale.price_text(aggregate.price),
            "q": instrument.scale.quantity_text(aggregate.quantity),
            "f": aggregate.first_trade_id,
            "l": aggregate.last_trade_id,
            "T": Time(aggregate.time_us),
            "m": aggregate.buyer_is_maker,
            "M": True,
        }
        for aggregate in aggregates
    ]


def klines(exchange: Exchange, parameters: Parameters) -> list[list[Any]]:
    """Return klines, oldest first; the last one is still running."""
    instrument = exchange.instrument(parameters)
    interval = parameters.required("interval")
    if interval not in INTERVALS:
        raise errors.invalid_interval()
    start_us, end_us = parameters.moment_us("startTime"), parameters.last_moment_us("endTime")
    rows = instrument.statistics.klines(
        Interval(interval),
        # A kline that begins within the first millisecond begins at its start.
        None if start_us is None else -(-start_us // 1000),
        None if end_us is None else end_us // 1000,
        parameters.limit(500, MOST_ROWS),
        read_time_zone(parameters),
    )
    return [_show_kline(instrument.scale, kline) for kline in rows]


def average_price(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return the volume-weighted price of the last minutes."""
    average = exchange.instrument(parameters).statistics.average_price()
    return {"mins": average.minutes, "price": decimal_text(average.price), "closeTime": Time.of_ms(average.close_ms)}


def show_trade(scale: Scale, trade: PublicTrade) -> dict[str, Any]:
    """Return a public trade in Binance's form."""
    return {
        "id": trade.trade_id,
        "price": scale.price_text(trade.price),
        "qty": scale.quantity_text(trade.quantity),
        "quoteQty": scale.quote_text(trade.price * trade.quantity),
        "time": Time(trade.time_us),
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def show_book(instrument: Instrument, snapshot: BookSnapshot) -> dict[str, Any]:
    """Return a book in Binance's form."""
    return {
        "lastUpdateId": snapshot.last_update_id,
        "bids": _levels(instrument.scale, snapshot.bids),
        "asks": _levels(instrument.scale, snapshot.asks),
    }


def _levels(scale: Scale, levels: Iterable[tuple[int, int]]) -> list[tuple[str, str]]:
    price_text, quantity_text = scale.price_text, scale.quantity_text
    return [(price_text(price), quantity_text(quantity)) for price, quantity in levels]


def _show_kline(scale: Scale, kline: Kline) -> list[Any]:
    return [
        Time.of_ms(kline.open_ms),
        scale.price_text(kline.open),
        scale.price_text(kline.high),
        scale.price_text(kline.low),
        scale.price_text(kline.close),
        scale.quantity_text(kline.volume),
        Time.end_of_ms(kline.close_ms),
        scale.quote_text(kline.quote_volume),
        kline.trades,
        scale.quantity_text(kline.taker_buy_volume),
        scale.quote_text(kline.taker_buy_quote_volume),
        "0",
    ]


def _weight_of_depth(parameters: Parameters) -> int:
    value = parameters.values.get("limit", "")
    levels = int(value) if value.isdecimal() else 100
    return next((weight for most, weight in DEPTH_WEIGHTS if levels <= most), DEPTH_WEIGHTS[-1][1])


PING = PublicOperation(ping, weight=1)
SERVER_TIME = PublicOperation(server_time, weight=1)
DEPTH = PublicOperation(depth, weight=_weight_of_depth, needs=("symbol",), takes=("limit", "symbolStatus"))
RECENT_TRADES = PublicOperation(recent_trades, weight=25, needs=("symbol",), takes=("limit",))
HISTORICAL_TRADES = PublicOperation(historical_trades, weight=25, needs=("symbol",), takes=("limit", "fromId"))
AGGREGATE_TRADES = PublicOperation(
    aggregate_trades, weight=4, needs=("symbol",), takes=("fromId", "startTime", "endTime", "limit")
)
KLINES = PublicOperation(
    klines, weight=2, needs=("symbol", "interval"), takes=("startTime", "endTime", "timeZone", "limit")
)
AVERAGE_PRICE = PublicOperation(average_price, weight=2, needs=("symbol",))
