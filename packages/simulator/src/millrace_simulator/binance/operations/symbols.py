"""The symbols of a request: one, several, or all."""

from __future__ import annotations

from millrace_simulator.binance import errors
from millrace_simulator.binance.exchange import Exchange
from millrace_simulator.binance.parameters import Parameters
from millrace_simulator.venue import Instrument

SYMBOL_STATES = ("TRADING", "HALT", "BREAK")
LISTED = "TRADING"
"""The status by which listed symbols are asked for."""


def status(instrument: Instrument) -> str:
    """Return the status that a symbol shows."""
    return LISTED if instrument.trading else "BREAK"


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
    """As `named`; all that are listed, and have the status asked for, where neither was sent.

    Raises:
        BinanceError: as `named`, or the one symbol has another status (-1220).
    """
    chosen, fits = named(exchange, parameters), has_status(parameters)
    if chosen is None:
        return list(exchange.venue.instruments.values()) if fits else []
    if fits:
        return chosen
    if isinstance(chosen, Instrument):
        raise errors.other_symbol_status()
    return []


def has_status(parameters: Parameters) -> bool:
    """Tell whether listed symbols have the status that `symbolStatus` asks for; any when it was not sent.

    Raises:
        BinanceError: there is no such status (-1122).
    """
    return parameters.choice("symbolStatus", SYMBOL_STATES, errors.invalid_symbol_status()) in {None, LISTED}


def count_sent(parameters: Parameters) -> int:
    """Return how many symbols a request names, for its weight; 0 is all. Nothing is checked."""
    if "symbol" in parameters:
        return 1
    return parameters.values.get("symbols", "").count('"') // 2
