"""Account queries: balances, rates, orders, trades."""

from __future__ import annotations

from typing import Any

from millrace_simulator.binance import errors
from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.exchange import AccountOperation, Exchange
from millrace_simulator.binance.operations import order_forms
from millrace_simulator.binance.operations.trading import read_order_ref
from millrace_simulator.binance.parameters import SYMBOL, Parameters
from millrace_simulator.binance.rejections import refusals
from millrace_simulator.binance.times import Time
from millrace_simulator.venue import Account, Balance, decimal_text
from millrace_simulator.venue.errors import UnknownOrder

DAY_US = 86_400_000_000
MOST_ROWS = 1000
BASIS_POINTS = 10_000


def account_status(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return balances, commission and permissions."""
    omit_zero = parameters.boolean("omitZeroBalances", default=False)
    rates = order_forms.commission_rates(account)["standardCommission"]
    return {
        "makerCommission": int(account.maker_rate * BASIS_POINTS),
        "takerCommission": int(account.taker_rate * BASIS_POINTS),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates,
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": Time(account.updated_us),
        "accountType": "SPOT",
        "balances": [
            {"asset": balance.asset, "free": decimal_text(balance.free), "locked": decimal_text(balance.locked)}
            for balance in all_balances(exchange, account)
            if not omit_zero or balance.free or balance.locked
        ],
        "permissions": ["SPOT"],
        "uid": account.account_id,
    }


def all_balances(exchange: Exchange, account: Account) -> list[Balance]:
    """Return the account's balances of all listed and owned assets, sorted by name."""
    assets = {balance.asset for balance in account.balances}
    for instrument in exchange.venue.instruments.values():
        assets |= {instrument.rules.base, instrument.rules.quote}
    return [account.balance(asset) for asset in sorted(assets)]


def commission(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return the account's commission rates for a symbol."""
    return {"symbol": exchange.instrument(parameters).symbol, **order_forms.commission_rates(account)}


def order_rate_limits(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return how many new orders the account has placed in the windows that are open."""
    return exchange.limits.order_usage(str(account.account_id))


def order_status(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return one order, open or final."""
    instrument = exchange.instrument(parameters)
    ref = read_order_ref(parameters, "orderId", "origClientOrderId")
    try:
        return order_forms.queried(exchange.venue.order(account, instrument.symbol, ref))
    except UnknownOrder:
        raise errors.no_such_order() from None


def open_orders(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the open orders of one symbol, or of all."""
    symbol = parameters.text("symbol", SYMBOL)
    if symbol is not None:
        exchange.instrument_named(symbol)
    return [order_forms.queried(order) for order in exchange.venue.open_orders(account, symbol)]


def all_orders(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return orders of a symbol, open and final, oldest first."""
    symbol = exchange.instrument(parameters).symbol
    start_us, end_us = read_day(parameters)
    with refusals():
        orders = exchange.venue.all_orders(
            account,
            symbol,
            from_order_id=parameters.integer("orderId"),
            start_us=start_us,
            end_us=end_us,
            limit=parameters.limit(500, MOST_ROWS),
        )
    return [order_forms.queried(order) for order in orders]


def my_trades(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the account's fills of a symbol, oldest first."""
    symbol = exchange.instrument(parameters).symbol
    start_us, end_us = read_day(parameters)
    from_id = parameters.integer("fromId")
    if from_id is not None and (start_us is not None or end_us is not None):
        raise errors.bad_combination()
    with refusals():
        trades = exchange.venue.own_trades(
            account,
            symbol,
            order_id=parameters.integer("orderId"),
            from_trade_id=from_id,
            start_us=start_us,
            end_us=end_us,
            limit=parameters.limit(500, MOST_ROWS),
        )
    return [order_forms.own_trade(trade) for trade in trades]


def read_day(parameters: Parameters) -> tuple[int | None, int | None]:
    """Return `startTime` and `endTime`, both included, in µs.

    Raises:
        BinanceError: they lie more than a day apart (-1127).
    """
    start_us, end_us = parameters.moment_us("startTime"), parameters.last_moment_us("endTime")
    if start_us is not None and end_us is not None and end_us - start_us >= DAY_US + 1000:
        raise BinanceError(-1127, "More than 24 hours between startTime and endTime.")
    return start_us, end_us


def my_prevented_matches(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the matches that self-trade prevention kept the account's orders from: one, or those of an order."""
    symbol = exchange.instrument(parameters).symbol
    match_id, order_id = parameters.integer("preventedMatchId"), parameters.integer("orderId")
    from_id, limit = parameters.integer("fromPreventedMatchId"), parameters.limit(500, MOST_ROWS)
    if match_id is None and order_id is None:
        raise errors.one_of("preventedMatchId", "orderId")
    if match_id is not None and (order_id is not None or from_id is not None or "limit" in parameters):
        raise errors.bad_combination()
    if from_id is None and "limit" in parameters:
        raise errors.bad_combination()
    found = [
        match
        for match in exchange.venue.prevented_matches(account, symbol)
        if match_id in {None, match.match_id}
        and order_id in {None, match.taker_order_id, match.maker_order_id}
        and match.match_id >= (from_id or 0)
    ]
    return [order_forms.prevented_match(match) for match in found[:limit]]


ACCOUNT = AccountOperation(account_status, weight=20, takes=("omitZeroBalances",))
COMMISSION = AccountOperation(commission, weight=20, needs=("symbol",))
ORDER_RATE_LIMITS = AccountOperation(order_rate_limits, weight=40)
ORDER_STATUS = AccountOperation(order_status, weight=4, needs=("symbol",), takes=("orderId", "origClientOrderId"))
OPEN_ORDERS = AccountOperation(
    open_orders, weight=lambda parameters: 6 if "symbol" in parameters else 80, takes=("symbol",)
)
ALL_ORDERS = AccountOperation(
    all_orders, weight=20, needs=("symbol",), takes=("orderId", "startTime", "endTime", "limit")
)
MY_TRADES = AccountOperation(
    my_trades,
    weight=lambda parameters: 5 if "orderId" in parameters else 20,
    needs=("symbol",),
    takes=("orderId", "startTime", "endTime", "fromId", "limit"),
)
MY_PREVENTED_MATCHES = AccountOperation(
    my_prevented_matches,
    weight=lambda parameters: 20 if "orderId" in parameters else 2,
    needs=("symbol",),
    takes=("preventedMatchId", "orderId", "fromPreventedMatchId", "limit"),
)
