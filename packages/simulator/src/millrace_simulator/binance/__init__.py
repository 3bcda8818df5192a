"""Binance spot's wire protocol over the venue: REST, WebSocket API, market and user streams.

Requests over REST and over the WebSocket API take the same way:

- `parameters`  reads the parameters: `from_form(query, body)` or `from_json(params)` return `Parameters`.
- `signing`     checks the timestamp and the signature (`check_timing`, `check_signature`).
- `limits`      counts weights of addresses and orders of accounts (`RateLimits`, `UnfilledOrders`).
- `exchange`    `Exchange`: venue, limits, clock and API keys.
- `operations`  one function for each operation, `(Exchange, Caller, Parameters) -> JSON-able response`, and
                `Operation`, which says what it costs and who may call it. It does not depend on HTTP.
- `errors`      `BinanceError(code, message, status)`, which all of them raise; `rejections` maps the venue's errors.
- `rest`        REST: the operation of each path; `wallet` has the /sapi paths. `wsapi` is the WebSocket API,
                `streams` the market data; `serving` puts all of them on an application.
"""

from millrace_simulator.binance.serving import add_binance_routes

__all__ = ["add_binance_routes"]
