"""The operation of each method of the WebSocket API.

Session and user data stream methods are not here: they concern the connection, see `session`.
"""

from __future__ import annotations

from collections.abc import Mapping

from millrace_simulator.binance.exchange import Operation
from millrace_simulator.binance.operations import account, market, replace, rules, tickers, trading

OPERATIONS: Mapping[str, Operation] = {
    "ping": market.PING,
    "time": market.SERVER_TIME,
    "exchangeInfo": rules.EXCHANGE_INFO,
    "depth": market.DEPTH,
    "trades.recent": market.RECENT_TRADES,
    "trades.historical": market.HISTORICAL_TRADES,
    "trades.aggregate": market.AGGREGATE_TRADES,
    "klines": market.KLINES,
    "uiKlines": market.KLINES,
    "avgPrice": market.AVERAGE_PRICE,
    "ticker": tickers.TICKER_WINDOW,
    "ticker.24hr": tickers.TICKER_24HR,
    "ticker.tradingDay": tickers.TICKER_TRADING_DAY,
    "ticker.price": tickers.TICKER_PRICE,
    "ticker.book": tickers.TICKER_BOOK,
    "order.place": trading.PLACE_ORDER,
    "order.test": trading.TEST_ORDER,
    "order.cancel": trading.CANCEL_ORDER,
    "order.cancelReplace": replace.CANCEL_REPLACE,
    "order.status": account.ORDER_STATUS,
    "openOrders.status": account.OPEN_ORDERS,
    "openOrders.cancelAll": trading.CANCEL_OPEN_ORDERS,
    "allOrders": account.ALL_ORDERS,
    "myTrades": account.MY_TRADES,
    "account.status": account.ACCOUNT,
    "account.commission": account.COMMISSION,
    "account.rateLimits.orders": account.ORDER_RATE_LIMITS,
}
