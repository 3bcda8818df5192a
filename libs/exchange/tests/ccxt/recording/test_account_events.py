"""What an account's events say, as each exchange documents them: ccxt reads some otherwise than it reads answers."""

import json
from typing import Any, Final

import pytest

from millrace_core.actions import BALANCE, MY_TRADES, ORDERS
from millrace_core.market import Balances, Trade
from millrace_core.names import ExchangeId
from millrace_core.orders import Order
from millrace_exchange import EventTimes, profile_of
from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.ccxt.recording.recorded_exchange import recorded
from millrace_exchange.ccxt.recording.recorder import UNREAD
from millrace_exchange.request_gate import RequestGate

SYMBOL: Final = "BTC/USDT"
MARKET_IDS: Final = {
    "okx": "BTC-USDT",
    "coinbase": "BTC-USDT",
    "bitfinex": "tBTCUST",
    "hyperliquid": "@1",
    "htx": "btcusdt",
}


class Taker:
    """Stands for a connection and its listener."""

    def __init__(self, ccxt: Any) -> None:
        self.orders: list[Order] = []
        self.trades: list[Trade] = []
        self.subscriptions: dict[str, Any] = {}
        self.futures: dict[str, Any] = {}
        self.url = ""
        self._recorder = ccxt.recorder
        self.balances: list[Balances] = []
        self.missed: list[str] = []
        for action, symbol in ((ORDERS, SYMBOL), (MY_TRADES, SYMBOL), (BALANCE, None)):
            self._recorder.add((action.name, symbol, None), self)

    def resolve(self, result: Any, _message_hash: str) -> None:
        """Take what ccxt applied."""
        self._recorder.deliver(result, self)

    def orders_changed(self, orders: list[Order], event: EventTimes) -> None:
        """Take orders."""
        self.orders += orders

    def traded(self, trades: list[Trade], event: EventTimes) -> None:
        """Take trades."""
        self.trades += trades

    def balance_changed(self, balances: Balances, event: EventTimes) -> None:
        """Take balances."""
        self.balances.append(balances)

    def message_missed(self, reason: str) -> None:
        """Learn of what cannot be read."""
        self.missed.append(reason)


def opened(exchange: str) -> Any:
    """Return ccxt's exchange with one market."""
    profile = profile_of(ExchangeId(exchange))
    loaded: Any = load_exchange(exchange)
    ccxt = recorded(loaded)({}, profile, RequestGate(profile))
    market_id = MARKET_IDS.get(exchange, "BTCUSDT")
    market = {
        "id": market_id,
        "lowercaseId": market_id.lower(),
        "symbol": SYMBOL,
        "base": "BTC",
        "baseId": "BTC",
        "quote": "USDT",
        "type": "spot",
        "spot": True,
        "precision": {"price": 0.1, "amount": 0.1},
    }
    ccxt.set_markets([ccxt.safe_market_structure(market)])
    return ccxt


def taken(exchange: str, method: str, *calls: tuple[Any, ...]) -> Taker:
    """Have one of ccxt's methods read frames as if they came over a connection."""
    ccxt = opened(exchange)
    taker = Taker(ccxt)
    for arguments in calls:
        getattr(ccxt, method)(taker, *arguments)
    return taker


