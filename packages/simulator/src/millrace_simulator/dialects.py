"""The dialects: whose wire protocol a simulator speaks. One process speaks one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from millrace_simulator.binance import add_binance_routes
from millrace_simulator.config import SimulatorConfig
from millrace_simulator.kucoin import add_kucoin_routes
from millrace_simulator.kucoin.ids import order_id_text
from millrace_simulator.listings import DialectName
from millrace_simulator.venue import Order, Venue

Dialect = Callable[[web.Application, Venue, SimulatorConfig], Any]
"""Serves the protocol of a venue, and returns the dialect's own exchange: what its clients share."""

DIALECTS: Mapping[DialectName, Dialect] = {"binance": add_binance_routes, "kucoin": add_kucoin_routes}

ORDER_IDS: Mapping[DialectName, Callable[[Order], str]] = {
    "binance": lambda order: str(order.order_id),
    "kucoin": lambda order: order_id_text(order.symbol, order.order_id),
}
"""The exchange's id of an order, as clients see it."""
