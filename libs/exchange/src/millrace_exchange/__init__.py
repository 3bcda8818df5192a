"""Exchanges behind ports: what the platform asks of any exchange, whichever adapter reaches it.

`open_exchange` returns an `Exchange`. Its parts are the ports of `millrace_exchange.ports`: `market` (`MarketFeed`),
`account` (`AccountFeed`), `execution` (`ExecutionClient`) and `rules` (`MarketRules`). Errors are those of
`millrace_exchange.errors`. Whatever is specific to one exchange is a value in `exchange.profile`.

    exchange = await open_exchange("binance", credentials)
    await exchange.prepare()
    acknowledged = await exchange.execution.create_order(payload, client_order_id)

**To add a profile** of an exchange that ccxt reaches: write `profiles/<ccxt id>.py` with its `PROFILE`, the source of
each fact beside it, and its test, `tests/profiles/test_<ccxt id>.py`. Nothing else changes: no code compares an
exchange's id. An exchange without a profile works with the safe default.

**To take an exchange's streams natively** (without ccxt): write a folder beside `native/binance/` with its messages, a
`MarketDialect` and an `AccountDialect`; name them in `native/exchange.py` and in the exchange's profile
(`native_feed`); and add the exchange to the contract tests (`libs/exchange/tests/test_contracts.py`). The other ports
stay with ccxt; for orders, see `native/binance/execution.py`. An adapter reads its exchange's profile where it needs a
fact, and raises the four errors by evidence only. It sends nothing, and opens no socket, that has not passed its
`RequestGate`, and hands every answer to it.
"""

from millrace_exchange.errors import (
    ExchangeError,
    Fatal,
    IncompleteList,
    OrderNotFound,
    OutcomeUnknown,
    Rejected,
    Retryable,
    UnknownExchange,
)
from millrace_exchange.listeners import EventTimes
from millrace_exchange.opening import open_exchange
from millrace_exchange.order_ids import is_order_id, is_same_id, plain_id
from millrace_exchange.ports import (
    AccountFeed,
    Acknowledgement,
    Exchange,
    ExecutionClient,
    MarketFeed,
    MarketRules,
    OrderQueries,
)
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.profiles import profile_of
from millrace_exchange.sending_guard import guarded
from millrace_exchange.stream_mistakes import StreamMistake, capability_mistakes, exchange_exists, stream_mistakes
from millrace_exchange.wallets import wallet_asked_for, wallet_of

__all__ = [
    "AccountFeed",
    "Acknowledgement",
    "EventTimes",
    "Exchange",
    "ExchangeError",
    "ExchangeProfile",
    "ExecutionClient",
    "Fatal",
    "IncompleteList",
    "MarketFeed",
    "MarketRules",
    "OrderNotFound",
    "OrderQueries",
    "OutcomeUnknown",
    "Rejected",
    "Retryable",
    "StreamMistake",
    "UnknownExchange",
    "capability_mistakes",
    "exchange_exists",
    "guarded",
    "is_order_id",
    "is_same_id",
    "open_exchange",
    "plain_id",
    "profile_of",
    "stream_mistakes",
    "wallet_asked_for",
    "wallet_of",
]
