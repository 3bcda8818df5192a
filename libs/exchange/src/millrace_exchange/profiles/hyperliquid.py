"""Hyperliquid.

Source: hyperliquid.gitbook.io, "For developers, API": "Exchange endpoint", "Info endpoint", "Nonces and API wallets",
"Rate limits and user limits"; github.com/nautechsystems/nautilus_trader, issues 3831 and 3986; what ccxt does: ccxt
4.5.90.
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
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("hyperliquid"),
    # cloid: 128 bits as hex digits after 0x. orderStatus takes it in place of the oid.
    client_order_ids=ClientOrderIds(prefix="0x", fetches=True, finds_closed=False, cancels=True),
    lists=ListAnswers(are_bare=True, are_of_all_symbols=True, balances_in=frozenset({"assetPositions", "balances"})),
    # An order or a trade without its market is none of the symbol's to ccxt, which leaves it out, as it does a balance
    # without a currency.
    required=RequiredFields(
        order={"limitPx": frozenset({"coin", "side", "oid"})},
        trade={"px": frozenset({"coin", "side", "tid"})},
        balance={"hold": frozenset({"coin"})},
    ),
    # l2Book: each frame is the book, 20 levels a side at most.
    book=BookRules(
        proof="none",
        checked_by="nobody",
        whole_frames=True,
        snapshot_levels=20,
        stream_levels=20,
        unsubscribes=True,
    ),
    # frontendOpenOrders takes neither a limit nor a place to begin. Without `dex` it lists spot and the first of the
    # exchanges of perpetuals; coins of the others are written `<dex>:<coin>`.
    open_orders=OpenOrderPages(page=None, covers="account", apart=":"),
    # WsFill: `feeToken`. ccxt reads it in answers, and takes USDC for it in the stream.
    misread=MisreadEvents(fee_currency="feeToken"),
    history=History(
        # There is no request for them: ccxt's fetch_trades asks for `userFills`, those of one account.
        answers_public_trades=False,
        # userFillsByTime: "at most 2000 fills per response and only the 10000 most recent fills are available".
        own_trades=HistoryWindow(page=2_000),
        # historicalOrders: "at most 2000 most recent historical orders".
        closed_orders=HistoryWindow(page=2_000, full_page="newest"),
    ),
    # "Query order status": "Canceled due to exceeding scheduled cancel deadline".
    order_statuses={"scheduledCancel": "canceled"},
    # ccxt sends batchModify: the order is canceled, and a new one with another oid has our id and all of the size that
    # is given (nautilus_trader #3831, #3986).
    edit="cancel_replace",
    edit_amount="remaining",
    edit_client_order_id="new",
    # ccxt asks clearinghouseState, of perpetuals; spot has a wallet of its own.
    balances="contracts",
    # userAbstraction: a text. Of a unified account ccxt asks for the balances of spot.
    account_kinds=(
        AccountKind(
            method="is_unified_enabled",
            options=("enableUnifiedMargin",),
            words=frozenset({"unifiedAccount", "portfolioMargin", "disabled", "default", "dexAbstraction"}),
        ),
    ),
    requests=RequestLimits(
        limits=(RateLimit(name="REST weight", scope="ip", weight=1_200, window_ms=60_000),),
        # Fills and old orders weigh 20 and 1 for every 20 rows: 120 at most.
        weights={
            "createOrder": 1,
            "cancelOrder": 1,
            "editOrder": 1,
            "fetchOrder": 2,
            "fetchOpenOrders": 20,
            "fetchClosedOrders": 120,
            "fetchMyTrades": 120,
            "fetchBalance": 2,
            "fetchOrderBook": 2,
        },
        ban_ms=60_000,
    ),
    # "Nonces must be within (T - 2 days, T + 1 day)": a request that was lost on the way may be done 2 days later.
    # `expiresAfter` could limit that, ccxt sends none for orders.
    recv_window_ms=2 * DAY_MS,
    unverified=frozenset(
        {
            "backend_ms",
            "client_order_ids.finds_closed",
            "client_order_ids.uniqueness",
            "history.own_trades.full_page",
            "history.own_trades.reach_ms",
            "ids.order",
            "open_orders.page",
            "requests.ban_ms",
        }
    ),
)
