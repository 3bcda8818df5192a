"""Coinbase Advanced Trade.

Source: docs.cdp.coinbase.com, Advanced Trade API: "Create order", "Edit order", "List fills", "REST API rate limits",
"WebSocket overview"; what ccxt does: ccxt 4.5.90.
"""

from typing import Final

from millrace_core.names import ExchangeId
from millrace_exchange.misread_events import MisreadEvents
from millrace_exchange.order_ids import ClientOrderIds, ListAnswers, OpenOrderPages, RequiredFields
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
    exchange=ExchangeId("coinbase"),
    # "If the ID provided is not unique, the order will not be created and the order corresponding with that ID will be
    # returned instead." ccxt translates nothing, and asks for and cancels orders by Coinbase's id alone.
    client_order_ids=ClientOrderIds(
        uniqueness="returns_first",
        parameters=("clientOrderId", "client_order_id"),
        fetches=False,
        finds_closed=False,
        cancels=False,
    ),
    lists=ListAnswers(
        are_bare=False, rows_in=frozenset({"fills", "orders"}), balances_in=frozenset({"accounts", "data"})
    ),
    # ccxt leaves out balances without a kind or an amount.
    required=RequiredFields(
        balance={
            "hold": frozenset({"type", "available_balance"}),
            "available_balance": frozenset({"type", "hold"}),
            "value": frozenset({"currency"}),
        }
    ),
    # "List Products", alias_to: BTC-USDC has the book of BTC-USD, whose name comes over the socket (ccxt).
    aliased_channels=frozenset({"l2_data", "market_trades", "ticker", "ticker_batch"}),
    # sequence_num counts all frames of a connection; ccxt compares nothing. Channel level2 has the whole book. ccxt has
    # a method to unsubscribe, but its `has` does not say so.
    book=BookRules(proof="sequence", checked_by="millrace", frame_numbers="connection_sequence"),
    # "List Orders": ccxt asks for 100; `cursor` of the answer is that of the next page.
    # Without product_type: of all.
    open_orders=OpenOrderPages(page=100, next_by="cursor", parameter="cursor", cursor="cursor", covers="account"),
    # Channel "user": it has no size of the order. ccxt takes `cumulative_quantity` for that.
    misread=MisreadEvents(order={"amount": None}),
    history=History(own_trades=HistoryWindow(page=100), closed_orders=HistoryWindow(page=100)),
    # As ccxt 4.5.90 builds the request: the amount stands in a field of its own, or with its unit.
    quote_amounts=frozenset({"buy"}),
    # A market buy has no amount of base there.
    spot_buys_by_cost=True,
    # ccxt sends "Close position" in place of the order, with the amount under a name that Coinbase does not know.
    reduce_only_orders=False,
    # "Edit order": a new size or price, of limit orders that are good till canceled only.
    edit="amend",
    requests=RequestLimits(
        # 30 a second for each user, 10 a second for each IP on public endpoints.
        limits=(
            RateLimit(name="private", scope="account", weight=30, window_ms=1_000),
            RateLimit(name="public", scope="ip", weight=10, window_ms=1_000, actions=PUBLIC_ACTIONS),
        ),
        ban_ms=10_000,
    ),
    # ccxt signs each request with a token that expires after 120 s.
    recv_window_ms=120_000,
    unverified=frozenset(
        {
            "backend_ms",
            "client_order_ids.form",
            "edit_amount",
            "history.closed_orders",
            "history.own_trades",
            "ids.order",
            "requests.ban_ms",
        }
    ),
)
