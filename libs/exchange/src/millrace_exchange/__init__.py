"""ccxt behind one interface of our own: opening exchanges, trading, recorded feeds, what errors mean.

exchange = await open_exchange("binance", credentials)
await exchange.prepare()
placed = await exchange.account.create_order(payload, client_order_id("binance", request_id))
await exchange.close()
"""

from millrace_exchange.account import Account, CanceledAll, Placed
from millrace_exchange.client_ids import client_order_id
from millrace_exchange.connection import Exchange, open_exchange
from millrace_exchange.errors import ExchangeError, Fatal, OutcomeUnknown, Rejected, Retryable, UnknownExchange
from millrace_exchange.meaning import classify

__all__ = [
    "Account",
    "CanceledAll",
    "Exchange",
    "ExchangeError",
    "Fatal",
    "OutcomeUnknown",
    "Placed",
    "Rejected",
    "Retryable",
    "UnknownExchange",
    "classify",
    "client_order_id",
    "open_exchange",
]
