"""An account: balances, fees, tokens, and what clients ask before they trade."""

from __future__ import annotations

from typing import Any

from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.exchange import AccountOperation, Exchange, PublicOperation
from millrace_simulator.kucoin.ids import asset_account_id
from millrace_simulator.kucoin.limits import Pool
from millrace_simulator.kucoin.numbers import number_text
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.venue import Account, Balance

TRADING_TYPES = ("trade", "trade_hf")
"""The types by which the balances to trade with are asked for: the usual one, and that of high-frequency accounts."""


def account_list(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the balances, of one currency or of all; there are none but those to trade with."""
    kind, currency = parameters.text("type") or TRADING_TYPES[0], parameters.text("currency")
    if kind not in TRADING_TYPES:
        return []
    return [
        {"id": asset_account_id(account.account_id, balance.asset), "type": kind, **_show(balance)}
        for balance in account.balances
        if currency in (None, balance.asset)
    ]


def account_detail(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return the balance of one currency, named by the id that the list gives it."""
    wanted = parameters.required("accountId")
    for balance in account.balances:
        if asset_account_id(account.account_id, balance.asset) == wanted:
            return _show(balance)
    raise errors.refused("account not exist")


def high_frequency(exchange: Exchange, account: Account, parameters: Parameters) -> bool:
    """Tell whether the account trades by the high-frequency paths."""
    return account.settings.high_frequency


def account_mode(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Report that it is a classic account, not a unified one."""
    return {"selfAccountMode": "CLASSIC"}


def user_info(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return the VIP level and the number of sub-accounts."""
    kinds = ("", "Spot", "Margin", "Futures", "Option")
    counts = {f"{kind.lower()}SubQuantity" if kind else "subQuantity": 0 for kind in kinds}
    return {"level": 0, **counts, "maxDefaultSubQuantity": 0, **{f"max{kind}SubQuantity": 0 for kind in kinds}}


def key_info(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return what the API key may do: read and trade spot."""
    return {
        "remark": "simulator",
        "apiKey": account.api_key,
        "apiVersion": 3,
        "permission": "General,Spot",
        "ipWhitelist": "",
        "createdAt": 0,
        "uid": account.account_id,
        "isMaster": True,
    }


def base_fee(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return the account's commission rates."""
    return {"takerFeeRate": number_text(account.taker_rate), "makerFeeRate": number_text(account.maker_rate)}


def trade_fees(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the account's commission rates for up to ten symbols."""
    symbols = parameters.required("symbols").split(",")
    if any(symbol not in exchange.venue.instruments for symbol in symbols):
        raise errors.unknown_symbol()
    return [{"symbol": symbol, **base_fee(exchange, account, parameters)} for symbol in symbols]


def public_bullet(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return a token for public topics."""
    return exchange.tokens.bullet(parameters.host)


def private_bullet(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return a token for public topics and the account's own."""
    return exchange.tokens.bullet(parameters.host, account)


def no_margin_symbols(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return an empty page: nothing is traded on margin."""
    return {"timestamp": exchange.now_ms(), "items": []}


def nothing(exchange: Exchange, account: Account, parameters: Parameters) -> list[Any]:
    """Return an empty list."""
    return []


def no_contracts(exchange: Exchange, parameters: Parameters) -> list[Any]:
    """Return the contracts of a futures exchange that lists none."""
    return []


def _show(balance: Balance) -> dict[str, Any]:
    return {
        "currency": balance.asset,
        "balance": number_text(balance.free + balance.locked),
        "available": number_text(balance.free),
        "holds": number_text(balance.locked),
    }


ACCOUNTS = AccountOperation(account_list, weight=5, pool=Pool.MANAGEMENT)
ACCOUNT = AccountOperation(account_detail, weight=5, pool=Pool.MANAGEMENT)
HIGH_FREQUENCY = AccountOperation(high_frequency, weight=30)
ACCOUNT_MODE = AccountOperation(account_mode, weight=5, pool=Pool.MANAGEMENT)
USER_INFO = AccountOperation(user_info, weight=20, pool=Pool.MANAGEMENT)
KEY_INFO = AccountOperation(key_info, weight=20, pool=Pool.MANAGEMENT)
BASE_FEE = AccountOperation(base_fee, weight=3)
TRADE_FEES = AccountOperation(trade_fees, weight=3)
PUBLIC_BULLET = PublicOperation(public_bullet, weight=10)
PRIVATE_BULLET = AccountOperation(private_bullet, weight=10)
MARGIN_SYMBOLS = AccountOperation(no_margin_symbols, weight=3)
ISOLATED_SYMBOLS = AccountOperation(nothing, weight=3)
CONTRACTS = PublicOperation(no_contracts, weight=3)
