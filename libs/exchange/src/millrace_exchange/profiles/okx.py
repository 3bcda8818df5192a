"""OKX, all markets of its v5 API.

Source: OKX's API guide (www.okx.com/docs-v5): "Place order", "Amend order", "Order details", "Order history (last 7
days)", "Transaction details (last 3 months)", "WS / Order book channel"; what ccxt does: ccxt 4.5.90.
"""

from typing import Final

from millrace_core.clock import DAY_MS
from millrace_core.names import ExchangeId
from millrace_exchange.misread_events import MisreadEvents
from millrace_exchange.order_ids import ClientOrderIds, ListAnswers, OpenOrderPages, RequiredFields
from millrace_exchange.profile import (
    BookRules,
    ErrorRule,
    ExchangeProfile,
    FeeFields,
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("okx"),
    # Subclasses in ccxt, the same API under other hosts.
    aliases=frozenset({ExchangeId("myokx"), ExchangeId("okxus")}),
    # clOrdId: letters and digits, 32 at most; a second one is refused (51016), for how long is not said. Orders that
    # were canceled without a fill can be asked for during 2 hours.
    client_order_ids=ClientOrderIds(fetches=True, finds_closed=False, cancels=True),
    lists=ListAnswers(are_bare=False, rows_in=frozenset({"data"}), balances_in=frozenset({"data", "details"})),
    # ccxt leaves out a balance without a currency.
    required=RequiredFields(balance={"eq": frozenset({"ccy"})}),
    # prevSeqId is the seqId before; ccxt compares them. The checksum is always 0 since June 2026. Channel `books`.
    book=BookRules(proof="sequence", checked_by="ccxt", snapshot_levels=400, stream_levels=400, unsubscribes=True),
    # "Order List", orders-pending: limit 100; after: "records earlier than the requested ordId".
    # Without instType: of all.
    open_orders=OpenOrderPages(page=100, next_by="oldest_id", parameter="after", covers="account"),
    # Channel "orders": `fillFee` is below zero where it was charged. ccxt takes the cost of all its order's fills for a
    # trade's.
    misread=MisreadEvents(trade=frozenset({"cost"}), fees_are_changes=True),
    history=History(
        # ccxt asks fills-history: 3 months, 100 a page, and sends no limit together with `since`.
        own_trades=HistoryWindow(reach_ms=90 * DAY_MS, page=100),
        # ccxt asks orders-history: "completed orders which are placed in the last 7 days".
        closed_orders=HistoryWindow(reach_ms=7 * DAY_MS, page=100),
    ),
    # "Order details": fee, in feeCcy, is below 0; rebate, in rebateCcy, is what a maker of spot gets. ccxt has the fee.
    order_fees=(
        FeeFields(currency="feeCcy", cost="fee", is_negative=True),
        FeeFields(currency="rebateCcy", cost="rebate", is_negative=True),
    ),
    # "Get balance": of the trading account, for spot and contracts.
    balances="account",
    # "newSz should include the amount that has been filled". ccxt sends our id as a name of the order.
    # tgtCcy: without it a buy is sized in quote currency; ccxt says base unless an account's options say otherwise.
    quote_amounts=frozenset({"buy"}),
    spot_units={"base": {"tgtCcy": "base_ccy"}, "quote": {"tgtCcy": "quote_ccy"}},
    free_parameters=frozenset({"selfTradePrevention"}),
    edit="amend",
    edit_amount="total",
    edit_client_order_id="existing",
    requests=RequestLimits(
        # "60 requests per 2 seconds"; ccxt's costs are the weights: 40, 20 and 10 in 2 s weigh more.
        limits=(RateLimit(name="User ID", scope="account", weight=60, window_ms=2_000),),
        weights={
            "createOrder": 1,
            "cancelOrder": 1,
            "editOrder": 1,
            "fetchOrder": 1,
            "fetchOpenOrders": 1,
            "fetchClosedOrders": 2,
            "fetchOrderBook": 2,
            "fetchMyTrades": 6,
            "fetchBalance": 6,
        },
        ban_ms=10_000,
    ),
    # Error 50102 is "timestamp request expired"; after how long is not confirmed.
    recv_window_ms=60_000,
    error_rules=(
        ErrorRule(
            code="51016",
            outcome="unknown",
            why="duplicated client order ID: an earlier attempt is there",
            actions=frozenset({"createOrder"}),
        ),
    ),
    unverified=frozenset(
        {
            "backend_ms",
            "client_order_ids.uniqueness",
            "history.own_trades.full_page",
            "ids.order",
            "recv_window_ms",
        }
    ),
)
