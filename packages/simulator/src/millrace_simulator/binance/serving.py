"""Binance's protocol on an application: REST, market streams and the WebSocket API, path by path."""

from __future__ import annotations

from aiohttp import web

from millrace_simulator.binance.exchange import Exchange
from millrace_simulator.binance.limits import RateLimit
from millrace_simulator.binance.rest import add_rest_routes
from millrace_simulator.binance.streams import add_stream_routes
from millrace_simulator.binance.wsapi import add_wsapi_routes
from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.venue import Venue

_LARGEST = 2**31 - 1


def add_binance_routes(app: web.Application, venue: Venue, config: SimulatorConfig) -> Exchange:
    """Serve `/api`, `/sapi`, `/ws…`, `/stream…` and `/ws-api/v3` of a venue; return the exchange behind them."""
    exchange = Exchange(venue, _rules(config.limits), enforce_limits=config.limits.enforce)
    add_rest_routes(app, exchange)
    add_stream_routes(app, venue, depth_interval_ms=config.depth_interval_ms)
    add_wsapi_routes(app, exchange)
    return exchange


def _rules(limits: Limits) -> tuple[RateLimit, ...]:
    """Return the limits as exchangeInfo shows them; the largest number for each where none is enforced."""

    def shown(limit: int) -> int:
        return limit if limits.enforce else _LARGEST

    return (
        RateLimit("REQUEST_WEIGHT", "MINUTE", 1, shown(limits.weight_per_minute)),
        RateLimit("ORDERS", "SECOND", 10, shown(limits.orders_per_10_seconds)),
        RateLimit("ORDERS", "DAY", 1, shown(limits.orders_per_day)),
        RateLimit("RAW_REQUESTS", "MINUTE", 5, shown(limits.raw_requests_per_5_minutes)),
    )