# Channel "orders": fillFee is below zero where it is charged, accFillSz is of all fills, fillSz of this one.
OKX: Final = {
    "arg": {"channel": "orders", "instType": "SPOT"},
    "data": [
        {
            "instType": "SPOT",
            "instId": "BTC-USDT",
            "ordId": "7",
            "tradeId": "42",
            "side": "buy",
            "ordType": "limit",
            "px": "100",
            "sz": "3",
            "state": "partially_filled",
            "accFillSz": "2",
            "avgPx": "100",
            "fillSz": "0.5",
            "fillPx": "100",
            "fillTime": "1700000000000",
            "fillFee": "-0.0005",
            "fillFeeCcy": "BTC",
            "execType": "T",
            "fee": "-0.0005",
            "feeCcy": "BTC",
            "uTime": "1700000000000",
            "cTime": "1700000000000",
        }
    ],
}
# "Trades": FEE is the change of the balance.
BITFINEX: Final = [0, "tu", [42, "tBTCUST", 1_700_000_000_000, 7, 0.5, 100, "EXCHANGE LIMIT", 100, -1, -0.0005, "BTC"]]
# WsUserFills: fees of spot buys are charged in what was bought.
HYPERLIQUID: Final = {
    "channel": "userFills",
    "data": {
        "user": "0x1",
        "fills": [
            {
                "coin": "@1",
                "px": "100",
                "sz": "0.5",
                "side": "B",
                "time": 1_700_000_000_000,
                "oid": 7,
                "tid": 42,
                "fee": "0.0005",
                "feeToken": "BTC",
            }
        ],
    },
}
# privateDeals: isMaker tells who was there first.
MEXC_TRADE: Final = {
    "symbol": "BTCUSDT",
    "privateDeals": {
        "price": "100",
        "quantity": "0.5",
        "amount": "50",
        "tradeType": 1,
        "isMaker": True,
        "tradeId": "42",
        "orderId": "7",
        "feeAmount": "0.0005",
        "feeCurrency": "BTC",
        "time": 1_700_000_000_000,
    },
}


# "Fill channel": a rebate is above zero, what was charged below; ccxt's events have both above.
BITGET_TRADE: Final = {
    "arg": {"instType": "SPOT", "channel": "fill", "instId": "default"},
    "data": [
        {
            "orderId": "7",
            "tradeId": "42",
            "symbol": "BTCUSDT",
            "orderType": "limit",
            "side": "buy",
            "priceAvg": "100",
            "size": "0.5",
            "amount": "50",
            "tradeScope": "maker",
            "feeDetail": [{"deduction": "no", "feeCoin": "BTC", "totalFee": "0.0005"}],
            "cTime": "1700000000000",
            "uTime": "1700000000000",
        }
    ],
}


@pytest.mark.parametrize(
    ("exchange", "method", "arguments"),
    [
        ("okx", "handle_orders", (OKX,)),
        ("bitfinex", "handle_my_trade", (BITFINEX, {})),
        ("hyperliquid", "handle_my_trades", (HYPERLIQUID,)),
        ("mexc", "handle_my_trade", (MEXC_TRADE,)),
    ],
    ids=["okx", "bitfinex", "hyperliquid", "mexc"],
)
def test_a_trade_has_its_own_cost_and_the_fee_charged(exchange: str, method: str, arguments: Any) -> None:
    """Not the cost of its order's other fills, nor a fee that was received, or in another currency."""
    [trade] = taken(exchange, method, arguments).trades
    assert (trade.id, trade.order, trade.side, trade.price, trade.amount) == ("42", "7", "buy", 100, 0.5)
    assert trade.cost == 50
    assert trade.fee is not None
    assert (trade.fee.currency, trade.fee.cost) == ("BTC", 0.0005)


def test_a_fee_whose_sign_is_lost_is_left_out() -> None:
    """Bitget: an answer has it."""
    [trade] = taken("bitget", "handle_my_trades", (BITGET_TRADE,)).trades
    assert (trade.id, trade.price, trade.amount, trade.cost, trade.fee) == ("42", 100, 0.5, 50, None)


def test_who_was_there_first_is_not_made_up() -> None:
    """MEXC: ccxt calls each trade a taker's."""
    [trade] = taken("mexc", "handle_my_trade", (MEXC_TRADE,)).trades
    assert trade.taker_or_maker is None


