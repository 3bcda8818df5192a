"""What a tenant did: orders with their history, failures with their reasons."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from millrace_core.ids import MessageId
from millrace_core.market import Balance, ExchangePosition, Fee, Trade
from millrace_core.messages import RequestError, Response, Status, encode
from millrace_core.names import ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import Order
from millrace_core.trace import Trace
from millrace_store import AmbiguousOrder, Place, Scope, Store

SCOPE = Scope(Tenant("T"))
REQUEST = "a" * 32


def order(id_: str, **fields: Any) -> Order:
    return Order(id_, "KCS/USDT", side="buy", type="limit", price=Decimal("1.10"), amount=Decimal(5), **fields)


@pytest.fixture
async def traded(store: Store, journal: Any, name: Callable[..., StreamName]) -> Store:
    """A store in which one order was requested, placed, filled in two steps, and another tenant has the same id."""
    requests, answers = journal("T.traderActions"), journal(name("createOrder"))
    pushes, fills = journal(name("watchOrders")), journal(name("watchMyTrades"))
    payload = {"symbol": "KCS/USDT", "orderSource": "James", "amountBase": 5}
    async with store.batch() as batch:
        made = {"action": "createOrder", "requestId": REQUEST, "exchangeId": "kucoin", "payload": payload}
        batch.request(requests.next(), encode(made), made)
        opened = order("7", status="open", filled=Decimal(0), timestamp=1_000)
        trace = Trace(decided=100, accepted=150, sent=175, acknowledged=300)
        batch.response(answers.next(), Response(REQUEST, "done", opened, "James"), trace)
        for filled, status in ((2, "open"), (5, "closed")):
            batch.orders(
                pushes.next(pushes.epoch + 1_000 * filled),
                [order("7", status=status, filled=Decimal(filled), timestamp=1_000)],
            )
        for number, amount in enumerate((2.0, 3.0, 3.0)):
            trade = Trade(f"t{min(number, 1)}", 5_000, "KCS/USDT", "buy", 1.1, amount, order="7")
            fees = Fee("USDT", 0.001), Fee("GT", 0.5)
            batch.own_trades(fills.next(), [replace(trade, fees=fees) if number else replace(trade, fee=fees[0])])
        batch.orders(journal(name("watchOrders", tenant="OTHER")).next(), [order("7", status="open")])
    return store


@pytest.mark.parametrize("ids", [{"order_id": "7"}, {"request_id": REQUEST}])
async def test_an_order_has_its_whole_history(traded: Store, ids: dict[str, str]) -> None:
    """By the order's id or the request's: what was asked, answered, happened and traded, and how long each hop took."""
    history = await traded.account.order_history(SCOPE, **ids)
    assert history is not None
    assert history.order is not None
    assert (history.order.order.status, history.order.order_source, history.order.request_id) == (
        "closed",
        "James",
        REQUEST,
    )
    assert [request.order_source for request in history.requests] == ["James"]
    (answer,) = history.responses
    assert answer.latencies == {"decided→accepted": 50, "accepted→sent": 25, "sent→acknowledged": 125}
    assert [event.order.filled for event in history.events] == [0, 2, 5]
    assert [(fill.id, fill.amount, fill.fee_cost, fill.fees_by_currency) for fill in history.fills] == [
        ("t0", 2, Decimal("0.001"), None),
        ("t1", 3, None, {"USDT": Decimal("0.001"), "GT": Decimal("0.5")}),
    ]


async def test_a_cancellation_is_part_of_the_history(
    traded: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """A request that names the order by its answer belongs to the history, and the order stays its maker's."""
    async with traded.batch() as batch:
        cancel = {"requestId": "c" * 32, "payload": {}}
        batch.request(journal("T.traderActions", 1_760_000_050_000).next(), encode(cancel), cancel)
        canceled = Response("c" * 32, "done", order("7", status="closed"), "Ann")
        batch.response(journal(name("cancelOrder")).next(), canceled, Trace())
    history = await traded.account.order_history(SCOPE, order_id="7")
    assert history is not None
    assert [request.request_id for request in history.requests] == [REQUEST, "c" * 32]
    assert history.order is not None
    assert (history.order.request_id, history.order.order_source) == (REQUEST, "James")


