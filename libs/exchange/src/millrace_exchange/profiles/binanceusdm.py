"""Binance USD-M futures.

Source: developers.binance.com, "USDⓈ-M Futures": "Modify Order", "Account Trade List", "All Orders", change log of
2026-08-26; error codes and weights as in ccxt 4.5.90.
"""

from typing import Final

from millrace_core.clock import DAY_MS, MINUTE_MS
from millrace_core.names import ExchangeId
from millrace_exchange.order_ids import ClientOrderIds, IdScopes, ListAnswers, OpenOrderPages, RequiredFields
from millrace_exchange.profile import (
    BookRules,
    ErrorRule,
    ExchangeProfile,
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("binanceusdm"),
    # An order that was canceled without a fill is gone after 3 days ("All Orders"): long after any settlement.
    client_order_ids=ClientOrderIds(fetches=True, finds_closed=True, cancels=True),
    ids=IdScopes(order="symbol", own_trade="trade_and_order"),
    lists=ListAnswers(are_bare=True, balances_in=frozenset({"assets", "positions"})),
    # ccxt takes `executedQty` that is missing for 0.
    required=RequiredFields(
        order={"orderId": frozenset({"symbol", "side", "type", "status", "price", "origQty", "executedQty"})},
        trade={"orderId": frozenset({"symbol", "id", "price", "qty", "side"})},
        balance={"marginBalance": frozenset({"asset"})},
    ),
    # "How to manage a local order book correctly": pu equals the previous u; ccxt compares them. Snapshots have 1,000
    # levels at most.
    book=BookRules(
        proof="sequence",
        checked_by="ccxt",
        frame_numbers="event_range",
        snapshot_levels=1_000,
        unsubscribes=True,
    ),
    # "Current All Open Orders", openOrders: no limit, no pages.
    open_orders=OpenOrderPages(page=None, covers="account"),
    history=History(
        # "cannot be longer than 7 days", "only support querying trade in the past 3 months".
        own_trades=HistoryWindow(reach_ms=90 * DAY_MS, width_ms=7 * DAY_MS, page=1_000),
        # Orders older than 90 days are gone; ccxt's `features` have a window of 7 days.
        closed_orders=HistoryWindow(reach_ms=90 * DAY_MS, width_ms=7 * DAY_MS, page=500),
    ),
    # ccxt sends PUT /fapi/v1/order, and our id as origClientOrderId. A partly filled order is canceled if the new
    # quantity is not above executedQty: so the quantity counts all of the order.
    # "Websocket Market Streams": "A single connection is only valid for 24 hours".
    connection_lifetime_ms=DAY_MS - 30 * MINUTE_MS,
    # "User Data Streams", listenKeyExpired: nothing of the account comes any more over the connection, which stands.
    farewell_event="listenKeyExpired",
    free_parameters=frozenset({"selfTradePrevention"}),
    edit="amend",
    edit_amount="total",
    edit_client_order_id="existing",
    event_methods={"depthUpdate": "handle_order_book", "trade": "handle_trade", "aggTrade": "handle_trade"},
    ccxt_options={"warnOnFetchOpenOrdersWithoutSymbol": False},
    cancels_all_of_symbol=True,
    # It lists USD-M contracts alone, whose money is in a wallet of its own.
    balances="contracts",
    requests=RequestLimits(
        # What ccxt keeps to; Binance is said to allow twice as much.
        limits=(
            RateLimit(
                name="REQUEST_WEIGHT",
                scope="ip",
                weight=1_200,
                window_ms=60_000,
                used_header="X-MBX-USED-WEIGHT-1M",
            ),
        ),
        # ccxt's costs; "Account Trade List" says 5. Open orders of all symbols weigh 40.
        weights={
            "createOrder": 1,
            "cancelOrder": 1,
            "editOrder": 1,
            "fetchOrder": 1,
            "fetchOpenOrders": 1,
            "fetchMyTrades": 5,
            "fetchClosedOrders": 5,
            "fetchBalance": 5,
            "fetchOrderBook": 20,
        },
        weight_per_cost=1,
        ban_ms=120_000,
    ),
    recv_window_ms=5_000,
    # The numbers mean something else than on spot.
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
        ErrorRule(code="-2021", outcome="rejected", why="order would immediately trigger"),
        ErrorRule(code="-2022", outcome="rejected", why="ReduceOnly order is rejected"),
        ErrorRule(
            code="-4116",
            outcome="unknown",
            why="clientOrderId is duplicated: an earlier attempt is there",
            actions=frozenset({"createOrder"}),
        ),
    ),
    unverified=frozenset(
        {
            "backend_ms",
            "client_order_ids.uniqueness",
            "history.own_trades.full_page",
            "ids.order",
            "requests.limits",
        }
    ),
)
