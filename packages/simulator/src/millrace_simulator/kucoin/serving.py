"""KuCoin's protocol on an application: REST, and streams opened with a bullet."""

from __future__ import annotations

from aiohttp import web

from millrace_simulator.config import SimulatorConfig
from millrace_simulator.kucoin.exchange import Exchange
from millrace_simulator.kucoin.rest import add_rest_routes
from millrace_simulator.kucoin.streams import add_stream_routes
from millrace_simulator.venue import Venue


def add_kucoin_routes(app: web.Application, venue: Venue, config: SimulatorConfig) -> Exchange:
    """Serve `/api` of a venue, and its streams; return the exchange behind them."""
    exchange = Exchange(venue, config.limits)
    add_rest_routes(app, exchange)
    add_stream_routes(app, exchange, interval_ms=config.depth_interval_ms)
    return exchange
