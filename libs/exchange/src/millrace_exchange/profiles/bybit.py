"""Bybit, all markets of its v5 API.

Source: Bybit's documentation (github.com/bybit-exchange/docs, docs/v5): order/create-order, amend-order, cancel-order,
open-order, order-list, execution, websocket/public/orderbook, rate-limit, error, guide; what ccxt does: ccxt 4.5.90.
"""

from typing import Final

from millrace_core.clock import DAY_MS
from millrace_core.names import ExchangeId
from millrace_exchange.order_ids import ClientOrderIds, ListAnswers, OpenOrderPages, RequiredFields
from millrace_exchange.profile import (
    AccountKind,
    BookRules,
    ErrorRule,
    ExchangeProfile,
    FeeFields,
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

_CREATES: Final = frozenset({"createOrder"})

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("bybit"),
    # Subclasses in ccxt, the same API and documentation.
    aliases=frozenset({ExchangeId("bybiteu"), ExchangeId("bybitid")}),
    # create-order, orderLinkId: letters, digits, - and _, 36 at most, "always unique". ccxt translates clientOrderId
    # for createOrder and editOrder alone. open-order keeps the newest 500 closed orders, and forgets them on a restart.
    client_order_ids=ClientOrderIds(
        uniqueness="always",
        parameters=("clientOrderId", "orderLinkId"),
        fetches=True,
        finds_closed=False,
        cancels=True,
    ),
    lists=ListAnswers(are_bare=False, rows_in=frozenset({"list"}), balances_in=frozenset({"coin", "list"})),
    # ccxt takes what is left of a canceled order, which is 0, for what was not filled of it; terms of the order for
    # those of a trade; and `locked` that is missing for 0.
    required=RequiredFields(
        order={"createdTime": frozenset({"symbol", "side", "qty", "cumExecQty", "orderStatus"})},
        trade={"execId": frozenset({"symbol", "side", "execPrice", "execQty"})},
        balance={"walletBalance": frozenset({"coin", "locked"})},
    ),
    # Each frame has the next `u`, a snapshot starts again; ccxt compares nothing. It subscribes to 50 levels.
    book=BookRules(
        proof="sequence",
        checked_by="millrace",
        frame_numbers="update_id",
        snapshot_levels=50,
        stream_levels=50,
        unsubscribes=True,
        limits=frozenset({1, 50, 200, 1_000}),
    ),
    # "Get Open & Closed Orders": 20 unless up to 50 are asked for; of one category, and of linear contracts of one
    # settling coin; ccxt asks for linear ones in USDT unless it is told, and cannot ask for inverse ones of all coins.
    open_orders=OpenOrderPages(
        page=20,
        next_by="cursor",
        parameter="cursor",
        cursor="nextPageCursor",
        params={"limit": 50},
        of_account=(
            {"type": "spot"},
            {"type": "swap", "subType": "linear", "settleCoin": "USDT"},
            {"type": "swap", "subType": "linear", "settleCoin": "USDC"},
        ),
    ),
    history=History(
        # execution: 2 years, "endTime - startTime <= 7 days", descending. A lone startTime means 7 days from there.
        own_trades=HistoryWindow(reach_ms=730 * DAY_MS, width_ms=7 * DAY_MS, page=100, full_page="newest"),
        # order-list: the same; those that were canceled without a fill are gone after 7 days.
        closed_orders=HistoryWindow(reach_ms=730 * DAY_MS, width_ms=7 * DAY_MS, page=50),
    ),
    # guide: a unified account has one wallet. Of a classic one ccxt asks for that of contracts.
    balances="account",
    # wallet-balance: equity = walletBalance - spotBorrow + unrealised profit. ccxt's total is the equity in the stream.
    net_totals={"watchBalance": "equity"},
    # cumFeeDetail: "Cumulative trading fee details", by coin; ccxt takes the first.
    order_fees=(FeeFields("cumFeeDetail"),),
    # As ccxt 4.5.90 builds the request: the amount stands in a field of its own, or with its unit.
    quote_amounts=frozenset({"buy", "sell"}),
    # marketUnit: without it a buy is sized in quote currency.
    spot_units={"base": {"marketUnit": "baseCoin"}, "quote": {"marketUnit": "quoteCoin"}},
    # amend-order: "order quantity after modification". ccxt sends our id as a name of the order.
    edit="amend",
    edit_amount="total",
    edit_client_order_id="existing",
    # ccxt asks that one knows that fetchOrder sees the newest 500 orders only.
    ccxt_options={"fetchOrder": {"acknowledged": True}},
    cancels_all_of_symbol=True,
    account_kinds=(
        AccountKind(
            method="is_unified_enabled",
            options=("enableUnifiedMargin", "enableUnifiedAccount"),
            fields=frozenset({"unified", "uta", "unifiedMarginStatus"}),
        ),
    ),
    requests=RequestLimits(
        # rate-limit: by IP, and by account for each endpoint: 10/s for orders (20/s on spot).
        limits=(
            RateLimit(name="HTTP IP limit", scope="ip", weight=600, window_ms=5_000),
            RateLimit(name="API rate limit", scope="account", weight=10, window_ms=1_000),
        ),
        # X-Bapi-Limit-Reset-Timestamp is a time, not a wait. After "403, access too frequent": 10 minutes.
        ban_ms=600_000,
    ),
    # guide: server_time - recv_window ≤ timestamp, 5,000 unless sent. Acknowledgements are asynchronous.
    recv_window_ms=5_000,
    error_rules=(
        ErrorRule(
            code="110072",
            outcome="unknown",
            why="OrderLinkedID is duplicate: an earlier attempt is there",
            actions=_CREATES,
        ),
        ErrorRule(
            code="170141",
            outcome="unknown",
            why="duplicate clientOrderId: an earlier attempt is there",
            actions=_CREATES,
        ),
    ),
    unverified=frozenset(
        {
            "backend_ms",
            "history.closed_orders.full_page",
            "ids.order",
            "requests.weights",
        }
    ),
)
