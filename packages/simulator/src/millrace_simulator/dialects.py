"""The dialects: whose wire protocol a simulator speaks. One process speaks one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from millrace_simulator.binance import add_binance_routes
from millrace_simulator.config import SimulatorConfig
from millrace_simulator.kucoin import add_kucoin_routes
from millrace_simulator.listings import DialectName
from millrace_simulator.venue import Venue


@dataclass(frozen=True)
class Dialect:
    """One exchange's wire protocol over the venue."""

    title: str
    add_routes: Callable[[web.Application, Venue, SimulatorConfig], None]
    """Serves the protocol of a venue."""


DIALECTS: Mapping[DialectName, Dialect] = {
    "binance": Dialect("Binance", add_binance_routes),
    "kucoin": Dialect("KuCoin", add_kucoin_routes),
}
