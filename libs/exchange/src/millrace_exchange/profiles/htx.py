"""HTX spot, formerly Huobi.

Source: HTX's spot API (github.com/huobiapi/docs, branch v1_en): "Place a New Order", "Search Match Results", "Search
Past Orders", "Market By Price (incremental update)"; announcement "HTX Will Update clientOrderId Rules for API" of
2021-04-27; what ccxt does: ccxt 4.5.90.
"""

from typing import Final

from millrace_core.clock import DAY_MS
from millrace_core.names import ExchangeId
from millrace_exchange.misread_events import MisreadEvents, ValuedOrders
from millrace_exchange.order_ids import ClientOrderIds, ListAnswers, OpenOrderPages, RequiredFields
from millrace_exchange.profile import (
    PUBLIC_ACTIONS,
    BookRules,
    ExchangeProfile,
    FeeFields,
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("htx"),
    # ccxt's former name of it.
    aliases=frozenset({ExchangeId("huobi")}),
    # client-order-id: letters, digits, - and _, 64 at most. "Uniqueness … will no longer be verified"; a question finds
    # the latest, and a closed one for 2 hours only. Of contracts ccxt takes integers alone: ours would stand in the
    # request under a name that HTX does not know.
    client_order_ids=ClientOrderIds(
        uniqueness="not_enforced", of_contracts=False, fetches=True, finds_closed=False, cancels=True
    ),
    lists=ListAnswers(
        are_bare=False, rows_in=frozenset({"data", "list", "orders", "trades"}), balances_in=frozenset({"data", "list"})
    ),
    # ccxt takes another number for the id of a trade, and leaves out balances without a currency or kind.
    required=RequiredFields(
        trade={"order-id": frozenset({"trade-id"})}, balance={"balance": frozenset({"currency", "type"})}
    ),
    # "Subscribe Order Updates": of a market buy `execAmt` and `remainAmt` are values.
    misread=MisreadEvents(valued_orders=ValuedOrders("type", "buy-market", "execAmt")),
    # prevSeqNum is the seqNum before. ccxt applies nothing that does not follow, on spot with an exception that ends
    # the reading of the socket (off by the option), on contracts without a word. 150 levels unless 5, 20 or 400 are
    # asked for.
    book=BookRules(
        proof="sequence",
        checked_by="millrace",
        frame_numbers="previous_sequence",
        ccxt_options={"watchOrderBook": {"checksum": False}},
        snapshot_levels=150,
        stream_levels=150,
        unsubscribes=True,
        limits=frozenset({5, 20, 150, 400}),
    ),
    # "Get All Open Orders": 100 unless up to 500 are asked for; from: the order to begin with; direct=next: downwards.
    # Of contracts, v5/trade/order/opens: "Pagination size defaults to 10, with a maximum limit of 100".
    open_orders=OpenOrderPages(
        page=100,
        next_by="oldest_id",
        parameter="from",
        params={"direct": "next"},
        contracts=OpenOrderPages(page=100, limit=100),
    ),
    history=History(
        # "The maximum size of the query window is 48 hour"; it goes back 120 days (ccxt) or 180 (documentation).
        own_trades=HistoryWindow(reach_ms=120 * DAY_MS, width_ms=2 * DAY_MS, page=500),
        # 48 hours within 180 days; those that were canceled are gone after 2 hours.
        closed_orders=HistoryWindow(reach_ms=180 * DAY_MS, width_ms=2 * DAY_MS, page=100),
    ),
    # v5/trade/order/details, of linear contracts: what a taker was charged is above zero; ccxt turns the sign, as of
    # other records, which name the currency otherwise.
    trade_fees=(FeeFields("", "fee_currency", "trade_fee"),),
    # As ccxt 4.5.90 builds the request: the amount stands in a field of its own, or with its unit.
    quote_amounts=frozenset({"buy"}),
    # A market buy has no amount of base there.
    spot_buys_by_cost=True,
    # ccxt cancels and then creates, in two requests: the second may fail after the first was done.
    edit="cancel_replace",
    edit_amount="remaining",
    edit_client_order_id="new",
    requests=RequestLimits(
        # "Rate Limit (NEW)": 100, 50 or 20 in 2 s for each endpoint; public ones 10 a second by IP.
        limits=(
            RateLimit(name="API key", scope="account", weight=100, window_ms=2_000),
            RateLimit(name="public", scope="ip", weight=10, window_ms=1_000, actions=PUBLIC_ACTIONS),
        ),
        weights={
            "createOrder": 1,
            "cancelOrder": 1,
            "editOrder": 2,
            "fetchOrder": 2,
            "fetchOpenOrders": 2,
            "fetchClosedOrders": 2,
            "fetchMyTrades": 5,
            "fetchBalance": 1,
            "fetchOrderBook": 1,
        },
        ban_ms=10_000,
    ),
    # "The value is valid within 5 minutes."
    recv_window_ms=300_000,
    unverified=frozenset(
        {
            "backend_ms",
            "history.closed_orders.full_page",
            "history.own_trades.full_page",
            "ids.order",
            "open_orders.params",
            "requests.ban_ms",
        }
    ),
)
