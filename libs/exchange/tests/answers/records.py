"""What each exchange sends of one order, one own trade and one balance, by its own documentation.

The order sells 10 at 20; 4 are sold, at 20.5, and it is open or was canceled then. The trade is that sale. The account
holds 7 of a currency, of which 2 are in orders.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from typing import Any, Final, NamedTuple

TIME_MS: Final = 1_700_000_000_000
TIME: Final = "2023-11-14T22:13:20Z"
ID: Final = "70000001"
Record = Any
"""An object of JSON, or a list whose places have meanings."""


class Records(NamedTuple):
    """The records of one exchange, and how its answers hold them."""

    order: Record
    """While it is open."""
    changed: Mapping[Any, Any]
    """Which fields are others once it is canceled."""
    trade: Record
    balance: Record
    one: Callable[[Any], Any] = lambda order: order
    """The answer about one order."""
    several: Callable[[Any], Any] = lambda row: [row]
    """The answer that lists an order."""
    trades: Callable[[Any], Any] = lambda row: [row]
    """The answer that lists a trade."""
    balances: Callable[[Any], Any] = lambda row: {"balances": [row]}
    """The answer that lists a balance."""

    @property
    def canceled(self) -> Record:
        """The order once it is canceled."""
        canceled = copy(self.order)
        for name, value in self.changed.items():
            canceled[name] = value
        return canceled


_BINANCE: Final = {
    "symbol": "BTCUSDT",
    "orderId": int(ID),
    "orderListId": -1,
    "clientOrderId": "OURS",
    "price": "20.00",
    "origQty": "10.0",
    "executedQty": "4.0",
    "cummulativeQuoteQty": "82.0",
    "status": "PARTIALLY_FILLED",
    "timeInForce": "GTC",
    "type": "LIMIT",
    "side": "SELL",
    "stopPrice": "0.0",
    "icebergQty": "0.0",
    "time": TIME_MS,
    "updateTime": TIME_MS,
    "isWorking": True,
    "workingTime": TIME_MS,
    "origQuoteOrderQty": "0.0",
    "selfTradePreventionMode": "NONE",
}
_BINANCE_TRADE: Final = {
    "symbol": "BTCUSDT",
    "id": 28457,
    "orderId": int(ID),
    "orderListId": -1,
    "price": "20.5",
    "qty": "4.0",
    "quoteQty": "82.0",
    "commission": "0.1",
    "commissionAsset": "USDT",
    "time": TIME_MS,
    "isBuyer": False,
    "isMaker": True,
    "isBestMatch": True,
}


_BINANCE_BALANCE: Final = {"asset": "BTC", "free": "5.0", "locked": "2.0"}


def _by(name: str, **around: Any) -> Callable[[Any], Any]:
    return lambda row: {**around, name: row}


def _listed(*names: str, **around: Any) -> Callable[[Any], Any]:
    def wrap(row: Any) -> Any:
        content: Any = [row]
        for name in reversed(names):
            content = {name: content}
        return {**around, **content}

    return wrap


_OK: Final = {"code": "200000"}

RECORDS: Final[Mapping[str, Records]] = {
    "binance": Records(_BINANCE, {"status": "CANCELED"}, _BINANCE_TRADE, _BINANCE_BALANCE),
    "binanceusdm": Records(
        {
            "symbol": "BTCUSDT",
            "orderId": int(ID),
            "clientOrderId": "OURS",
            "price": "20.00",
            "avgPrice": "20.50",
            "origQty": "10",
            "executedQty": "4",
            "cumQuote": "82",
            "status": "PARTIALLY_FILLED",
            "timeInForce": "GTC",
            "type": "LIMIT",
            "origType": "LIMIT",
            "side": "SELL",
            "positionSide": "BOTH",
            "reduceOnly": False,
            "closePosition": False,
            "stopPrice": "0",
            "workingType": "CONTRACT_PRICE",
            "time": TIME_MS,
            "updateTime": TIME_MS,
        },
        {"status": "CANCELED"},
        {
            "symbol": "BTCUSDT",
            "id": 28457,
            "orderId": int(ID),
            "price": "20.5",
            "qty": "4",
            "quoteQty": "82",
            "commission": "0.1",
            "commissionAsset": "USDT",
            "time": TIME_MS,
            "side": "SELL",
            "buyer": False,
            "maker": True,
            "positionSide": "BOTH",
            "realizedPnl": "0",
        },
        {
            "asset": "USDT",
            "walletBalance": "7",
            "marginBalance": "7",
            "balance": "7",
            "availableBalance": "5",
            "initialMargin": "2",
            "maintMargin": "0",
            "updateTime": TIME_MS,
        },
        balances=_listed("assets", positions=[]),
    ),
    "bybit": Records(
        {
            "symbol": "BTCUSDT",
            "orderId": ID,
            "orderLinkId": "OURS",
            "orderType": "Limit",
            "side": "Sell",
            "price": "20",
            "qty": "10",
            "cumExecQty": "4",
            "cumExecValue": "82",
            "leavesQty": "6",
            "avgPrice": "20.5",
            "cumExecFee": "0.1",
            "orderStatus": "PartiallyFilled",
            "timeInForce": "GTC",
            "reduceOnly": False,
            "triggerPrice": "0",
            "createdTime": str(TIME_MS),
            "updatedTime": str(TIME_MS),
        },
        {"orderStatus": "PartiallyFilledCanceled", "leavesQty": "0"},
        {
            "symbol": "BTCUSDT",
            "execId": "28457",
            "orderId": ID,
            "orderLinkId": "OURS",
            "side": "Sell",
            "orderType": "Limit",
            "orderPrice": "21",
            "orderQty": "10",
            "execPrice": "20.5",
            "execQty": "4",
            "execValue": "82",
            "execFee": "0.1",
            "feeRate": "0.001",
            "feeCurrency": "USDT",
            "isMaker": True,
            "execTime": str(TIME_MS),
        },
        {
            "coin": "BTC",
            "walletBalance": "7",
            "equity": "7",
            "locked": "2",
            "totalPositionIM": "0",
            "totalOrderIM": "0",
            "borrowAmount": "0",
            "accruedInterest": "0",
        },
        *(lambda row: {"retCode": 0, "result": {"category": "spot", "list": [row]}, "time": TIME_MS},) * 3,
        lambda row: {"retCode": 0, "result": {"list": [{"accountType": "UNIFIED", "coin": [row]}]}, "time": TIME_MS},
    ),
    "okx": Records(
        {
            "instType": "SPOT",
            "instId": "BTCUSDT",
            "ordId": ID,
            "clOrdId": "OURS",
            "ordType": "limit",
            "side": "sell",
            "px": "20",
            "sz": "10",
            "accFillSz": "4",
            "avgPx": "20.5",
            "state": "partially_filled",
            "tgtCcy": "",
            "fee": "-0.1",
            "feeCcy": "USDT",
            "fillTime": str(TIME_MS),
            "cTime": str(TIME_MS),
            "uTime": str(TIME_MS),
            "reduceOnly": "false",
        },
        {"state": "canceled"},
        {
            "instType": "SPOT",
            "instId": "BTCUSDT",
            "tradeId": "28457",
            "ordId": ID,
            "clOrdId": "OURS",
            "side": "sell",
            "fillPx": "20.5",
            "fillSz": "4",
            "fee": "-0.1",
            "feeCcy": "USDT",
            "execType": "M",
            "ts": str(TIME_MS),
        },
        {"ccy": "BTC", "eq": "7", "availEq": "", "availBal": "5", "frozenBal": "2", "cashBal": "7"},
        *(_listed("data", code="0", msg=""),) * 3,
        lambda row: {"code": "0", "msg": "", "data": [{"uTime": str(TIME_MS), "details": [row]}]},
    ),
    "kraken": Records(
        {
            "status": "open",
            "cl_ord_id": "OURS",
            "opentm": TIME_MS / 1000,
            "vol": "10",
            "vol_exec": "4",
            "cost": "82",
            "fee": "0.1",
            "price": "20.5",
            "limitprice": "0",
            "oflags": "fciq",
            "descr": {
                "pair": "BTCUSDT",
                "type": "sell",
                "ordertype": "limit",
                "price": "20",
                "price2": "0",
                "order": "sell 10 BTCUSDT @ limit 20",
            },
        },
        {"status": "canceled", "closetm": TIME_MS / 1000},
        {
            "ordertxid": ID,
            "postxid": "P",
            "pair": "BTCUSDT",
            "time": TIME_MS / 1000,
            "type": "sell",
            "ordertype": "limit",
            "price": "20.5",
            "cost": "82",
            "fee": "0.1",
            "vol": "4",
            "maker": True,
        },
        {"balance": "7", "hold_trade": "2"},
        lambda row: {"error": [], "result": {ID: row}},
        lambda row: {"error": [], "result": {"open": {ID: row}}},
        lambda row: {"error": [], "result": {"trades": {"28457": row}}},
        lambda row: {"error": [], "result": {"BTC": row}},
    ),
    "gate": Records(
        {
            "id": ID,
            "text": "t-OURS",
            "currency_pair": "BTCUSDT",
            "status": "open",
            "finish_as": "open",
            "type": "limit",
            "side": "sell",
            "account": "spot",
            "amount": "10",
            "price": "20",
            "left": "6",
            "filled_amount": "4",
            "filled_total": "82",
            "avg_deal_price": "20.5",
            "time_in_force": "gtc",
            "fee": "0.1",
            "fee_currency": "USDT",
            "create_time_ms": str(TIME_MS),
            "update_time_ms": str(TIME_MS),
        },
        {"status": "cancelled", "finish_as": "cancelled"},
        {
            "id": "28457",
            "order_id": ID,
            "text": "t-OURS",
            "currency_pair": "BTCUSDT",
            "side": "sell",
            "role": "maker",
            "amount": "4",
            "price": "20.5",
            "fee": "0.1",
            "fee_currency": "USDT",
            "create_time_ms": f"{TIME_MS}.1",
        },
        {"currency": "BTC", "available": "5", "locked": "2"},
        several=lambda row: [{"currency_pair": "BTCUSDT", "total": 1, "orders": [row]}],
        balances=lambda row: [row],
    ),
    "bitget": Records(
        {
            "symbol": "BTCUSDT",
            "orderId": ID,
            "clientOid": "OURS",
            "orderType": "limit",
            "side": "sell",
            "price": "20",
            "priceAvg": "20.5",
            "size": "10",
            "baseVolume": "4",
            "quoteVolume": "82",
            "status": "partially_filled",
            "force": "gtc",
            "cTime": str(TIME_MS),
            "uTime": str(TIME_MS),
        },
        {"status": "cancelled"},
        {
            "symbol": "BTCUSDT",
            "orderId": ID,
            "tradeId": "28457",
            "orderType": "limit",
            "side": "sell",
            "priceAvg": "20.5",
            "size": "4",
            "amount": "82",
            "feeDetail": {"deduction": "no", "feeCoin": "USDT", "totalDeductionFee": "", "totalFee": "-0.1"},
            "tradeScope": "maker",
            "cTime": str(TIME_MS),
            "uTime": str(TIME_MS),
        },
        {"coin": "BTC", "available": "5", "frozen": "2", "locked": "0", "uTime": str(TIME_MS)},
        *(_listed("data", code="00000", msg="success"),) * 4,
    ),
    "mexc": Records(
        {name: value for name, value in _BINANCE.items() if name not in ("workingTime", "selfTradePreventionMode")}
        | {"orderId": ID},
        {"status": "PARTIALLY_CANCELED"},
        _BINANCE_TRADE | {"id": "28457", "orderId": ID, "isSelfTrade": False},
        _BINANCE_BALANCE,
    ),
    "coinbase": Records(
        {
            "order_id": ID,
            "client_order_id": "OURS",
            "product_id": "BTCUSDT",
            "order_type": "LIMIT",
            "side": "SELL",
            "status": "OPEN",
            "time_in_force": "GOOD_UNTIL_CANCELLED",
            "filled_size": "4",
            "filled_value": "82",
            "average_filled_price": "20.5",
            "total_fees": "0.1",
            "created_time": TIME,
            "order_configuration": {
                "limit_limit_gtc": {"base_size": "10", "limit_price": "20", "post_only": False},
            },
        },
        {"status": "CANCELLED"},
        {
            "entry_id": "1",
            "trade_id": "28457",
            "order_id": ID,
            "product_id": "BTCUSDT",
            "trade_time": TIME,
            "trade_type": "FILL",
            "price": "20.5",
            "size": "4",
            "size_in_quote": False,
            "side": "SELL",
            "commission": "0.1",
            "liquidity_indicator": "MAKER",
        },
        {
            "uuid": "1",
            "currency": "BTC",
            "type": "ACCOUNT_TYPE_CRYPTO",
            "available_balance": {"value": "5", "currency": "BTC"},
            "hold": {"value": "2", "currency": "BTC"},
        },
        _by("order"),
        _listed("orders", has_next=False),
        _listed("fills", cursor=""),
        _listed("accounts", has_next=False),
    ),
    "hitbtc": Records(
        {
            "id": int(ID),
            "client_order_id": "OURS",
            "symbol": "BTCUSDT",
            "side": "sell",
            "status": "partiallyFilled",
            "type": "limit",
            "time_in_force": "GTC",
            "quantity": "10",
            "quantity_cumulative": "4",
            "price": "20",
            "price_average": "20.5",
            "post_only": False,
            "created_at": TIME,
            "updated_at": TIME,
        },
        {"status": "canceled"},
        {
            "id": 28457,
            "order_id": int(ID),
            "client_order_id": "OURS",
            "symbol": "BTCUSDT",
            "side": "sell",
            "quantity": "4",
            "price": "20.5",
            "fee": "0.1",
            "timestamp": TIME,
            "taker": False,
        },
        {"currency": "BTC", "available": "5", "reserved": "2"},
        one=lambda row: [row],
        balances=lambda row: [row],
    ),
    "htx": Records(
        {
            "id": int(ID),
            "client-order-id": "OURS",
            "symbol": "BTCUSDT",
            "account-id": 1,
            "amount": "10",
            "price": "20",
            "type": "sell-limit",
            "field-amount": "4",
            "field-cash-amount": "82",
            "field-fees": "0.1",
            "created-at": TIME_MS,
            "canceled-at": 0,
            "finished-at": 0,
            "state": "partial-filled",
        },
        {"state": "partial-canceled", "canceled-at": TIME_MS},
        {
            "id": 1,
            "trade-id": 28457,
            "order-id": int(ID),
            "symbol": "BTCUSDT",
            "type": "sell-limit",
            "role": "maker",
            "price": "20.5",
            "filled-amount": "4",
            "filled-fees": "0.1",
            "fee-currency": "usdt",
            "created-at": TIME_MS,
        },
        {"currency": "btc", "type": "trade", "balance": "5", "available": "5"},
        _by("data", status="ok"),
        _listed("data", status="ok"),
        _listed("data", status="ok"),
        lambda row: {
            "status": "ok",
            "data": {"id": 1, "type": "spot", "list": [row, {"currency": "btc", "type": "frozen", "balance": "2"}]},
        },
    ),
    "kucoin": Records(
        {
            "id": ID,
            "clientOid": "OURS",
            "symbol": "BTCUSDT",
            "type": "limit",
            "side": "sell",
            "price": "20",
            "size": "10",
            "funds": "0",
            "dealSize": "4",
            "dealFunds": "82",
            "remainSize": "6",
            "fee": "0.1",
            "feeCurrency": "USDT",
            "timeInForce": "GTC",
            "postOnly": False,
            "active": True,
            "cancelExist": False,
            "createdAt": TIME_MS,
            "lastUpdatedAt": TIME_MS,
        },
        {"active": False, "cancelExist": True},
        {
            "id": 1,
            "tradeId": 28457,
            "orderId": ID,
            "symbol": "BTCUSDT",
            "side": "sell",
            "liquidity": "maker",
            "type": "limit",
            "price": "20.5",
            "size": "4",
            "funds": "82",
            "fee": "0.1",
            "feeRate": "0.001",
            "feeCurrency": "USDT",
            "createdAt": TIME_MS,
        },
        {"id": "1", "currency": "BTC", "type": "trade_hf", "balance": "7", "available": "5", "holds": "2"},
        _by("data", **_OK),
        _listed("data", **_OK),
        _listed("data", "items", **_OK),
        _listed("data", **_OK),
    ),
    "kucoinfutures": Records(
        {
            "id": ID,
            "clientOid": "OURS",
            "symbol": "BTCUSDT",
            "type": "limit",
            "side": "sell",
            "price": "20",
            "size": 10,
            "value": "200",
            "filledSize": 4,
            "filledValue": "82",
            "avgDealPrice": "20.5",
            "timeInForce": "GTC",
            "postOnly": False,
            "reduceOnly": False,
            "isActive": True,
            "cancelExist": False,
            "status": "open",
            "createdAt": TIME_MS,
            "updatedAt": TIME_MS,
        },
        {"isActive": False, "cancelExist": True, "status": "done"},
        {
            "symbol": "BTCUSDT",
            "tradeId": "28457",
            "orderId": ID,
            "side": "sell",
            "liquidity": "maker",
            "orderType": "limit",
            "price": "20.5",
            "size": 4,
            "value": "82",
            "fee": "0.1",
            "feeCurrency": "USDT",
            "createdAt": TIME_MS,
            "tradeTime": TIME_MS * 1_000_000,
        },
        {"currency": "USDT", "accountEquity": 7, "availableBalance": 5, "orderMargin": 2, "positionMargin": 0},
        _by("data", **_OK),
        _listed("data", "items", **_OK),
        _listed("data", "items", **_OK),
        _by("data", **_OK),
    ),
    "bitfinex": Records(
        [
            *(int(ID), None, 1, "BTCUSDT", TIME_MS, TIME_MS, -6, -10, "EXCHANGE LIMIT", None, None, None, 0),
            *("PARTIALLY FILLED @ 20.5(-4)", None, None, 20, 20.5, 0, 0, None, None, None, 0, 0),
        ],
        {13: "CANCELED"},
        [28457, "BTCUSDT", TIME_MS, int(ID), -4, 20.5, "EXCHANGE LIMIT", 20, 1, -0.1, "UST", 1],
        ["exchange", "BTC", 7, 0, 5, None, None],
        one=lambda row: [row],
        balances=lambda row: [row],
    ),
    "hyperliquid": Records(
        {
            "coin": "@1",
            "oid": int(ID),
            "cloid": "OURS",
            "side": "A",
            "limitPx": "20",
            "sz": "6",
            "origSz": "10",
            "orderType": "Limit",
            "tif": "Gtc",
            "reduceOnly": False,
            "isTrigger": False,
            "triggerPx": "0",
            "timestamp": TIME_MS,
        },
        {},
        {
            "coin": "@1",
            "tid": 28457,
            "oid": int(ID),
            "side": "A",
            "px": "20.5",
            "sz": "4",
            "fee": "0.1",
            "feeToken": "USDC",
            "crossed": False,
            "time": TIME_MS,
        },
        {"coin": "BTC", "token": 1, "total": "7", "hold": "2"},
        lambda row: {"status": "order", "order": {"order": row, "status": "open", "statusTimestamp": TIME_MS}},
    ),
}


def without(record: Record) -> Iterator[tuple[str, Record]]:
    """Yield a record once for each of its fields, nested ones too, in which that is null; and the field's name."""
    for name in record if isinstance(record, dict) else range(len(record)):
        if record[name] is None:
            continue
        if isinstance(record[name], dict):
            for inner, value in without(record[name]):
                yield f"{name}.{inner}", _with(record, name, value)
        yield str(name), _with(record, name, None)


def _with(record: Record, name: Any, value: Any) -> Record:
    changed = copy(record)
    changed[name] = value
    return changed
