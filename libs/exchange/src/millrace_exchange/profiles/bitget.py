"""Bitget, spot first.

Source: www.bitget.com/api-doc: spot/trade/Place-Order, Cancel-Replace-Order, Cancel-Order, Get-Fills,
Get-History-Orders; what ccxt does: ccxt 4.5.90.
"""

from typing import Final

from millrace_core.clock import DAY_MS
from millrace_core.names import ExchangeId
from millrace_exchange.misread_events import MisreadEvents
from millrace_exchange.order_ids import ClientOrderIds, ListAnswers, OpenOrderPages, RequiredFields
from millrace_exchange.profile import (
    AccountKind,
    BookRules,
    ExchangeProfile,
    FeeFields,
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

_BY_QUARTER: Final = HistoryWindow(reach_ms=90 * DAY_MS, width_ms=90 * DAY_MS, page=100)

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("bitget"),
    # clientOid: "custom order ID"; a second one is refused ("idempotency duplication"), for how long is not said.
    client_order_ids=ClientOrderIds(fetches=True, finds_closed=False, cancels=True),
    lists=ListAnswers(
        are_bare=False,
        rows_in=frozenset({"data", "entrustedList", "fillList", "list", "orderList"}),
        balances_in=frozenset({"data", "list"}),
    ),
    # ccxt leaves out a balance without a currency.
    required=RequiredFields(balance={"frozen": frozenset({"coin"})}),
    # ccxt takes the `equity` of a unified account for the total, and `totalAmount` of a margin account.
    net_totals={"fetchBalance": "equity"},
    # Channel `books`: "All levels of depth", books1, books5 and books15 "snapshot each time". `seq` "is incrementing",
    # by how much is not said, so it shows no loss. ccxt checks a CRC-32 of the best 25 where a frame has one (option
    # watchOrderBook.checksum, on by default); the documentation knows it no more. ccxt has a method to unsubscribe, but
    # its `has` does not say so.
    book=BookRules(whole_frame_limits=frozenset({1, 5, 15})),
    # "Get Current Orders": "limit number default 100 max 100"; idLessThan: those before this order.
    open_orders=OpenOrderPages(page=100, next_by="oldest_id", parameter="idLessThan"),
    # A rebate is a fee of the other sign; ccxt leaves the sign out of what is streamed.
    misread=MisreadEvents(order={"fee": None, "fees": None}, trade=frozenset({"fee", "fees"})),
    history=History(
        # Get-Fills, Get-History-Orders: "within 90 days", an interval of 90 days at most, 100 rows.
        own_trades=_BY_QUARTER,
        closed_orders=_BY_QUARTER,
    ),
    # "Get Order Info", feeDetail: JSON of the fees by coin, below 0, beside `newFees`; ccxt takes the first coin.
    order_fees=(FeeFields("feeDetail", "feeCoinCode", "totalFee", is_negative=True),),
    # As ccxt 4.5.90 builds the request: the amount stands in a field of its own, or with its unit.
    quote_amounts=frozenset({"buy"}),
    # A market buy has no amount of base there.
    spot_buys_by_cost=True,
    # ccxt sends cancel-replace-order on spot, and our id as that of the old order. It is not said whether the amount
    # counts what was filled.
    edit="cancel_replace",
    edit_client_order_id="existing",
    cancels_all_of_symbol=True,
    # ccxt asks for the settings of a unified account; 40084 says "Classic Account mode".
    account_kinds=(
        AccountKind(
            method="handle_uta_and_params",
            options=("uta",),
            fields=frozenset({"code", "data"}),
            refusals=frozenset({"40084"}),
        ),
    ),
    requests=RequestLimits(
        # Limits by UID for each endpoint: 20, 10 or 5 a second.
        limits=(RateLimit(name="UID", scope="account", weight=20, window_ms=1_000),),
        weights={
            "createOrder": 2,
            "cancelOrder": 2,
            "editOrder": 4,
            "fetchOrder": 1,
            "fetchOpenOrders": 1,
            "fetchClosedOrders": 1,
            "fetchMyTrades": 2,
            "fetchBalance": 2,
            "fetchOrderBook": 1,
        },
        ban_ms=10_000,
    ),
    recv_window_ms=60_000,
    unverified=frozenset(
        {
            "backend_ms",
            "client_order_ids.finds_closed",
            "client_order_ids.form",
            "client_order_ids.uniqueness",
            "edit_amount",
            "history.closed_orders.full_page",
            "history.own_trades.full_page",
            "ids.order",
            "net_totals",
            "recv_window_ms",
            "requests.ban_ms",
        }
    ),
)
