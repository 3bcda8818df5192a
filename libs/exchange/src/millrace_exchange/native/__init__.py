"""Market data without ccxt: sockets by picows, frames decoded by msgspec straight into structures.

Each exchange has a folder of its own (`binance/`): its messages, its requests to subscribe and its `MarketFeed`. What
all share lies here: connections, their replacement before they end, and the join of a book's snapshot with its updates.
Requests over REST and the list of markets are ccxt's, so that limits are kept in one place and a symbol means the same
market everywhere.
"""
