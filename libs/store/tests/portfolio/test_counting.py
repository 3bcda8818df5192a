"""Own trades are counted exactly once, in the order of their times, whatever the order in which messages are stored."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from millrace_core.ids import new_request_id
from millrace_core.market import Fee, Trade
from millrace_core.messages import Response, encode
from millrace_core.names import StreamName, Tenant
from millrace_core.orders import Order
from millrace_core.trace import Trace
from millrace_store import Batch, Scope, Store
from millrace_store.schema import tables

START_MS = 1_760_000_040_000
HOUR_MS = 3_600_000
T = Tenant("T")


def own_trade(
    number: int, at_ms: int, side: str, amount: float, price: float, order: str = "1", fee: Fee | None = None
) -> Trade:
    """Make a trade of one's own."""
    return Trade(str(number), at_ms, "KCS/USDT", side, price, amount, order=order, fee=fee)


async def positions(store: Store) -> list[tuple[Any, ...]]:
    """Return all counted rows."""
    async with store._database.reading() as reader:
        table = tables.positions
        rows = await reader.fetch(sa.select(*table.columns).order_by(table.c.stream_id, table.c.source, table.c.at_ms))
    return [
        tuple(Decimal(v) if c.type is tables.MONEY else v for v, c in zip(row, table.columns, strict=True))
        for row in rows
    ]


async def newest(store: Store) -> dict[str, tuple[Decimal, Decimal]]:
    """Return quantity and realised profit by source."""
    return {row[1]: (row[5], row[8]) for row in await positions(store)}


def answer(source: str, order_id: str) -> Response:
    """Make the executor's answer to a new order."""
    return Response(new_request_id(), "done", order=Order(order_id, "KCS/USDT"), order_source=source)


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_of_messages_gives_the_same(
    store: Store, journal: Any, name: Callable[..., StreamName], seed: int
) -> None:
    """Late trades, repeated ones and sources that become known late are as if all had come in order."""
    random = Random(seed)
    trades = [
        own_trade(
            number,
            START_MS + random.randrange(5 * HOUR_MS) // 500 * 500,
            random.choice(["buy", "sell"]),
            random.randrange(1, 1_000) / 100,
            random.randrange(1_000, 2_000) / 100,
            str(random.randrange(20)),
            Fee(random.choice(["KCS", "USDT", "BNB"]), 0.01),
        )
        for number in range(120)
    ]
    fills, answers = journal(name("watchMyTrades")), journal(name("createOrder"))
    orders = list(range(15))
    random.shuffle(orders)
    pending = trades + random.sample(trades, 20)
    while pending or orders:
        async with store.batch() as batch:
            sent, pending = pending[: (size := random.randrange(1, 12))], pending[size:]
            for trade in sent:
                batch.own_trades(fills.next(), [trade])
            for order in orders[:2]:
                batch.response(answers.next(), answer(f"S{order % 3}", str(order)), Trace())
            orders = orders[2:]
    counted = await positions(store)
    assert {row[1] for row in counted} == {"", "S0", "S1", "S2"}
    last = {row[1]: row[4] for row in counted}
    assert sum(last.values()) == len(trades)
    assert await store.rebuild_positions(T) == len(trades)
    assert await positions(store) == counted


async def test_a_batch_committed_again_counts_once(store: Store, journal: Any, name: Callable[..., StreamName]) -> None:
    """A batch whose commit was repeated leaves one fill."""
    stream, batch = journal(name("watchMyTrades")), Batch()
    batch.own_trades(stream.next(), [own_trade(1, START_MS, "buy", 2.0, 10.0)])
    for _ in range(2):
        await store.commit(batch)
    assert await newest(store) == {"": (2, 0)}


