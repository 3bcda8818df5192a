"""The wallet and margin paths (/sapi), and the empty derivatives exchanges, that clients query before they trade.

With keys set, ccxt and others load coins, fees and margin pairs before the first order. Everything here follows from
the venue's listing: coins are its assets, on one network of the simulator's own; nothing is marginable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millrace_simulator.binance.exchange import AccountOperation, Exchange, Operation, PublicOperation
from millrace_simulator.binance.operations import symbols
from millrace_simulator.binance.operations.account import all_balances
from millrace_simulator.binance.parameters import Parameters
from millrace_simulator.venue import Account, Balance, Instrument, decimal_text

NETWORK = "SIM"
ZERO = "0.00000000"


def system_status(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Report that the exchange is up."""
    return {"status": 0, "msg": "normal"}


def all_coins(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return every asset, the account's balance of it, and its network; deposits and withdrawals are closed."""
    return [_show_coin(balance) for balance in all_balances(exchange, account)]


def trade_fees(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the account's commission rates for one symbol, or all."""
    chosen = symbols.named_or_all(exchange, parameters)
    instruments = [chosen] if isinstance(chosen, Instrument) else chosen
    return [
        {
            "symbol": instrument.symbol,
            "makerCommission": str(account.maker_rate),
            "takerCommission": str(account.taker_rate),
        }
        for instrument in instruments
    ]


def api_restrictions(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return the API key's permissions: read and trade spot."""
    return {
        "ipRestrict": False,
        "createTime": account.updated_us // 1000,
        "enableReading": True,
        "enableSpotAndMarginTrading": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enablePortfolioMarginTrading": False,
    }


def account_info(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return the account's VIP level and enabled features."""
    return {
        "vipLevel": 0,
        "isMarginEnabled": False,
        "isFutureEnabled": False,
        "isOptionsEnabled": False,
        "isPortfolioMarginRetailEnabled": False,
    }


def account_state(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Report that the account is in order."""
    return {"data": "Normal"}


def trading_state(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Report that the API key is not locked."""
    return {
        "data": {
            "isLocked": False,
            "plannedRecoverTime": 0,
            "triggerCondition": {"GCR": 150, "IFER": 150, "UFR": 300},
            "updateTime": account.updated_us // 1000,
        }
    }


def user_assets(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the account's balances that are not zero."""
    return [
        {
            "asset": balance.asset,
            "free": decimal_text(balance.free),
            "locked": decimal_text(balance.locked),
            "freeze": ZERO,
            "withdrawing": ZERO,
            "ipoable": ZERO,
            "btcValuation": ZERO,
        }
        for balance in account.balances
        if balance.free or balance.locked
    ]


def nothing(exchange: Exchange, account: Account, parameters: Parameters) -> list[Any]:
    """Return an empty list: there are no such pairs here, nor transfers."""
    return []


def no_contracts(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return the exchange information of a derivatives exchange that lists nothing."""
    return {
        "timezone": "UTC",
        "serverTime": exchange.now_ms(),
        "rateLimits": [],
        "exchangeFilters": [],
        "assets": [],
        "symbols": [],
    }


def _show_coin(balance: Balance) -> dict[str, Any]:
    return {
        "coin": balance.asset,
        "depositAllEnable": False,
        "withdrawAllEnable": False,
        "name": balance.asset,
        "free": decimal_text(balance.free),
        "locked": decimal_text(balance.locked),
        "freeze": "0",
        "withdrawing": "0",
        "ipoing": "0",
        "ipoable": "0",
        "storage": "0",
        "isLegalMoney": False,
        "trading": True,
        "networkList": [_show_network(balance.asset)],
    }


def _show_network(asset: str) -> dict[str, Any]:
    return {
        "network": NETWORK,
        "coin": asset,
        "withdrawIntegerMultiple": "0.00000001",
        "isDefault": True,
        "depositEnable": False,
        "withdrawEnable": False,
        "depositDesc": "",
        "withdrawDesc": "",
        "specialTips": "",
        "name": "Simulated network",
        "resetAddressStatus": False,
        "addressRegex": "",
        "memoRegex": "",
        "withdrawFee": "0",
        "withdrawMin": "0",
        "withdrawMax": "0",
        "withdrawInternalMin": "0",
        "depositDust": "0",
        "minConfirm": 1,
        "unLockConfirm": 0,
        "sameAddress": False,
        "estimatedArrivalTime": 0,
        "busy": False,
        "contractAddressUrl": "",
        "contractAddress": "",
    }


_ASSET_FIELDS = ("asset", "needBtcValuation")

WALLET_ROUTES: Mapping[tuple[str, str], Operation] = {
    ("GET", "/sapi/v1/system/status"): PublicOperation(system_status),
    ("GET", "/sapi/v1/capital/config/getall"): AccountOperation(all_coins, weight=10),
    ("GET", "/sapi/v1/asset/tradeFee"): AccountOperation(trade_fees, takes=("symbol",)),
    ("POST", "/sapi/v3/asset/getUserAsset"): AccountOperation(user_assets, weight=5, takes=_ASSET_FIELDS),
    ("POST", "/sapi/v1/asset/get-funding-asset"): AccountOperation(nothing, takes=_ASSET_FIELDS),
    ("GET", "/sapi/v1/account/apiRestrictions"): AccountOperation(api_restrictions),
    ("GET", "/sapi/v1/account/apiTradingStatus"): AccountOperation(trading_state),
    ("GET", "/sapi/v1/account/status"): AccountOperation(account_state),
    ("GET", "/sapi/v1/account/info"): AccountOperation(account_info),
    ("GET", "/sapi/v1/margin/allPairs"): AccountOperation(nothing, takes=("symbol",)),
    ("GET", "/sapi/v1/margin/allAssets"): AccountOperation(nothing, takes=("asset",)),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): AccountOperation(nothing, weight=10, takes=("symbol",)),
    ("GET", "/fapi/v1/exchangeInfo"): PublicOperation(no_contracts),
    ("GET", "/dapi/v1/exchangeInfo"): PublicOperation(no_contracts),
}
"""By method and path. Clients with all addresses redirected here also query derivatives, and find none."""
