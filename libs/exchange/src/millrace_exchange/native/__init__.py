"""Streams without ccxt: sockets by picows, frames decoded by msgspec.

What all exchanges share lies here: connections and their replacement, the join of a book's snapshot with its updates,
and the ports `MarketFeed` and `AccountFeed` over them. Each exchange has a folder of its own (`binance/`, `kucoin/`):
its messages, what its frames say, and two dialects, of its markets and of an account. Requests over REST, the sending
of orders and the list of markets are ccxt's, so that limits are kept in one place and a symbol means the same market
everywhere.
"""
