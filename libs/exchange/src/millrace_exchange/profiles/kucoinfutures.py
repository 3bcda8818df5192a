"""KuCoin futures.

Source: KuCoin's specification (github.com/Kucoin/kucoin-universal-sdk, spec/rest/api/openapi-futures-order.json and
openapi-futures-market.json), documentation page "Orderbook - Increment"; what ccxt does: ccxt 4.5.90.
"""

from typing import Final

from millrace_core.clock import DAY_MS
from millrace_core.names import ExchangeId
from millrace_exchange.order_ids import ClientOrderIds, ListAnswers, OpenOrderPages, RequiredFields
from millrace_exchange.profile import (
    AccountKind,
    BookRules,
    ExchangeProfile,
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("kucoinfutures"),
    # "Add Order", clientOid: letters, digits, - and _, 40 at most.
    client_order_ids=ClientOrderIds(fetches=True, finds_closed=False, cancels=True),
    lists=ListAnswers(are_bare=False, rows_in=frozenset({"data", "items"}), balances_in=frozenset({"data"})),
    # ccxt takes an order that is not active for filled unless it says that it was canceled, and another number for the
    # id of a trade.
    required=RequiredFields(
        order=dict.fromkeys(("active", "isActive"), frozenset({"symbol", "side", "cancelExist", "filledSize"})),
        trade={"orderId": frozenset({"tradeId", "side"})},
    ),
    # Each frame has the next `sequence`; ccxt compares nothing. It asks for the whole book (level2/snapshot).
    book=BookRules(
        proof="sequence",
        checked_by="millrace",
        frame_numbers="sequence_range",
        unsubscribes=True,
        limits=frozenset({5, 20, 50, 100}),
    ),
    # "Get Order List": 50 a page, newest first.
    open_orders=OpenOrderPages(page=50, next_by="oldest_time", parameter="until", covers="account"),
    history=History(
        # pageSize "cannot exceed 1000"; ccxt's `features` have a window of 7 days. Of orders ccxt asks for no size: 50.
        own_trades=HistoryWindow(width_ms=7 * DAY_MS, page=1_000),
        closed_orders=HistoryWindow(width_ms=7 * DAY_MS, page=50),
    ),
    # As ccxt 4.5.90 builds the request: the amount stands in a field of its own, or with its unit.
    quote_amounts=frozenset({"buy", "sell"}),
    quote_amounts_of_contracts=True,
    # ccxt: "editOrder() supports spot markets only", though its `has` says otherwise.
    edit="unsupported",
    cancels_all_of_symbol=True,
    # ccxt asks account-overview, of contracts.
    balances="contracts",
    account_kinds=(AccountKind(method="is_uta_enabled", options=("uta",), fields=frozenset({"selfAccountMode"})),),
    requests=RequestLimits(
        limits=(RateLimit(name="Futures", scope="account", weight=2_000, window_ms=30_000),),
        # x-api-rate-limit-weight of each.
        weights={
            "createOrder": 2,
            "cancelOrder": 1,
            "fetchOrder": 5,
            "fetchOpenOrders": 2,
            "fetchMyTrades": 5,
            "fetchClosedOrders": 2,
            "fetchBalance": 5,
            "fetchOrderBook": 3,
        },
        reset_ms_header="gw-ratelimit-reset",
        ban_ms=30_000,
    ),
    # Error 400002: "time differs from server time by more than 5 seconds".
    recv_window_ms=5_000,
    unverified=frozenset(
        {
            "backend_ms",
            "client_order_ids.finds_closed",
            "client_order_ids.uniqueness",
            "history.closed_orders",
            "history.own_trades",
            "ids.order",
            "requests.limits",
        }
    ),
)
