"""Binance spot's wire protocol over the venue: REST, WebSocket API, market and user streams.

One way in for every request, whether it came by REST or by the WebSocket API:

- `parameters`  reads what was sent: `from_form(query, body)` or `from_json(params)` give `Parameters`.
- `signing`     checks the time and the signature (`check_timing`, `check_signature`).
- `limits`      counts weights an address and orders an account (`RateLimits`); `unfilled` gives back those that trade.
- `exchange`    `Exchange`: venue, limits and clock together, and who an API key belongs to.
- `operations`  one function an operation, `(Exchange, Caller, Parameters) -> JSON-able answer`, and `Operation`,
                which says what it costs and who may call it. It knows no HTTP.
- `errors`      `BinanceError(code, message, status)`, which every one of them raises; `rejections` has the venue's.
- `rest`        the HTTP face: which path is which operation; `wallet` has the /sapi paths. `wsapi` is the other
                face, `streams` the market data.
"""
