"""Gate, spot first.

Source: Gate's API v4 (github.com/gateio/gateapi-python, docs/SpotApi.md, docs/Order.md), page "Spot WebSocket v4,
Order book v2"; what ccxt does: ccxt 4.5.90.
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
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("gate"),
    # gateio is ccxt's former name of it, gateeu a subclass with another host.
    aliases=frozenset({ExchangeId("gateio"), ExchangeId("gateeu")}),
    # Order.md, text: "prefixed with t-", then 28 bytes of 0-9 A-Z a-z _ - . at most. SpotApi.md: "custom IDs can only
    # be checked in pending orders". ccxt's cancel_order knows no clientOrderId; Gate takes ours in place of the id.
    client_order_ids=ClientOrderIds(form="base62", prefix="t-", fetches=True, finds_closed=False, cancels=False),
    lists=ListAnswers(are_bare=True, are_of_all_symbols=True),
    # ccxt takes a trade without a side for a buy.
    required=RequiredFields(trade={"currency_pair": frozenset({"id", "side"})}),
    # ccxt subscribes to spot.obu with 50 levels, whose U and u it never compares (seen: up to 29 wrong books). It does
    # on futures. "If U ≠ local depth ID + 1, the depth data is not continuous" (announcement 45317).
    book=BookRules(
        proof="sequence",
        checked_by="millrace",
        frame_numbers="update_range",
        snapshot_levels=50,
        stream_levels=50,
        unsubscribes=True,
    ),
    # "List all open orders": 100 of each pair in one page; page counts from 1.
    open_orders=OpenOrderPages(page=100, next_by="number", parameter="page"),
    history=History(
        # list_my_trades: with `from` alone "only 7-day data from the start"; with both at most 30 days.
        own_trades=HistoryWindow(width_ms=7 * DAY_MS, page=1_000),
        # list_orders, finished; ccxt's `features` have a window of 30 days.
        closed_orders=HistoryWindow(width_ms=30 * DAY_MS, page=100),
    ),
    # As ccxt 4.5.90 builds the request: the amount stands in a field of its own, or with its unit.
    quote_amounts=frozenset({"buy"}),
    # A market buy has no amount of base there.
    spot_buys_by_cost=True,
    # Order.md, finish_as, which ccxt takes for the status; of contracts also the last four.
    order_statuses=dict.fromkeys(
        (
            *("poc", "fok", "stp", "small", "depth_not_enough", "trader_not_enough", "liquidate_cancelled"),
            *("price_protect_cancelled", "reduce_only", "position_closed", "reduce_out", "auto_deleveraged"),
        ),
        "canceled",
    ),
    # amend_order: a quantity below what was filled cancels the rest, so it counts all. ccxt passes our id on as it is.
    edit="amend",
    edit_amount="total",
    edit_client_order_id="none",
    cancels_all_of_symbol=True,
    # A key may lack the permission to read about its account; ccxt takes it for one of the old kind then.
    account_kinds=(
        AccountKind(
            method="load_unified_status",
            options=("unifiedAccount",),
            fields=frozenset({"mode"}),
            refusals=frozenset({"FORBIDDEN"}),
        ),
    ),
    requests=RequestLimits(
        # ccxt's pace: 20 a second, its costs the weights (orders on spot cost 0.4).
        limits=(RateLimit(name="private", scope="account", weight=20, window_ms=1_000),),
        ban_ms=10_000,
    ),
    # Requests carry a time in s; x-gate-exptime could limit the validity, ccxt sends none.
    recv_window_ms=60_000,
    error_rules=(
        # ccxt takes this for an InvalidOrder, and its text has no "duplicate".
        ErrorRule(
            code="REPEATED_CREATION",
            outcome="unknown",
            why="an earlier attempt under the same text is there",
            actions=frozenset({"createOrder"}),
        ),
    ),
    unverified=frozenset(
        {
            "backend_ms",
            "client_order_ids.uniqueness",
            "history.closed_orders.reach_ms",
            "history.own_trades.reach_ms",
            "ids.order",
            "recv_window_ms",
            "requests.ban_ms",
            "requests.limits",
        }
    ),
)