@pytest.fixture
async def twins(store: Store, journal: Any, name: Callable[..., StreamName]) -> Store:
    """A store in which two symbols of one exchange, and another exchange, each have an order 7."""
    async with store.batch() as batch:
        for exchange, symbol in (("binance", "A/B"), ("binance", "C/D"), ("kucoin", "A/B")):
            of, request = f"{exchange} {symbol}", f"r {exchange} {symbol}"
            requests = journal("T.traderActions", 1_760_000_050_000 + len(batch.written))
            batch.request(requests.next(), b"{}", {"requestId": request, "exchangeId": exchange})
            answers, pushes = (journal(name(one, symbol, exchange=exchange)) for one in ("createOrder", "watchOrders"))
            batch.response(answers.next(), Response(request, "done", Order("7", symbol), of), Trace())
            # Of the stream's symbol, though it names none.
            batch.orders(pushes.next(), [Order("7", status="open", client_order_id=of)])
            fills = journal(name("watchMyTrades", symbol, exchange=exchange))
            batch.own_trades(fills.next(), [Trade("t", 5, symbol, "buy", 1.0, 1.0, order="7")])
        whole = journal(name("cancelAllOrders", None, exchange="binance"))
        canceled = [Order("7", symbol, status="canceled", client_order_id="all") for symbol in ("A/B", "C/D")]
        batch.response(whole.next(), Response("x", "done", orders=canceled), Trace())
        batch.response(whole.next(), Response("y", "done", orders=[Order("7", status="canceled")]), Trace())
    return store


async def test_orders_that_share_a_number_are_apart(twins: Store) -> None:
    """Each has its own row, history and fills; an order without a known symbol is not joined with them."""
    rows = (await twins.account.orders(SCOPE)).rows
    assert {(row.exchange, row.symbol, row.order_source) for row in rows} == {
        ("binance", "A/B", "binance A/B"),
        ("binance", "C/D", "binance C/D"),
        ("binance", None, None),
        ("kucoin", "A/B", "kucoin A/B"),
    }
    pages, cursor = [], None
    while len(pages) < len(rows):
        page = await twins.account.orders(SCOPE, limit=1, cursor=cursor)
        pages, cursor = pages + page.rows, page.next_cursor
    assert pages == rows
    for symbol in ("A/B", "C/D"):
        of = SCOPE._replace(exchange=ExchangeId("binance"), symbol=Symbol(symbol))
        by_request = await twins.account.order_history(SCOPE, request_id=f"r binance {symbol}")
        history = await twins.account.order_history(of, order_id="7")
        assert history is not None
        assert by_request == history
        assert history.order is not None
        assert (history.order.symbol, history.order.order.status) == (symbol, "canceled")
        assert [request.request_id for request in history.requests] == [f"r binance {symbol}"]
        assert [answer.order_source for answer in history.responses] == [f"binance {symbol}"]
        events = [event.order.client_order_id for event in history.events]
        assert (len(events), set(events)) == (3, {None, f"binance {symbol}", "all"})
        assert [(fill.exchange, fill.symbol) for fill in history.fills] == [("binance", symbol)]
        own = await twins.account.own_trades(SCOPE._replace(source=f"binance {symbol}"))
        assert [(fill.exchange, fill.symbol) for fill in own.rows] == [("binance", symbol)]


async def test_a_number_of_several_orders_is_ambiguous(twins: Store) -> None:
    """Without its symbol none of them is given; where exchange or symbol leave one, that one is."""
    for scope in (SCOPE, SCOPE._replace(exchange=ExchangeId("binance")), SCOPE._replace(symbol=Symbol("A/B"))):
        with pytest.raises(AmbiguousOrder, match="A/B on binance"):
            await twins.account.order_history(scope, order_id="7")
    history = await twins.account.order_history(SCOPE._replace(exchange=ExchangeId("kucoin")), order_id="7")
    assert history is not None
    assert history.order is not None
    assert history.order.exchange == "kucoin"
    assert await twins.account.order_history(SCOPE._replace(symbol=Symbol("E/F")), order_id="7") is None