async def test_a_commit_that_is_cancelled_anywhere_counts_once(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """Trades and positions are stored together or not at all."""
    stream, numbers = journal(name("watchMyTrades")), iter(range(1_000))
    for delay in (0, 0, 0.001, 0.002, 0.004, 0.008, 0.016):
        batch = Batch()
        for number in islice(numbers, 40):
            batch.own_trades(stream.next(), [own_trade(number, START_MS + number, "buy", 1.0, 10.0)])
        committing = asyncio.create_task(store.commit(batch))
        await asyncio.sleep(delay)
        committing.cancel()
        await asyncio.gather(committing, return_exceptions=True)
        await store.commit(batch)
    assert await newest(store) == {"": (280, 0)}


async def test_a_trade_and_its_answer_stored_at_once_find_each_other(
    store: Store, url: str, journal: Any, name: Callable[..., StreamName]
) -> None:
    """Whichever of two writers is first, no trade stays unattributed."""
    fills, answers = journal(name("watchMyTrades")), journal(name("createOrder"))
    async with Store.open(url, migrate=False) as other:
        for number in range(30):
            trades, orders = Batch(), Batch()
            trades.own_trades(fills.next(), [own_trade(number, START_MS + number, "buy", 1.0, 10.0, str(number))])
            orders.response(answers.next(), answer("A", str(number)), Trace())
            await asyncio.gather(store.commit(trades), other.commit(orders))
    assert await newest(store) == {"A": (30, 0)}


async def test_trades_of_one_time_count_by_the_exchanges_numbers(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """The order in which they came does not matter."""
    stream = journal(name("watchMyTrades"))
    sides = {9: ("buy", 10.0), 10: ("sell", 12.0), 11: ("buy", 13.0)}
    for number in (11, 10, 9):
        async with store.batch() as batch:
            batch.own_trades(stream.next(), [own_trade(number, START_MS, sides[number][0], 1.0, sides[number][1])])
    assert await newest(store) == {"": (1, 2)}


async def test_a_trade_moves_when_its_request_becomes_known(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """It is unattributed until the executor's answer names the strategy; then nothing of it is left behind."""
    stream = journal(name("watchMyTrades"))
    async with store.batch() as batch:
        batch.own_trades(stream.next(), [own_trade(1, START_MS, "buy", 2.0, 10.0)])
    assert await newest(store) == {"": (2, 0)}
    async with store.batch() as batch:
        batch.response(journal(name("createOrder")).next(), answer("PingPong", "1"), Trace())
    assert await newest(store) == {"PingPong": (2, 0)}


async def test_an_order_without_an_answer_belongs_to_the_request_in_its_client_order_id(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """The exchange's own report is enough, of the same tenant's request only."""
    request_id = new_request_id()
    for tenant, source in (("U", "stranger"), ("T", "PingPong")):
        said = {"requestId": request_id, "action": "createOrder", "payload": {"orderSource": source}}
        async with store.batch() as batch:
            batch.request(journal(f"{tenant}.traderActions").next(), encode(said), said)
    async with store.batch() as batch:
        batch.own_trades(journal(name("watchMyTrades")).next(), [own_trade(1, START_MS, "buy", 2.0, 10.0)])
        batch.orders(journal(name("watchOrders")).next(), [Order("1", client_order_id=f"x-{request_id}")])
    assert await newest(store) == {"PingPong": (2, 0)}


async def test_the_order_that_an_edit_makes_belongs_to_the_source_of_the_former(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """Whoever asked for the edit, and named the order by its id or by ours; an edit of that order too."""
    requests, answers, pushes = (journal(each) for each in ("T.traderActions", name("editOrder"), name("watchOrders")))
    trades, edits = journal(name("watchMyTrades")), [new_request_id(), new_request_id()]
    async with store.batch() as batch:
        batch.response(journal(name("createOrder")).next(), answer("PingPong", "1"), Trace())
    for request_id, named in zip(edits, ({"orderID": "1"}, {"clientOrderId": f"x-{edits[0]}"}), strict=True):
        payload = {"symbol": "KCS/USDT", "orderSource": "James", **named}
        said = {"requestId": request_id, "action": "editOrder", "exchangeId": "kucoin", "payload": payload}
        async with store.batch() as batch:
            batch.request(requests.next(), encode(said), said)
    async with store.batch() as batch:
        edited = Response(edits[0], "done", order=Order("2", "KCS/USDT"), order_source="James")
        batch.response(answers.next(), edited, Trace())
    async with store.batch() as batch:
        batch.orders(pushes.next(), [Order("3", "KCS/USDT", client_order_id=f"x-{edits[1]}")])
        for number in (2, 3):
            trade = own_trade(number, START_MS, "buy", 2.0, 10.0, order=str(number))
            batch.own_trades(trades.next(), [trade])
    assert await newest(store) == {"PingPong": (4, 0)}


async def test_an_edit_that_names_no_possible_order_keeps_none_away(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """Requests are stored as they were sent, also what no exchange has and no database looks for."""
    request_id = new_request_id()
    said = {"requestId": request_id, "action": "editOrder", "payload": {"orderID": "1\0", "symbol": "KCS\0"}}
    async with store.batch() as batch:
        batch.request(journal("T.traderActions").next(), encode(said), said)
    async with store.batch() as batch:
        batch.orders(journal(name("watchOrders")).next(), [Order("1", client_order_id=f"x-{request_id}")])
    assert await store.account.order(Scope(T), "1") is not None


async def test_trades_from_before_positions_were_kept_are_counted(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """Maintenance counts a database that was brought up to date; so does the next trade."""
    stream = journal(name("watchMyTrades"))

    async def forget_positions() -> None:
        async with store._database.writing() as writer:
            await writer.execute(sa.delete(tables.positions))

    for number, go_on in ((1, False), (2, True)):
        async with store.batch() as batch:
            batch.own_trades(stream.next(), [own_trade(number, START_MS + number, "buy", 1.0, 10.0)])
        assert (await newest(store))[""][0] == number
        await forget_positions()
        if go_on:
            await store.maintain()
            assert (await newest(store))[""][0] == number


async def test_only_fees_that_need_a_price_ask_for_one(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """Those in base or quote do not; of a contract those in its base do."""
    fees = {"KCS/USDT": ("KCS", "USDT", "BNB", None), "KCS/USDT:USDT": ("KCS", "USDT", "BNB")}
    for symbol, currencies in fees.items():
        stream = journal(name("watchMyTrades", symbol))
        async with store.batch() as batch:
            for number, currency in enumerate(currencies):
                trade = own_trade(number, START_MS + number, "buy", 1.0, 10.0, fee=Fee(currency, 0.5))
                batch.own_trades(stream.next(), [trade])
    async with store._database.reading() as reader:
        table = tables.fee_prices.c
        asked = await reader.fetch(
            sa.select(tables.streams.c.symbol, table.currency)
            .join_from(tables.fee_prices, tables.streams, tables.streams.c.id == table.stream_id)
            .order_by(tables.streams.c.symbol, table.currency)
        )
    assert [tuple(row) for row in asked] == [("KCS/USDT", "BNB"), ("KCS/USDT:USDT", "BNB"), ("KCS/USDT:USDT", "KCS")]
