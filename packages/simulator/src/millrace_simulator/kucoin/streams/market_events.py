"""Messages of market topics: one function for each, returning its JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from millrace_matching import Side
from millrace_simulator.kucoin.ids import order_id_text
from millrace_simulator.kucoin.numbers import number_text
from millrace_simulator.kucoin.operations.market import show_candle, show_level1, show_levels
from millrace_simulator.kucoin.operations.symbols import MARKET
from millrace_simulator.kucoin.operations.tickers import FEE_RATE, change_rate
from millrace_simulator.statistics import Interval
from millrace_simulator.venue import BookChange, BookTicker, Instrument, PublicTrade, Scale

_encode = msgspec.json.Encoder().encode


def message(topic: str, subject: str, data: dict[str, Any]) -> bytes:
    """Return the message of a topic."""
    return _encode({"topic": topic, "type": "message", "subject": subject, "data": data})


def level2(topic: str, change: BookChange, scale: Scale) -> bytes:
    """Return the changes of a book, each with its own sequence; a size of 0 removes the level."""
    sides: dict[Side, list[tuple[str, str, str]]] = {Side.BUY: [], Side.SELL: []}
    for sequence, (side, price, total) in enumerate(change.changes, change.first_update_id):
        row = (number_text(scale.price(price)), number_text(scale.quantity(total)), str(sequence))
        sides[side].append(row)
    data = {
        "changes": {"asks": sides[Side.SELL], "bids": sides[Side.BUY]},
        "sequenceEnd": change.last_update_id,
        "sequenceStart": change.first_update_id,
        "symbol": change.symbol,
        "time": change.time_us // 1000,
    }
    return message(topic, "trade.l2update", data)


def depth(topic: str, instrument: Instrument, levels: int, now_us: int) -> bytes:
    """Return the best levels of a book."""
    book = instrument.depth(levels)
    data = {
        "asks": show_levels(instrument.scale, book.asks),
        "bids": show_levels(instrument.scale, book.bids),
        "timestamp": now_us // 1000,
    }
    return message(topic, "level2", data)


def level1(topic: str, best: BookTicker, scale: Scale, now_us: int) -> bytes:
    """Return the best bid and ask; an empty side is an empty list."""
    asks, bids = _best(best.ask, best.ask_quantity, scale), _best(best.bid, best.bid_quantity, scale)
    return message(topic, "level1", {"asks": asks, "bids": bids, "timestamp": now_us // 1000})


def ticker(topic: str, subject: str, instrument: Instrument, now_us: int) -> bytes:
    """Return the best prices and the last trade."""
    shown = show_level1(instrument)
    return message(topic, subject, {**shown, "time": now_us // 1000})


def match(topic: str, trade: PublicTrade, scale: Scale) -> bytes:
    """Return a trade."""
    buyer, seller = (order_id_text(trade.symbol, each) for each in (trade.buyer_order_id, trade.seller_order_id))
    maker, taker = (buyer, seller) if trade.buyer_is_maker else (seller, buyer)
    data = {
        "makerOrderId": maker,
        "price": number_text(scale.price(trade.price)),
        "sequence": str(trade.trade_id),
        "side": "sell" if trade.buyer_is_maker else "buy",
        "size": number_text(scale.quantity(trade.quantity)),
        "symbol": trade.symbol,
        "takerOrderId": taker,
        "time": str(trade.time_us * 1000),
        "tradeId": str(trade.trade_id),
        "type": "match",
    }
    return message(topic, "trade.l3match", data)


def candle(topic: str, instrument: Instrument, interval: Interval, now_us: int) -> bytes:
    """Return the running candle."""
    row = instrument.statistics.kline(interval)
    data = {"symbol": instrument.symbol, "candles": show_candle(instrument.scale, row), "time": now_us * 1000}
    return message(topic, "trade.candles.update", data)


def snapshot(topic: str, instrument: Instrument, now_us: int) -> bytes:
    """Return the statistics of a symbol; their numbers are numbers, not text."""
    scale, best, day = instrument.scale, instrument.book_ticker(), instrument.statistics.ticker()
    last = float(scale.price(day.last))
    data = {
        "askSize": float(scale.quantity(best.ask_quantity)),
        "averagePrice": float(day.weighted_average),
        "baseCurrency": instrument.rules.base,
        "bidSize": float(scale.quantity(best.bid_quantity)),
        "board": 1,
        "buy": float(scale.price(best.bid)) if best.bid else None,
        **_change(instrument, 24 * 60),
        "changeRate": float(change_rate(instrument)),
        "close": last,
        "datetime": now_us // 1000,
        "lastTradedPrice": last,
        "marginTrade": False,
        "mark": 0,
        "market": MARKET,
        "marketChange1h": _change(instrument, 60),
        "marketChange4h": _change(instrument, 4 * 60),
        "marketChange24h": _change(instrument, 24 * 60),
        "markets": [MARKET],
        "quoteCurrency": instrument.rules.quote,
        "sell": float(scale.price(best.ask)) if best.ask else None,
        "siteTypes": ["global"],
        "sort": 100,
        "symbol": instrument.symbol,
        "symbolCode": instrument.symbol,
        "trading": instrument.trading,
        **{f"{each}Coefficient": 1.0 for each in ("maker", "taker")},
        **{f"{each}FeeRate": float(FEE_RATE) for each in ("maker", "taker")},
    }
    return message(topic, "trade.snapshot", {"sequence": str(best.update_id), "data": data})


def _change(instrument: Instrument, minutes: int) -> dict[str, float]:
    """Return how the price changed within the last minutes, and how much was traded."""
    scale = instrument.scale
    rows = instrument.statistics.klines(Interval.M1, limit=minutes)
    first, last = rows[0].open, rows[-1].close
    return {
        "changePrice": float(scale.price(last - first)),
        "changeRate": round((last - first) / first, 4),
        "high": float(scale.price(max(row.high for row in rows))),
        "low": float(scale.price(min(row.low for row in rows))),
        "open": float(scale.price(first)),
        "vol": float(scale.quantity(sum(row.volume for row in rows))),
        "volValue": float(scale.quote(sum(row.quote_volume for row in rows))),
    }


def _best(price: int, total: int, scale: Scale) -> Iterable[str]:
    return (number_text(scale.price(price)), number_text(scale.quantity(total))) if price else ()
