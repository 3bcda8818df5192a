"""The symbols of a request: one, several, or all."""

from __future__ import annotations

from millrace_simulator.binance import errors
from millrace_simulator.binance.exchange import Exchange
from millrace_simulator.binance.parameters import Parameters
from millrace_simulator.venue import Instrument


def named(exchange: Exchange, parameters: Parameters) -> Instrument | list[Instrument] | None:
    """Return the instruments named by `symbol` (one) or `symbols` (a list, in its order); None without both.

    Raises:
        BinanceError: both were sent (-1128), or one is not listed (-1121).
    """
    if "symbol" in parameters and "symbols" in parameters:
        raise errors.bad_combination()
    if "symbol" in parameters:
        return exchange.instrument(parameters)
    if (symbols := parameters.names("symbols")) is not None:
        return [exchange.instrument_named(symbol) for symbol in symbols]
    return None


def named_or_all(exchange: Exchange, parameters: Parameters) -> Instrument | list[Instrument]:
    """As `named`; all that are listed where neither was sent."""
    chosen = named(exchange, parameters)
    return list(exchange.venue.instruments.values()) if chosen is None else chosen


def count_sent(parameters: Parameters) -> int:
    """Return how many symbols a request names, for its weight; 0 is all. Nothing is checked."""
    if "symbol" in parameters:
        return 1
    return parameters.values.get("symbols", "").count('"') // 2
