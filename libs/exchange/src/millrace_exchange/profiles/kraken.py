"""Kraken spot.

Source: docs.kraken.com: "Spot Client Order Identifiers", "Amend Order", "Spot REST Rate Limits", "Get Trades History",
"Book (v2)"; what ccxt does: ccxt 4.5.90.
"""

from typing import Final

from millrace_core.names import ExchangeId
from millrace_exchange.misread_events import MisreadEvents, MixedEvents
from millrace_exchange.order_ids import ClientOrderIds, IdScopes, ListAnswers, OpenOrderPages, RequiredFields
from millrace_exchange.profile import (
    BookRules,
    ExchangeProfile,
    FeeFields,
    History,
    HistoryWindow,
    RateLimit,
    RequestLimits,
)

# "50 results are returned at a time, the most recent by default".
_BY_FIFTY: Final = HistoryWindow(page=50, full_page="newest")

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("kraken"),
    # cl_ord_id: a UUID, its 32 hex digits, or 18 characters of text; unique across open orders. ccxt's fetch_order
    # sends it as `userref` and then looks for the empty id: it raises OrderNotFound whatever Kraken knows.
    client_order_ids=ClientOrderIds(uniqueness="open_orders", fetches=False, finds_closed=False, cancels=True),
    # "Comparing Order Identifiers": Kraken's ids are unique over all clients.
    ids=IdScopes(order="exchange"),
    lists=ListAnswers(
        are_bare=False,
        are_of_all_symbols=True,
        rows_in=frozenset({"closed", "open", "trades"}),
        balances_in=frozenset({"result"}),
    ),
    # An order or a trade without its pair is none of the symbol's to ccxt, which leaves it out.
    required=RequiredFields(
        order={"opentm": frozenset({"descr"}), "ordertype": frozenset({"pair", "type"})},
        trade={"ordertxid": frozenset({"pair", "type"})},
    ),
    # CRC-32 of the best 10, in every frame. ccxt's option watchOrderBook.checksum must stay off: its check calls
    # split() on a float and ends the connection at the first book (seen). 10 levels unless 25, 100, 500 or
    # 1,000 are asked for.
    book=BookRules(
        proof="checksum",
        checked_by="millrace",
        checksum_form="padded_decimals",
        proved_levels=10,
        snapshot_levels=10,
        stream_levels=10,
        limits=frozenset({10, 25, 100, 500, 1_000}),
    ),
    # "Get Open Orders" takes neither a limit nor a place to begin.
    open_orders=OpenOrderPages(page=None, covers="account"),
    # "Executions". ccxt takes `order_userref` for our id, what was filled for the amount where that is not said, and
    # dollars for the currency of the fees.
    misread=MisreadEvents(
        order={
            "clientOrderId": "cl_ord_id",
            "amount": "order_qty",
            "filled": "cum_qty",
            "fee": None,
            "fees": None,
        },
        # Only the first record of an order names its market. A trade says how much of its order is filled by then.
        mixed=MixedEvents("executions", "exec_type", "trade", "order_id", "symbol", "cum_qty"),
        # "Balances": ccxt takes the sum over all wallets, or any wallet's, for what is there for orders; its answers
        # tell the wallets apart.
        wallet=("spot", "main"),
    ),
    history=History(own_trades=_BY_FIFTY, closed_orders=_BY_FIFTY),
    # Channel `executions`, fees: a list of asset and qty; ccxt takes the first.
    trade_fees=(FeeFields("fees", "asset", "qty"),),
    # The same channel, fee_usd_equiv: what all fees are worth in USD. Answers to questions have what was charged.
    fee_worth="fee_usd_equiv",
    # As ccxt 4.5.90 builds the request: the amount stands in a field of its own, or with its unit.
    quote_amounts=frozenset({"buy", "sell"}),
    # ccxt sends AmendOrder: the identifiers stay; a quantity below what was filled cancels the rest, so it counts all.
    edit="amend",
    # AmendOrder, post_only: "an optional flag for limit_price amends", false unless sent.
    amends_to_taking=True,
    edit_amount="total",
    edit_client_order_id="existing",
    requests=RequestLimits(
        # Tier "Starter": counter up to 15, minus 0.33/s. Orders count in the engine's own counter for each pair.
        limits=(RateLimit(name="API counter", scope="account", weight=15, window_ms=45_000),),
        weights={
            "createOrder": 0,
            "cancelOrder": 0,
            "editOrder": 0,
            "fetchOrder": 1,
            "fetchOpenOrders": 1,
            "fetchClosedOrders": 1,
            "fetchBalance": 1,
            "fetchMyTrades": 2,
        },
        ban_ms=15_000,
    ),
    # A nonce, no time; `deadline` could limit the validity, ccxt sends none.
    recv_window_ms=0,
    unverified=frozenset(
        {
            "backend_ms",
            "open_orders.page",
            "requests.ban_ms",
        }
    ),
)
