"""MEXC spot.

Source: MEXC's API v3 (github.com/mexcdevelop/apidocs, branch spot_v3_en): "Limits", "SIGNED", "New Order", "All
Orders", "Account Trade List", "How to properly maintain a local copy of the order book"; what ccxt does: ccxt 4.5.90.
"""

from typing import Final

from millrace_core.clock import DAY_MS
from millrace_core.names import ExchangeId
from millrace_exchange.misread_events import MisreadEvents
from millrace_exchange.order_ids import ClientOrderIds, ListAnswers, OpenOrderPages, RequiredFields
from millrace_exchange.profile import BookRules, ExchangeProfile, History, HistoryWindow, RateLimit, RequestLimits

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("mexc"),
    # newClientOrderId has no documented form.
    client_order_ids=ClientOrderIds(fetches=True, finds_closed=False, cancels=True),
    # ccxt asks for the open orders of all contracts, 100 at most, whichever is meant.
    lists=ListAnswers(
        rows_in=frozenset({"data", "resultList"}),
        balances_in=frozenset({"balances", "data"}),
        are_of_all_symbols=True,
    ),
    # ccxt makes up the id of a trade without one, and leaves out a balance without a currency.
    required=RequiredFields(trade={"orderId": frozenset({"id"})}, balance={"free": frozenset({"asset"})}),
    # "fromVersion … exactly equal to the toVersion + 1 of the previous message"; ccxt only leaves out old frames. It
    # asks for the default of 100 levels, and the stream has the whole book.
    book=BookRules(
        proof="sequence",
        checked_by="millrace",
        frame_numbers="version_range",
        snapshot_levels=100,
        unsubscribes=True,
        fetches_snapshot=True,
        # It would wait for 25 frames before it asks for the snapshot, and close the connection after three old ones.
        ccxt_options={"watchOrderBook": {"snapshotDelay": 0, "maxRetries": 10}},
    ),
    # "Current Open Orders" takes a symbol alone. Of contracts ccxt asks for 100.
    open_orders=OpenOrderPages(page=None, contracts=OpenOrderPages(page=100)),
    # "Spot Account Orders": `amount` is what the whole order is worth. "Spot Account Deals": ccxt looks for a field
    # `m`, and takes each trade for a taker's.
    misread=MisreadEvents(order={"cost": "cumulativeAmount"}, trade=frozenset({"takerOrMaker"})),
    # Contracts, "Order" and "Order deal": 1 open long, 2 close short, 3 open short, 4 close long. ccxt takes 2 for a
    # sell, as it is of public trades, and leaves 3 and 4 as they are.
    numbered_sides={"1": "buy", "2": "buy", "3": "sell", "4": "sell"},
    history=History(
        # "Only the transaction records in the past 1 month", 100 at most. A day at a time is always short enough.
        own_trades=HistoryWindow(reach_ms=30 * DAY_MS, width_ms=DAY_MS, page=100),
        # "You can query a maximum of the latest 7 days", 1,000 at most.
        closed_orders=HistoryWindow(reach_ms=7 * DAY_MS, width_ms=7 * DAY_MS, page=1_000),
    ),
    # As ccxt 4.5.90 builds the request: the amount stands in a field of its own, or with its unit.
    quote_amounts=frozenset({"buy", "sell"}),
    # There is no endpoint for it.
    edit="unsupported",
    cancels_all_of_symbol=True,
    requests=RequestLimits(
        # "Each endpoint with IP limits has an independent 500 every 10 second limit", the same by UID.
        limits=(
            RateLimit(name="IP", scope="ip", weight=500, window_ms=10_000),
            RateLimit(name="UID", scope="account", weight=500, window_ms=10_000),
        ),
        weights={
            "createOrder": 1,
            "cancelOrder": 1,
            "fetchOrder": 2,
            "fetchOpenOrders": 3,
            "fetchMyTrades": 10,
            "fetchClosedOrders": 10,
            "fetchBalance": 10,
            "fetchOrderBook": 1,
        },
        # "A Retry-After header is sent with a 418 or 429"; bans last 2 minutes to 3 days.
        ban_ms=120_000,
    ),
    # "If recvWindow is not sent, it defaults to 5000."
    recv_window_ms=5_000,
    unverified=frozenset(
        {
            "backend_ms",
            "client_order_ids.finds_closed",
            "client_order_ids.form",
            "client_order_ids.uniqueness",
            "history.closed_orders.full_page",
            "history.own_trades.full_page",
            "history.own_trades.width_ms",
            "ids.order",
            "open_orders.page",
        }
    ),
)
