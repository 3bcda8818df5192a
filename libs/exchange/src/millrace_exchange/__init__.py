"""ccxt behind one interface of our own: opening exchanges, trading, recorded feeds, what errors mean.

An exchange is opened by `open_exchange`; `exchange.account` trades, `exchange.feed` tells what it sends.
Importing this puts ccxt's packages in place without running them, so that no exchange is imported before it
is opened: import it before anything of ccxt.
"""

from millrace_exchange.ccxt.loading import CCXT_VERSION  # isort: split

from millrace_exchange.ccxt.classification import classify
from millrace_exchange.ccxt.exchange import Exchange, open_exchange
from millrace_exchange.ccxt.execution import Account, CanceledAll, Placed
from millrace_exchange.ccxt.market_feed import Feed
from millrace_exchange.client_ids import client_order_id
from millrace_exchange.errors import ExchangeError, Fatal, OutcomeUnknown, Rejected, Retryable, UnknownExchange
from millrace_exchange.listeners import Event

__all__ = [
    "CCXT_VERSION",
    "Account",
    "CanceledAll",
    "Event",
    "Exchange",
    "ExchangeError",
    "Fatal",
    "Feed",
    "OutcomeUnknown",
    "Placed",
    "Rejected",
    "Retryable",
    "UnknownExchange",
    "classify",
    "client_order_id",
    "open_exchange",
]