KRAKEN: Final = {
    "order_id": "7",
    "symbol": SYMBOL,
    "cl_ord_id": "f",
    "order_userref": 0,
    "side": "buy",
    "order_type": "limit",
    "limit_price": 100,
    "order_qty": 3,
    "timestamp": "2023-11-14T22:13:20.000000Z",
}
KRAKEN_FILLS: Final = {"cum_qty": 2, "cum_cost": 200, "avg_price": 100, "fee_usd_equiv": 0.3}
HITBTC: Final = {
    "id": 7,
    "client_order_id": "f",
    "symbol": "BTCUSDT",
    "side": "buy",
    "status": "partiallyFilled",
    "type": "limit",
    "time_in_force": "GTC",
    "quantity": "3",
    "quantity_cumulative": "2",
    "price": "100",
    "post_only": False,
    "created_at": "2023-11-14T22:13:20Z",
    "updated_at": "2023-11-14T22:13:21Z",
    "report_type": "trade",
    "trade_id": 42,
    "trade_quantity": "0.5",
    "trade_price": "100",
    "trade_fee": "0.05",
    "trade_taker": True,
}
COINBASE: Final = {
    "order_id": "7",
    "client_order_id": "f",
    "product_id": "BTC-USDT",
    "order_side": "BUY",
    "order_type": "Limit",
    "limit_price": "100",
    "cumulative_quantity": "2",
    "leaves_quantity": "1",
    "avg_price": "100",
    "filled_value": "200",
    "total_fees": "0.3",
    "status": "OPEN",
    "creation_time": "2023-11-14T22:13:20Z",
}
MEXC_ORDER: Final = {
    "symbol": "BTCUSDT",
    "sendTime": 1_700_000_000_000,
    "privateOrders": {
        "id": "7",
        "clientId": "f",
        "price": "100",
        "quantity": "3",
        "amount": "300",
        "avgPrice": "100",
        "orderType": 1,
        "tradeType": 1,
        "remainQuantity": "1",
        "cumulativeQuantity": "2",
        "cumulativeAmount": "200",
        "status": 3,
        "createTime": 1_700_000_000_000,
    },
}
BITGET_ORDER: Final = {
    "arg": {"instType": "SPOT", "channel": "orders", "instId": "default"},
    "data": [
        {
            "instId": "BTCUSDT",
            "orderId": "7",
            "clientOid": "f",
            "side": "buy",
            "orderType": "limit",
            "price": "100",
            "newSize": "3",
            "accBaseVolume": "2",
            "priceAvg": "100",
            "fillPrice": "100",
            "status": "partially_filled",
            "feeDetail": [{"feeCoin": "BTC", "fee": "0.0005"}],
            "cTime": "1700000000000",
            "uTime": "1700000000000",
        }
    ],
}


@pytest.mark.parametrize(
    ("exchange", "method", "frames"),
    [
        (
            "kraken",
            "handle_orders",
            [
                {
                    "channel": "executions",
                    "data": [{**KRAKEN, "exec_type": "new", "order_status": "new", "cum_qty": 0}],
                },
                {"data": [{**KRAKEN, **KRAKEN_FILLS, "exec_type": "amended", "order_status": "partially_filled"}]},
            ],
        ),
        ("hitbtc", "handle_order", [{"method": "spot_order", "params": HITBTC}]),
        ("coinbase", "handle_order", [{"channel": "user", "events": [{"orders": [COINBASE]}]}]),
        ("mexc", "handle_order", [MEXC_ORDER]),
        ("bitget", "handle_order", [BITGET_ORDER]),
    ],
    ids=["kraken", "hitbtc", "coinbase", "mexc", "bitget"],
)
def test_an_order_is_the_exchanges(exchange: str, method: str, frames: Any) -> None:
    """What is said of it is right; what is not said, or lost by ccxt, is not made up."""
    order = taken(exchange, method, *[(frame,) for frame in frames]).orders[-1]
    # ccxt names HitBTC's orders by our ids, in answers too.
    assert order.id == ("f" if exchange == "hitbtc" else "7")
    assert (order.client_order_id, order.side, order.status) == ("f", "buy", "open")
    assert order.price == 100
    assert order.filled == 2
    assert order.amount in (3, None)
    assert order.remaining in (1, None)
    assert order.cost in (200, None)
    assert order.average in (100, None)
    assert order.fees == []


