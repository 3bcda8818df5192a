"""KuCoin spot.

Source: KuCoin's specification (github.com/Kucoin/kucoin-universal-sdk, spec/rest/api/openapi-spot-order.json and
openapi-spot-market.json), documentation page "Orderbook - Increment"; what ccxt does: ccxt 4.5.90.
"""

from dataclasses import replace
from typing import Final

from millrace_core.clock import DAY_MS, MINUTE_MS
from millrace_core.names import ExchangeId
from millrace_exchange.misread_events import MisreadEvents
from millrace_exchange.order_ids import ClientOrderIds, ListAnswers, OpenOrderPages, RequiredFields
from millrace_exchange.profile import (
    CONNECT,
    PUBLIC_ACTIONS,
    AccountKind,
    BookRules,
    ErrorRule,
    ExchangeProfile,
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

# "If the time period of the queried data exceeds one week …, the system will prompt"; "sorted in descending order".
# Accounts of the old kind get 50 fills a page.
_BY_WEEK: Final = HistoryWindow(width_ms=7 * DAY_MS, page=100, full_page="newest")

_MANAGEMENT: Final = frozenset({"fetchBalance"})
_PUBLIC: Final = PUBLIC_ACTIONS | {"watchOrderBook", "watchTrades", "watchTicker", "watchOHLCV"}
_SPOT: Final = frozenset(
    {
        *("createOrder", "cancelOrder", "cancelAllOrders", "editOrder"),
        *("fetchOrder", "fetchOpenOrders", "fetchClosedOrders", "fetchMyTrades"),
        *("watchOrders", "watchMyTrades", "watchBalance"),
    }
)
# www.kucoin.com/docs-new/rate-limit: what level VIP 0 has; each answer tells what is left of the pool that it used.
_POOL: Final = RateLimit(
    name="Spot",
    scope="account",
    weight=4_000,
    window_ms=30_000,
    actions=_SPOT,
    remaining_header="gw-ratelimit-remaining",
    # What ccxt asks for by itself while it follows a stream draws from other pools.
    limit_header="gw-ratelimit-limit",
    error_code="429000",
)

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("kucoin"),
    native_feed="kucoin_spot",
    # "Add Order", clientOid: letters, digits, - and _, 40 at most. The same one is accepted again (seen). "Get Order By
    # ClientOid" says of the old kind: "a single active order … does not exist or has been settled". A
    # cancel by it is answered without the exchange's id, so that the answer names no order.
    client_order_ids=ClientOrderIds(uniqueness="not_enforced", fetches=True, finds_closed=False, cancels=False),
    lists=ListAnswers(are_bare=False, rows_in=frozenset({"data", "items"}), balances_in=frozenset({"data"})),
    # ccxt takes an order that is not active for filled unless it says that it was canceled, and another number for the
    # id of a trade.
    required=RequiredFields(
        order=dict.fromkeys(("active", "isActive"), frozenset({"symbol", "side", "cancelExist", "dealSize"})),
        trade={"orderId": frozenset({"tradeId", "side"})},
        balance={"available": frozenset({"currency", "type"})},
    ),
    # The last event of a market order is `canceled`, whether anything was left or not.
    misread=MisreadEvents(value_left=("canceledFunds", "remainFunds")),
    # sequenceStart(new) ≤ sequenceEnd(old) + 1; ccxt compares nothing. Without keys ccxt asks for level2_100, and the
    # stream has the whole book.
    book=BookRules(
        proof="sequence",
        checked_by="millrace",
        frame_numbers="sequence_range",
        snapshot_levels=100,
        whole_with_keys=True,
        unsubscribes=True,
        fetches_snapshot=True,
        # It would wait for five frames before it asks for the snapshot, and close the connection, which other streams
        # share, after three that were too old.
        ccxt_options={"watchOrderBook": {"snapshotDelay": 0, "maxRetries": 10}},
        limits=frozenset({5, 20, 50, 100}),
        # "Get Part OrderBook": level2_20 and level2_100.
        snapshot_limits=frozenset({20, 100}),
    ),
    # The history of trades has their `sequence`, which the stream has as `sequence` and as `tradeId`. Its numbers
    # have gaps, so that nothing shows a lost trade; asking for the newest 100 weighs 3.
    # "Get Orders List" of a classic account: 50 a page under `items`, sortable by time alone; a high-frequency account
    # lists all, under `data`, and has to name the market: "Get Symbols With Open Order". Contracts are listed apart.
    open_orders=OpenOrderPages(
        page=50,
        next_by="oldest_time",
        parameter="until",
        paged_in="items",
        symbols_method="private_get_hf_orders_active_symbols",
    ),
    history=History(
        own_trades=_BY_WEEK,
        # hf/orders/done takes `limit`, which is 20 without it; ccxt sends `pageSize`.
        closed_orders=replace(_BY_WEEK, params={"limit": 100}),
        public_trades_id="sequence",
        public_trades_again_s=5.0,
        # Weight 3 of 2,000 in 30 s.
        candles_again_s=60.0,
    ),
    # As ccxt 4.5.90 builds the request: the amount stands in a field of its own, or with its unit.
    quote_amounts=frozenset({"buy", "sell"}),
    # POST /api/v1/hf/orders/alter: "Cancel the order and place a new order"; with a quantity below what was filled none
    # is placed, so the quantity counts all of the order. ccxt sends our id as that of the old order.
    edit="cancel_replace",
    edit_amount="total",
    edit_client_order_id="existing",
    cancels_all_of_symbol=True,
    account_kinds=(
        AccountKind(method="load_migration_status", options=("hf",), fields=frozenset({"data"})),
        AccountKind(method="is_uta_enabled", options=("uta",), fields=frozenset({"selfAccountMode"})),
    ),
    requests=RequestLimits(
        limits=(
            _POOL,
            replace(_POOL, name="Management", weight=2_000, actions=_MANAGEMENT),
            replace(_POOL, name="Public", scope="ip", weight=2_000, actions=_PUBLIC),
            # As the former documentation said; the present one names no number.
            RateLimit(
                name="Connections",
                scope="ip",
                weight=30,
                window_ms=60_000,
                counts="requests",
                actions=frozenset({CONNECT}),
            ),
        ),
        # x-api-rate-limit-weight of each.
        weights={
            "createOrder": 1,
            "cancelOrder": 1,
            "editOrder": 1,
            "fetchOrder": 2,
            "fetchOpenOrders": 2,
            "fetchMyTrades": 2,
            "fetchClosedOrders": 2,
            "fetchBalance": 5,
            "fetchOrderBook": 3,
            "fetchTrades": 3,
        },
        # ccxt's costs of spot endpoints are the weights.
        weight_per_cost=1,
        # "gw-ratelimit-reset": ms until the pool is full again, which is 30 s after the first request.
        reset_ms_header="gw-ratelimit-reset",
        ban_ms=30_000,
    ),
    # A bullet is said to be valid for 24 hours, and the connection with it; no page of the specification says so.
    connection_lifetime_ms=DAY_MS - 30 * MINUTE_MS,
    # Error 400002: "time differs from server time by more than 5 seconds".
    recv_window_ms=5_000,
    error_rules=(
        ErrorRule(
            code="126044",
            outcome="unknown",
            why="clientOid duplicate: an earlier attempt is there",
            actions=frozenset({"createOrder"}),
        ),
    ),
    unverified=frozenset(
        {
            "backend_ms",
            "connection_lifetime_ms",
            "history.closed_orders.reach_ms",
            "history.own_trades.reach_ms",
            "ids.order",
            "open_orders.paged_in",
            "requests.limits",
        }
    ),
)