async def test_fills_alone_make_a_number_ambiguous_too(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """Of orders that are known by what they traded alone, one is never given with the fills of another."""
    async with store.batch() as batch:
        for symbol in ("A/B", "C/D"):
            fills = journal(name("watchMyTrades", symbol))
            batch.own_trades(fills.next(), [Trade("t", 5, symbol, "buy", 1.0, 1.0, order="7")])
    with pytest.raises(AmbiguousOrder):
        await store.account.order_history(SCOPE, order_id="7")
    history = await store.account.order_history(SCOPE._replace(symbol=Symbol("C/D")), order_id="7")
    assert history is not None
    assert [fill.symbol for fill in history.fills] == ["C/D"]


async def test_another_tenant_knows_nothing(traded: Store) -> None:
    """Another tenant sees no history of the same order id; an unknown order has no history."""
    other = await traded.account.order_history(Scope(Tenant("OTHER")), order_id="7")
    assert other is not None
    assert (len(other.events), other.requests, other.responses, other.fills) == (1, [], [], [])
    assert await traded.account.order_history(Scope(Tenant("OTHER")), request_id=REQUEST) is None
    assert await traded.account.order_history(SCOPE, order_id="8") is None
    with pytest.raises(ValueError, match="order_id or request_id"):
        await traded.account.order_history(SCOPE)


async def test_an_own_trade_that_comes_again_is_given_once(traded: Store) -> None:
    """A trade repeated under another message is one trade."""
    page = await traded.account.own_trades(SCOPE, descending=False)
    assert [(trade.id, trade.order) for trade in page.rows] == [("t0", "7"), ("t1", "7")]


async def test_what_came_of_a_sources_orders_is_found(traded: Store) -> None:
    """Own trades and what happened to orders are of the source whose order it is, in exports too."""
    for source, trades, events in (("James", 2, 3), ("Ann", 0, 0)):
        scope = SCOPE._replace(source=source)
        assert len((await traded.account.own_trades(scope)).rows) == trades
        assert await traded.exports.count("ownTrades", scope) == trades
        assert await traded.exports.count("orderEvents", scope) == events


async def test_orders_are_found_by_what_they_are(store: Store, journal: Any, name: Callable[..., StreamName]) -> None:
    """Filters by exchange, symbol, status, source and time, and pages, newest first."""
    answers = journal(name("createOrder"))
    async with store.batch() as batch:
        for number in range(6):
            status, source = ("open", "closed")[number % 2], ("James", "Ann")[number // 3]
            placed = order(str(number), status=status, timestamp=1_000 * number)
            batch.response(answers.next(), Response(f"r{number}", "done", placed, source), Trace())

    async def ids(scope: Scope = SCOPE, **question: Any) -> list[str]:
        return [row.order.id for row in (await store.account.orders(scope, **question)).rows]

    assert await ids() == ["5", "4", "3", "2", "1", "0"]
    assert await ids(status="open") == ["4", "2", "0"]
    assert await ids(SCOPE._replace(source="Ann"), descending=False) == ["3", "4", "5"]
    assert await ids(SCOPE._replace(since_ms=1_000, until_ms=3_000)) == ["2", "1"]
    assert await ids(SCOPE._replace(exchange=ExchangeId("binance"))) == []
    assert await ids(SCOPE._replace(symbol=Symbol("KCS/USDT"))) == await ids()
    page = await store.account.orders(SCOPE, limit=4)
    assert await ids(cursor=page.next_cursor) == ["1", "0"]


async def test_failures_say_why_and_how_they_ended(store: Store, journal: Any, name: Callable[..., StreamName]) -> None:
    """Every answer that was not done is a row with its kind and reason; an unknown one says how it was settled."""
    answers = journal(name("createOrder"))
    refused = [
        ("rejected", "RiskRefused", "above maxOrderNotional"),
        ("rejected", "InsufficientFunds", "balance"),
        ("expired", "Expired", "too old"),
        ("failed", "Malformed", "$.payload.side: missing"),
        ("unknown", "RequestTimeout", "no answer within 5 s"),
        ("failed", "OrderNotFound", "it never arrived"),
    ]
    async with store.batch() as batch:
        batch.response(answers.next(), Response("fine", "done", order("1"), "James"), Trace())
        for number, (status, kind, reason) in enumerate(refused):
            answer = Response(f"r{min(number, 4)}", status, None, "James", RequestError(kind, reason))  # type: ignore[arg-type]
            batch.response(answers.next(), answer, Trace())
    rows = (await store.account.failed_executions(SCOPE, descending=False)).rows
    assert [(row.status, row.kind, row.reason) for row in rows] == refused
    assert [row.settled for row in rows] == [None, None, None, None, "failed", None]
    (found,) = (await store.account.failed_executions(SCOPE, kind="Expired")).rows
    assert (found.request_id, found.order_source, found.action) == ("r2", "James", "createOrder")
    assert (await store.account.failed_executions(SCOPE._replace(source="Ann"))).rows == []


@pytest.mark.parametrize("action", ["halt", "resume", "cancelAllOrders", "unknown", "burnOrder"])
async def test_answers_to_whatever_was_asked_are_found(
    store: Store, journal: Any, name: Callable[..., StreamName], action: str
) -> None:
    """Also answers about no order, all exchanges, or an unknown action; messages of watched streams are not answers."""
    halts, orders = journal(name(action, None, exchange="all")), journal(name(action))
    async with store.batch() as batch:
        batch.status(journal(name("watchTicker")).next(), Status("live"))
        for stream in (halts, orders):
            batch.response(stream.next(), Response("r", "rejected", error=RequestError("BadRequest", "no")), Trace())
    for ask in (store.account.failed_executions, store.account.responses):
        assert {(row.exchange, row.action) for row in (await ask(SCOPE)).rows} == {("all", action), ("kucoin", action)}
        of_symbol = SCOPE._replace(exchange=ExchangeId("kucoin"), symbol=Symbol("KCS/USDT"))
        assert [row.exchange for row in (await ask(of_symbol)).rows] == ["kucoin"]


async def test_balances_over_time(store: Store, journal: Any, name: Callable[..., StreamName]) -> None:
    """Each change of each currency is a row, exact, found by currency and time."""
    stream = journal(name("watchBalance", None))
    async with store.batch() as batch:
        batch.balances(stream.next(), {"KCS": Balance(0.1, 0.2, 0.3), "USDT": Balance(5.0, None, None)})
        batch.balances(stream.next(), {"KCS": Balance(0.3, 0.0, 0.3)})
    rows = (await store.account.balances(SCOPE, currency="KCS")).rows
    assert [(row.free, row.used, row.total) for row in rows] == [
        (Decimal("0.3"), 0, Decimal("0.3")),
        (Decimal("0.1"), Decimal("0.2"), Decimal("0.3")),
    ]
    assert len((await store.account.balances(SCOPE)).rows) == 3


async def test_positions_over_time(store: Store, journal: Any, name: Callable[..., StreamName]) -> None:
    """Each change is a row, whole, found by symbol although the stream has none; a closed one has no contracts."""
    stream = journal(name("watchPositions", None))
    one, other = (
        ExchangePosition("A/B:B", "long", contracts=2.0, leverage=5.0),
        ExchangePosition("C/B:B", "short", contracts=1.0),
    )
    async with store.batch() as batch:
        batch.exchange_positions(stream.next(), [one, other])
        batch.exchange_positions(stream.next(), [ExchangePosition("A/B:B", "long")])
    of_symbol = await store.account.exchange_positions(SCOPE._replace(symbol=Symbol("A/B:B")))
    assert [row.position for row in of_symbol.rows] == [ExchangePosition("A/B:B", "long"), one]
    every = await store.account.exchange_positions(SCOPE, descending=False)
    assert [row.position.symbol for row in every.rows] == ["A/B:B", "C/B:B", "A/B:B"]
    assert await store.exports.count("exchangePositions", SCOPE) == 3


async def test_balances_from_before_the_first_message_are_known(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """The first snapshot of each epoch stores every balance once, however the snapshots are split into batches."""
    stream = name("watchBalance", None)

    async def commit(epoch: int, *numbers: int) -> None:
        async with store.batch() as batch:
            for number in numbers:
                place = Place(stream.snapshot, MessageId(epoch, number), 1_000 * epoch + number)
                held = {"KCS": Balance(0.1, 0.2, 0.3), "USDT": Balance(float(number))}
                batch.balances_snapshot(place, MessageId(epoch, 0), encode(held), held)

    for epoch, numbers in ((1, (7, 8)), (1, (7, 8, 9)), (1, (10,)), (2, (1, 2)), (2, (1, 2))):
        await commit(epoch, *numbers)
    async with store.batch() as batch:
        batch.balances(Place(str(stream), MessageId(2, 1), 2_005), {"KCS": Balance(0.5)})
    rows = (await store.account.balances(SCOPE, descending=False)).rows
    assert [(row.at_ms, row.currency, row.free) for row in rows] == [
        (1_007, "KCS", Decimal("0.1")),
        (1_007, "USDT", 7),
        (2_001, "KCS", Decimal("0.1")),
        (2_001, "USDT", 1),
        (2_005, "KCS", Decimal("0.5")),
    ]
    assert await store.exports.count("balances", SCOPE) == len(rows)
    assert await store.exports.count("snapshots", SCOPE) == 6


async def test_orders_from_before_the_first_message_are_known(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """An open order that only a snapshot contains is stored, and joined with its deltas."""
    stream = name("watchOrders")
    for number in (1, 2):
        async with store.batch() as batch:
            place = Place(stream.snapshot, MessageId(7, number), 1_000 * number)
            orders = [order("old", status="open", filled=Decimal(number)), order(f"new {number}", status="open")]
            batch.orders_snapshot(place, MessageId(7, 0), b"{}", orders)
    async with store.batch() as batch:
        batch.orders(journal(stream).next(), [order("old", status="closed", filled=Decimal(5))])
    rows = {row.order.id: row for row in (await store.account.orders(SCOPE)).rows}
    assert {number: row.order.status for number, row in rows.items()} == {"old": "closed", "new 1": "open"}
    history = await store.account.order_history(SCOPE, order_id="old")
    assert history is not None
    assert [event.order.status for event in history.events] == ["closed"]


async def test_requests_of_any_form_are_kept(store: Store, journal: Any) -> None:
    """A malformed request is stored as published, with the fields that can be read."""
    stream = journal("T.traderActions")
    strange: list[dict[str, Any]] = [{}, {"payload": [1]}, {"action": 7, "payload": {"symbol": "A/B", "price": 1.10}}]
    async with store.batch() as batch:
        for request in strange:
            batch.request(stream.next(), encode(request), request)
    rows = (await store.account.requests(SCOPE, descending=False)).rows
    assert [msgspec.json.decode(row.request) for row in rows] == strange
    assert [(row.action, row.symbol) for row in rows] == [(None, None), (None, None), (None, "A/B")]
    named = (await store.account.requests(SCOPE._replace(symbol=Symbol("A/B")))).rows
    assert [row.message_id for row in named] == [rows[2].message_id]
    assert (await store.account.responses(SCOPE)).rows == []


async def test_a_request_keeps_every_character(store: Store, journal: Any) -> None:
    """It is returned as published: digits beyond a float, spaces, escapes, other alphabets."""
    said = r'{ "payload": {"amountBase": 12345678.123456789012, "price": 1.10}, "by": "a\u0000b ж🙂" }'
    async with store.batch() as batch:
        batch.request(journal("T.traderActions").next(), said.encode(), msgspec.json.decode(said))
    (row,) = (await store.account.requests(SCOPE)).rows
    assert bytes(row.request).decode() == said
    assert said in encode(row).decode()