# "Executions", its examples: what changes an order later has no market.
KRAKEN_NEW: Final = {**KRAKEN, "exec_type": "pending_new", "order_status": "pending_new"}
KRAKEN_TRADE: Final = {
    "order_id": "7",
    "exec_id": "T1",
    "exec_type": "trade",
    "trade_id": 42,
    "symbol": SYMBOL,
    "side": "buy",
    "last_qty": 2,
    "last_price": 100,
    "liquidity_ind": "t",
    "cost": 200,
    "order_type": "limit",
    "order_status": "partially_filled",
    "fees": [{"asset": "USDT", "qty": 0.2}],
    "timestamp": "2023-11-14T22:13:21.000000Z",
    **KRAKEN_FILLS,
}
KRAKEN_FILLED: Final = {"order_id": "7", "exec_type": "filled", "order_status": "filled", **KRAKEN_FILLS, "cum_qty": 3}
KRAKEN_CANCELED: Final = {"order_id": "7", "exec_type": "canceled", "order_status": "canceled", **KRAKEN_FILLS}


@pytest.mark.parametrize(
    ("frames", "orders", "trades"),
    [
        ([[KRAKEN_TRADE]], [("open", 2)], 1),
        ([[KRAKEN_NEW], [KRAKEN_TRADE]], [("open", None), ("open", 2)], 1),
        ([[KRAKEN_NEW, KRAKEN_TRADE]], [("open", 2)], 1),
        ([[KRAKEN_TRADE, KRAKEN_FILLED]], [("closed", 3)], 1),
        ([[KRAKEN_NEW], [KRAKEN_CANCELED]], [("open", None), ("canceled", 2)], 0),
    ],
    ids=["a trade first", "a trade later", "in one frame", "its end", "without its market"],
)
async def test_orders_and_trades_of_one_channel_are_kept_apart(
    frames: list[Any], orders: list[Any], trades: int
) -> None:
    """Kraken: ccxt takes a frame for what its first record is; what it does not see waits for an answer."""
    ccxt = opened("kraken")
    taker, client = Taker(ccxt), ccxt.client("ws://127.0.0.1:1")
    for rows in frames:
        client.handle_text_or_binary_message(json.dumps({"channel": "executions", "type": "update", "data": rows}))
    await ccxt.close()
    changes = [(order.status, order.filled) for order in taker.orders]
    assert [each for number, each in enumerate(changes) if each not in changes[:number]] == orders
    assert len(taker.trades) == trades
    assert all((trade.id, trade.price, trade.amount) == ("T1", 100, 2) for trade in taker.trades)


# "Balances": a snapshot tells of all wallets, an update of one.
KRAKEN_WALLETS: Final = [
    {"type": "spot", "id": "main", "balance": 300},
    {"type": "earn", "id": "flex", "balance": 200},
]
KRAKEN_BALANCES: Final = [
    {"type": "snapshot", "data": [{"asset": "USDT", "balance": 500, "wallets": KRAKEN_WALLETS}]},
    {"type": "update", "data": [{"asset": "USDT", "wallet_type": "spot", "wallet_id": "main", "balance": 290}]},
    {"type": "update", "data": [{"asset": "USDT", "wallet_type": "earn", "wallet_id": "flex", "balance": 210}]},
]


async def test_only_the_wallet_of_orders_counts() -> None:
    """Kraken: what is lent out or staked cannot be traded, and answers tell it apart."""
    ccxt = opened("kraken")
    taker, client = Taker(ccxt), ccxt.client("ws://127.0.0.1:1")
    for frame in KRAKEN_BALANCES:
        client.handle_text_or_binary_message(json.dumps({"channel": "balances", **frame}))
    await ccxt.close()
    assert [balances["USDT"].total for balances in taker.balances] == [300, 290, 290]


BITFINEX_BALANCES: Final = [
    [0, "ws", [["exchange", "UST", 300, 0, None], ["margin", "UST", 200, 0, None], ["exchange", "BTC", 1, 0, 1]]],
    [0, "wu", ["funding", "UST", 70, 0, 70, "Transfer", None]],
    [0, "wu", ["exchange", "UST", 290, 0, 250, "Trade", None]],
]


