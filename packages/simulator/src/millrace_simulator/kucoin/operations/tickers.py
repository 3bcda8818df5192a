"""Statistics of the last 24 hours."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from millrace_simulator.kucoin.exchange import Exchange, PublicOperation
from millrace_simulator.kucoin.numbers import number_text
from millrace_simulator.kucoin.operations.market import best_text
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.venue import Instrument

FEE_RATE = "0.001"
"""What the statistics say of both rates; an account's own are those of `trade-fees`."""


def all_tickers(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return every symbol's statistics and best prices."""
    return {
        "time": exchange.now_ms(),
        "ticker": [_show(instrument) for instrument in exchange.venue.instruments.values()],
    }


def day_statistics(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return one symbol's statistics."""
    shown = _show(exchange.instrument(parameters))
    for name in ("symbolName", "bestBidSize", "bestAskSize"):
        del shown[name]
    return {"time": exchange.now_ms(), **shown}


def change_rate(instrument: Instrument) -> Decimal:
    """Return the change of the last 24 hours as a share of the open, with four places as KuCoin shows it."""
    day = instrument.statistics.ticker()
    return round(Decimal(day.change) / Decimal(day.open), 4)


def _show(instrument: Instrument) -> dict[str, Any]:
    scale, day, best = instrument.scale, instrument.statistics.ticker(), instrument.book_ticker()
    return {
        "symbol": instrument.symbol,
        "symbolName": instrument.symbol,
        "buy": best_text(best.bid, scale),
        "bestBidSize": number_text(scale.quantity(best.bid_quantity)),
        "sell": best_text(best.ask, scale),
        "bestAskSize": number_text(scale.quantity(best.ask_quantity)),
        "changeRate": number_text(change_rate(instrument)),
        "changePrice": number_text(scale.price(day.change)),
        "high": number_text(scale.price(day.high)),
        "low": number_text(scale.price(day.low)),
        "vol": number_text(scale.quantity(day.volume)),
        "volValue": number_text(scale.quote(day.quote_volume)),
        "last": number_text(scale.price(day.last)),
        "averagePrice": number_text(day.weighted_average),
        "takerFeeRate": FEE_RATE,
        "makerFeeRate": FEE_RATE,
        "takerCoefficient": "1",
        "makerCoefficient": "1",
    }


ALL_TICKERS = PublicOperation(all_tickers, weight=15)
DAY_STATISTICS = PublicOperation(day_statistics, weight=15)
