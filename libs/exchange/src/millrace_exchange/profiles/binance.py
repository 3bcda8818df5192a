"""Binance spot.

Source: Binance's spot API documentation (github.com/binance/binance-spot-api-docs): rest-api.md, errors.md,
web-socket-streams.md, web-socket-api.md; what ccxt does: ccxt 4.5.90.
"""

from typing import Final

from millrace_core.clock import DAY_MS, MINUTE_MS
from millrace_core.names import ExchangeId
from millrace_exchange.order_ids import ClientOrderIds, IdScopes, ListAnswers, OpenOrderPages, RequiredFields
from millrace_exchange.profile import (
    CONNECT,
    BookRules,
    ErrorRule,
    ExchangeProfile,
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

_BY_DAY: Final = HistoryWindow(width_ms=DAY_MS, page=1_000)

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("binance"),
    native_feed="binance_spot",
    # rest-api.md, "New order": 1 to 36 of A-Z a-z 0-9 - _, "a unique id among open orders"; "Query order" asks the
    # database too, so it finds closed ones.
    client_order_ids=ClientOrderIds(
        uniqueness="open_orders", fetches=True, finds_closed=True, cancels=True, in_cancels="origClientOrderId"
    ),
    # Order ids count per symbol. A self-trade is a buy and a sell under one trade id. Trade ids have no hole (seen).
    ids=IdScopes(order="symbol", own_trade="trade_and_order", numbers_public_trades=True),
    lists=ListAnswers(are_bare=True, balances_in=frozenset({"balances", "userAssets"})),
    # ccxt takes `executedQty` that is missing for 0, and `isBuyer` for false.
    required=RequiredFields(
        order={"orderId": frozenset({"symbol", "side", "type", "status", "price", "origQty", "executedQty"})},
        trade={"isBuyer": frozenset({"symbol", "id", "price", "qty", "isBuyer"})},
        balance={"free": frozenset({"asset"})},
    ),
    # web-socket-streams.md, "How to manage a local order book correctly"; ccxt compares U and u. It asks for 1,000
    # levels where no depth is asked for (option watchOrderBookLimit); the diff stream has the whole book.
    book=BookRules(
        proof="sequence",
        checked_by="ccxt",
        frame_numbers="event_range",
        snapshot_levels=1_000,
        unsubscribes=True,
    ),
    # "Individual Symbol Book Ticker Streams": u, "order book updateId".
    best_prices_number="u",
    # "Current open orders", openOrders: no limit, no pages. Without a symbol ccxt asks for spot orders whatever its
    # option `defaultType` says, but not whatever `defaultSubType` says.
    open_orders=OpenOrderPages(page=None, of_account=({"type": "spot", "subType": "none"},)),
    history=History(
        # "Account trade list", "All orders": startTime to endTime 24 hours at most. Which rows a full answer holds
        # is not said.
        own_trades=_BY_DAY,
        closed_orders=_BY_DAY,
        public_trades=HistoryWindow(page=1_000),
        # ccxt asks for aggregated trades by default, whose ids are not those of the stream. historicalTrades, from an
        # id on, needs a key.
        public_trades_params={"fetchTradesMethod": "publicGetTrades"},
        public_trades_after_id=True,
        # Weight 2 of 6,000 in a minute.
        candles_again_s=60.0,
        public_trades_after_params={"fetchTradesMethod": "publicGetHistoricalTrades"},
    ),
    # As ccxt 4.5.90 builds the request: the amount stands in a field of its own, or with its unit.
    quote_amounts=frozenset({"buy", "sell"}),
    trigger_orders=True,
    # Order endpoint, "New order": neither size, price nor kind of the order depends on these.
    free_parameters=frozenset({"selfTradePrevention", "selfTradePreventionMode", "strategyId", "strategyType"}),
    # ccxt sends POST /api/v3/order/cancelReplace: the new order has the amount that is given, under our new id (seen:
    # 14 bought instead of 10). "cancelRestrictions: ONLY_NEW - Cancel will succeed if the order status is NEW".
    edit="cancel_replace",
    edit_amount="remaining",
    edit_if_unfilled={"cancelRestrictions": "ONLY_NEW"},
    edit_client_order_id="new",
    # "Order Amend Keep Priority": a smaller quantity, which counts what was filled.
    reduces=True,
    # ccxt calls TAKE_PROFIT_LIMIT and STOP_LOSS_LIMIT `limit`, and makes a STOP_LOSS_LIMIT of that.
    kind_field="type",
    kept_fields=("icebergQty", "selfTradePreventionMode", "strategyId", "strategyType", "trailingDelta"),
    # "Cancel order": of an order list all orders are canceled together, and the answer is the list.
    order_list_field="orderListId",
    # Self-trade prevention, mode DECREMENT: both orders lose the amount of the match, and `origQty` stays.
    prevented_field="preventedQuantity",
    cancels_all_of_symbol=True,
    # ccxt's create_order_ws and edit_order send unified parameters beside Binance's own; unknown ones are -1104.
    order_parameters={
        "clientOrderId": "newClientOrderId",
        "cost": "quoteOrderQty",
        "triggerPrice": "stopPrice",
        "selfTradePrevention": "selfTradePreventionMode",
    },
    post_only_type="LIMIT_MAKER",
    # web-socket-api.md: the same answers as REST, over one connection.
    order_transport="websocket",
    request_socket="/ws-api/",
    # web-socket-streams.md: "A single connection … is only valid for 24 hours"; an earlier end is announced.
    connection_lifetime_ms=DAY_MS - 30 * MINUTE_MS,
    farewell_event="serverShutdown",
    event_methods={"depthUpdate": "handle_order_book", "trade": "handle_trade", "aggTrade": "handle_trade"},
    # Asking for the open orders of all symbols is meant, whatever it weighs: ccxt refuses it otherwise.
    ccxt_options={"warnOnFetchOpenOrdersWithoutSymbol": False},
    # user-data-stream.md, "Balance update": a difference; `outboundAccountPosition` follows with the balance.
    balance_difference_events=frozenset({"balanceUpdate"}),
    requests=RequestLimits(
        # exchangeInfo, `rateLimits`; the headers X-MBX-USED-WEIGHT-* and X-MBX-ORDER-COUNT-* report the use.
        # web-socket-streams.md: "300 connections per attempt every 5 minutes per IP".
        limits=(
            RateLimit(
                name="REQUEST_WEIGHT",
                scope="ip",
                weight=6_000,
                window_ms=60_000,
                used_header="X-MBX-USED-WEIGHT-1M",
            ),
            RateLimit(name="RAW_REQUESTS", scope="ip", weight=61_000, window_ms=300_000, counts="requests"),
            RateLimit(
                name="CONNECTIONS",
                scope="ip",
                weight=300,
                window_ms=300_000,
                counts="requests",
                actions=frozenset({CONNECT}),
            ),
            # "Unfilled Order Count": an order that trades is taken off again, so the exchange never counts more than
            # this. A 429 with -1015 has no Retry-After and concerns the account's new orders alone.
            RateLimit(
                name="ORDERS",
                scope="account",
                weight=100,
                window_ms=10_000,
                counts="requests",
                actions=frozenset({"createOrder", "editOrder"}),
                used_header="X-MBX-ORDER-COUNT-10S",
                error_code="-1015",
            ),
        ),
        # "Weight" of each endpoint. ccxt's costs are these weights but for trades; open orders of all symbols weigh 80,
        # a book of 5,000 levels 250. A connection to the WebSocket API weighs 2, and so does its user data stream.
        weights={
            "createOrder": 1,
            "cancelOrder": 1,
            "editOrder": 1,
            "fetchOrder": 4,
            "fetchOpenOrders": 6,
            "fetchMyTrades": 20,
            "fetchClosedOrders": 20,
            "fetchBalance": 20,
            "fetchTrades": 25,
            "fetchOrderBook": 50,
            "watchOrders": 2,
            "watchMyTrades": 2,
            "watchBalance": 2,
            CONNECT: 2,
        },
        # ccxt waits 50 ms for a cost of 1, and a weight of 1 is 10 ms of 6,000 a minute.
        weight_per_cost=5,
        # "IP Limits": Retry-After comes with 429 and 418; bans last 2 minutes to 3 days.
        ban_ms=120_000,
    ),
    # "APIs have a timeout of 10 seconds"; "Timing security": recvWindow is 5,000 unless sent.
    backend_ms=10_000,
    recv_window_ms=5_000,
    # -2010 is missing on purpose: "Duplicate order sent." has that code too, and means that an earlier attempt is
    # there.
    error_rules=(
        ErrorRule(code="-1006", outcome="unknown", why="unexpected response; execution status unknown"),
        ErrorRule(code="-1007", outcome="unknown", why="timeout; send status unknown; execution status unknown"),
        ErrorRule(code="-1021", outcome="retryable", why="timestamp outside of the recvWindow"),
        ErrorRule(
            code="-2011",
            outcome="rejected",
            why="cancel rejected",
            actions=frozenset({"cancelOrder", "cancelAllOrders"}),
        ),
        # ccxt reports a key that was revoked after it had worked as a rate limit.
        ErrorRule(code="-2015", outcome="fatal", why="invalid API key, IP, or permissions for action"),
        ErrorRule(code="-2013", outcome="rejected", why="order does not exist", actions=frozenset({"fetchOrder"})),
        # "Cancel an existing order and send a new order": `data` says what became of each half.
        ErrorRule(
            code="-2021",
            outcome="rejected",
            why="cancel-replace: the order was canceled, its replacement was refused",
            actions=frozenset({"editOrder"}),
            where={"data.cancelResult": "SUCCESS", "data.newOrderResult": "FAILURE"},
        ),
        ErrorRule(
            code="-2021",
            outcome="unknown",
            why="cancel-replace: only one half was done",
            actions=frozenset({"editOrder"}),
        ),
        ErrorRule(
            code="-2022",
            outcome="rejected",
            why="cancel-replace: neither half was done",
            actions=frozenset({"editOrder"}),
        ),
    ),
    # ORDERS: 100 in 10 s is what exchangeInfo says today; the documentation's own example differs.
    unverified=frozenset({"requests.limits", "history.own_trades.full_page", "history.closed_orders.full_page"}),
)