async def test_only_the_wallet_of_orders_counts_among_listed_ones() -> None:
    """Bitfinex: money for margin trading and what is lent out lies in wallets of the same currency."""
    ccxt = opened("bitfinex")
    taker, client = Taker(ccxt), ccxt.client("ws://127.0.0.1:1")
    for frame in BITFINEX_BALANCES:
        client.handle_text_or_binary_message(json.dumps(frame))
    await ccxt.close()
    held = [(balances["USDT"].total, balances["USDT"].free) for balances in taker.balances]
    assert held == [(300, None), (290, 250)]
    assert taker.balances[-1]["BTC"].free == 1


def test_balances_of_which_ccxt_reads_nothing_are_asked_for() -> None:
    """HTX: ccxt takes a record for a list; nothing would tell that a balance changed."""
    record = {"currency": "usdt", "accountId": 1, "balance": "300", "available": "290", "accountType": "trade"}
    taker = taken("htx", "handle_balance", ({"action": "push", "ch": "accounts.update#2", "data": record},))
    assert (taker.balances, taker.missed) == ([], [UNREAD])


# Contracts, "Order": a side says whether a position is opened or closed, too.
MEXC_CONTRACT: Final = {
    "symbol": "BTCUSDT",
    "orderId": "7",
    "price": 100,
    "vol": 2,
    "dealVol": 1,
    "remainVol": 1,
    "state": 2,
    "createTime": 1_700_000_000_000,
    "updateTime": 1_700_000_000_000,
}
MEXC_DEAL: Final = {"symbol": "BTCUSDT", "id": "42", "orderId": "7", "price": 100, "vol": 1, "positionMode": 1}


@pytest.mark.parametrize(("number", "side"), [(1, "buy"), (2, "buy"), (3, "sell"), (4, "sell")])
def test_what_closes_a_short_position_buys(number: int, side: str) -> None:
    """MEXC's contracts: ccxt calls it a sell, and knows no side of the others; in answers too."""
    ccxt = opened("mexc")
    market = {**ccxt.markets[SYMBOL], "type": "swap", "spot": False, "swap": True, "contract": True}
    ccxt.markets = None
    ccxt.set_markets([market])
    taker = Taker(ccxt)
    ccxt.handle_order(taker, {"channel": "push.personal.order", "data": {**MEXC_CONTRACT, "side": number}})
    deal = {**MEXC_DEAL, "side": number, "timestamp": 1_700_000_000_000}
    ccxt.handle_my_trade(taker, {"channel": "push.personal.order.deal", "data": deal})
    assert [order.side for order in taker.orders] == [side]
    assert [trade.side for trade in taker.trades] == [side]
    assert ccxt.parse_order({**MEXC_CONTRACT, "side": number}, market)["side"] == side


# "Subscribe Order Updates": of a market buy what was executed is a value.
HTX_FILL: Final = {
    "eventType": "trade",
    "symbol": "btcusdt",
    "tradePrice": "100",
    "tradeVolume": "2",
    "tradeTime": 1_700_000_000_000,
    "orderId": 7,
    "clientOrderId": "f",
    "orderStatus": "filled",
    "aggressor": True,
    "tradeId": 42,
}


@pytest.mark.parametrize(
    ("event", "filled", "cost"),
    [
        ({"type": "buy-market", "orderValue": "200", "execAmt": "200", "remainAmt": "0"}, None, 200),
        ({"type": "buy-limit", "orderSize": "2", "execAmt": "2", "remainAmt": "0"}, 2, None),
    ],
    ids=["by value", "by amount"],
)
def test_what_was_spent_is_no_amount(event: dict[str, Any], filled: int | None, cost: int | None) -> None:
    """HTX: what was filled never falls, so that a wrong number would stay."""
    [order] = taken("htx", "handle_order", ({"ch": "orders#btcusdt", "data": {**HTX_FILL, **event}},)).orders
    assert (order.id, order.status) == ("7", "closed")
    assert order.filled == filled
    assert order.cost == cost
