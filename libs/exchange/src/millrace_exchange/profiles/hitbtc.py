"""HitBTC.

Source: HitBTC's API v3 (hitbtc.com/api): "Place new spot order", "Subscribe to full order book",
"Rate limits"; github.com/hitbtc-com/hitbtc-api, issue 125; what ccxt does: ccxt 4.5.90.
"""

from typing import Final

from millrace_core.names import ExchangeId
from millrace_exchange.order_ids import ClientOrderIds, ListAnswers, OpenOrderPages
from millrace_exchange.profile import (
    PUBLIC_ACTIONS,
    BookRules,
    ExchangeProfile,
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("hitbtc"),
    # A subclass in ccxt, the same API under another host.
    aliases=frozenset({ExchangeId("bequant")}),
    # client_order_id: 8 to 32 characters. It is ccxt's id of the order too; as a parameter it takes the place of the
    # id. ccxt's fetch_order asks the history, and returns an order without an id if there is none.
    client_order_ids=ClientOrderIds(
        parameters=("clientOrderId", "client_order_id"), fetches=True, finds_closed=False, cancels=True
    ),
    lists=ListAnswers(are_bare=True, hold_one_order=True),
    # Each update has the next `s`; ccxt compares nothing. Channel orderbook/full has the whole book.
    book=BookRules(proof="sequence", checked_by="millrace", frame_numbers="book_sequence"),
    # "Get all active spot orders" takes a symbol alone.
    open_orders=OpenOrderPages(page=None),
    history=History(
        # ccxt's `features`: 1,000 rows, however long ago.
        own_trades=HistoryWindow(page=1_000),
        closed_orders=HistoryWindow(page=1_000),
    ),
    # ccxt sends PATCH spot/order/{client_order_id}, with our id in the place of that. HitBTC cancels the order first,
    # and places the new one if it can (hitbtc-com/hitbtc-api #125).
    edit="cancel_replace",
    edit_client_order_id="existing",
    # ccxt makes "failed" of HitBTC's "expired".
    order_statuses={"failed": "expired"},
    cancels_all_of_symbol=True,
    requests=RequestLimits(
        # Trading 300 a second for each user, history 20 (ccxt) or 10; books 30 for each IP (ccxt).
        limits=(
            RateLimit(name="trading", scope="account", weight=300, window_ms=1_000),
            RateLimit(name="market data", scope="ip", weight=30, window_ms=1_000, actions=PUBLIC_ACTIONS),
        ),
        weights={"fetchOrder": 30, "fetchClosedOrders": 30, "fetchMyTrades": 30, "fetchBalance": 30},
        ban_ms=10_000,
    ),
    # ccxt signs a time, without a window.
    recv_window_ms=60_000,
    unverified=frozenset(
        {
            "backend_ms",
            "client_order_ids.finds_closed",
            "client_order_ids.uniqueness",
            "edit_amount",
            "history.closed_orders.full_page",
            "history.own_trades.full_page",
            "ids.order",
            "open_orders.page",
            "recv_window_ms",
            "requests",
        }
    ),
)
