"""Binance spot.

Sources: Binance's spot API documentation, pages "General information on endpoints" (security, limits), "Trading
endpoints", "WebSocket streams" and "Error codes".
"""

from typing import Final

from millrace_core.names import ExchangeId
from millrace_exchange.profile import (
    BookFeed,
    ClientOrderIds,
    ErrorRule,
    ExchangeProfile,
    History,
    HistoryWindow,
    IdScopes,
    RateLimit,
    RequestLimits,
)

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("binance"),
    # 1 to 36 of A-Z a-z 0-9 - _; unique among open orders only.
    client_order_ids=ClientOrderIds(uniqueness="open_orders"),
    # Order ids count per symbol. A self-trade is a buy and a sell under one trade id.
    ids=IdScopes(order="symbol", own_trade="trade_and_order", numbers_public_trades=True),
    # "How to manage a local order book correctly": U ≤ last u + 1; ccxt checks it.
    book=BookFeed(proof="sequence", checked_by="ccxt", snapshot_levels=5_000, unsubscribes=True),
    # By default ccxt asks for aggregated trades, whose ids are not those of the stream.
    history=History(
        own_trades=HistoryWindow(page=1_000),
        public_trades=HistoryWindow(page=1_000),
        public_trades_params={"fetchTradesMethod": "publicGetTrades"},
        public_trades_after_id=True,
        public_trades_after_params={"fetchTradesMethod": "publicGetHistoricalTrades"},
    ),
    # ccxt's edit_order is POST /api/v3/order/cancelReplace.
    edit="cancel_replace",
    # ccxt's create_order_ws sends its unified parameters beside Binance's own; unknown parameters are -1104.
    order_parameters={"clientOrderId": "newClientOrderId", "cost": "quoteOrderQty", "triggerPrice": "stopPrice"},
    post_only_type="LIMIT_MAKER",
    order_transport="websocket",
    request_socket="/ws-api/",
    # exchangeInfo, `rateLimits`; over the WebSocket API one request weighs 1 as well.
    requests=RequestLimits(
        limits=(RateLimit(name="REQUEST_WEIGHT", scope="ip", weight=6_000, window_ms=60_000),),
    ),
    # "User data streams": the balance itself follows in `outboundAccountPosition`.
    balance_difference_events=frozenset({"balanceUpdate"}),
    # "Error codes", and "Cancel an existing order and send a new order" for the two halves of -2021.
    error_rules=(
        # ccxt reports a key that was revoked after it had worked as a rate limit.
        ErrorRule(code="-2015", outcome="fatal", why="the key, its IP or its permissions are refused"),
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
)
