"""The exchange's operations, independent of how they were requested.

Each operation is a function of the exchange, the account (where it needs one) and the parameters; it returns what is
to be encoded as JSON, or raises `BinanceError`. Beside it stands its `PublicOperation` or `AccountOperation`, which
says what it costs. REST paths and WebSocket API methods name these:

- `market`:  PING, SERVER_TIME, DEPTH, RECENT_TRADES, HISTORICAL_TRADES, AGGREGATE_TRADES, KLINES, AVERAGE_PRICE
- `tickers`: TICKER_24HR, TICKER_PRICE, TICKER_BOOK, TICKER_WINDOW, TICKER_TRADING_DAY
- `rules`:   EXCHANGE_INFO
- `trading`: PLACE_ORDER, TEST_ORDER, CANCEL_ORDER, CANCEL_OPEN_ORDERS
- `replace`: CANCEL_REPLACE
- `amending`: AMEND_ORDER, AMENDMENTS
- `order_lists`: PLACE_OCO, PLACE_OLD_OCO, PLACE_OTO, PLACE_OTOCO, CANCEL_LIST, QUERY_LIST, ALL_LISTS, OPEN_LISTS
- `account`: ACCOUNT, COMMISSION, ORDER_RATE_LIMITS, ORDER_STATUS, OPEN_ORDERS, ALL_ORDERS, MY_TRADES,
  MY_PREVENTED_MATCHES

Each says which parameters it reads: `needs` are mandatory, `takes` are not, and any other is refused.
"""
