"""Bitfinex.

Source: docs.bitfinex.com: "Submit Order", "WS Inputs, New Order", "WS Inputs, Update Order", "Trades", "Books",
"Requirements and Limitations"; what ccxt does: ccxt 4.5.90.
"""

from typing import Final

from millrace_core.names import ExchangeId
from millrace_exchange.misread_events import MisreadEvents
from millrace_exchange.order_ids import ClientOrderIds, ListAnswers, OpenOrderPages, RequiredFields
from millrace_exchange.profile import BookRules, ExchangeProfile, History, HistoryWindow, RateLimit, RequestLimits

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("bitfinex"),
    # cid: int45, "should be unique in the day (UTC) (not enforced)". ccxt asks by Bitfinex's id alone, and needs the
    # day of the order to cancel it by ours.
    client_order_ids=ClientOrderIds(
        form="int45", uniqueness="not_enforced", fetches=False, finds_closed=False, cancels=False
    ),
    lists=ListAnswers(are_bare=True),
    # ccxt takes an order without an amount for a buy: the sign tells the side. Places in the lists: id, symbol, amount
    # left, amount, type, status, price; id, symbol, order, amount, price; kind, currency, balance.
    required=RequiredFields(
        order={16: frozenset({0, 3, 6, 7, 8, 13, 16})},
        trade={10: frozenset({0, 1, 3, 4, 5})},
        balance={4: frozenset({0, 1, 2})},
    ),
    # CRC-32 of the best 25, in a frame of its own behind the changes. ccxt asks for it after its first call returned,
    # which a followed stream never does; after a wrong one it takes the next change for a whole book, since its new
    # subscription is refused as a double. 25 levels unless 100 are asked for.
    book=BookRules(
        proof="checksum",
        checked_by="millrace",
        checksum_form="signed_pairs",
        proved_levels=25,
        ccxt_options={"checksum": False},
        snapshot_levels=25,
        stream_levels=25,
        unsubscribes=True,
        limits=frozenset({25, 100}),
    ),
    # "Retrieve Orders" takes neither a limit nor a place to begin, nor a kind of market.
    open_orders=OpenOrderPages(page=None, covers="account"),
    # "Trades" of an account: the fee is below zero where it was charged; ccxt turns that of answers alone.
    # "Wallets" tells of all wallets; orders on spot use that of the kind "exchange".
    misread=MisreadEvents(fees_are_changes=True, listed_wallet="exchange"),
    history=History(
        # ccxt: 25 unless a limit is sent, 2,500 at most (its own comment on trades says 1,000).
        own_trades=HistoryWindow(page=1_000),
        closed_orders=HistoryWindow(page=2_500),
    ),
    # "Orders", status: "POSTONLY CANCELED", "IOC CANCELED", "FILLORKILL CANCELED"; ccxt looks up the first word alone.
    # In the stream it knows fewer.
    order_statuses={
        **dict.fromkeys(("POSTONLY", "IOC", "FILLORKILL", "INSUFFICIENT"), "canceled"),
        **dict.fromkeys(("RSN_DUST", "RSN_PAUSE"), "rejected"),
    },
    # "Adjust the remaining amount to 0.1": the order keeps its id, what was filled is not counted. AMOUNT_ORIG is the
    # amount "before any update", so that nothing shows what a later edit would have to add.
    edit="amend",
    edit_amount="left_out",
    requests=RequestLimits(
        # 10 to 90 a minute by endpoint; books 240.
        limits=(RateLimit(name="REST", scope="ip", weight=90, window_ms=60_000),),
        # An IP is blocked for 10 to 60 s.
        ban_ms=60_000,
    ),
    # A nonce, no time.
    recv_window_ms=0,
    unverified=frozenset(
        {
            "backend_ms",
            "edit_client_order_id",
            "history.closed_orders",
            "history.own_trades",
            "ids.order",
            "open_orders.page",
            "requests.limits",
        }
    ),
)
