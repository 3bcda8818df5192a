"""Exactly once, on both databases."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from decimal import Decimal

import pytest
import sqlalchemy as sa

from millrace_core.ids import MessageId
from millrace_core.latency import Histogram
from millrace_core.market import Balance, Trade
from millrace_core.messages import Response, Status
from millrace_core.names import StreamName, Tenant
from millrace_core.orders import Order
from millrace_core.trace import Trace
from millrace_store import Batch, Place, Scope, Store
from millrace_store.schema import tables
from millrace_store.schema.tables import Table
from millrace_store.writing.commit import commit

SCOPE = Scope(Tenant("T"))


async def rows_of(store: Store, table: Table) -> list[tuple[object, ...]]:
    async with store._database.reading() as reader:
        return [tuple(row) for row in await reader.fetch(sa.select(*table.columns))]


def give(batch: Batch, name: Callable[..., StreamName], first: int = 1, last: int = 3) -> None:
    """Add messages of every kind to a batch."""
    for seq in range(first, last + 1):

        def at(action: str, symbol: str | None = "KCS/USDT", seq: int = seq) -> Place:
            return Place(str(name(action, symbol)), MessageId(1_760_000_000_000, seq), 1_760_000_000_000 + seq)

        trade = Trade(str(seq), 1_760_000_000_000 + seq, "KCS/USDT", "buy", 1e-7, 0.1, order="o1")
        batch.trades(at("watchTrades"), [trade, trade])
        batch.own_trades(at("watchMyTrades"), [trade])
        batch.book_delta(at("watchOrderBook"), b'{"bids":[[1.0,2.0]],"asks":[]}', seq)
        batch.candles(at("watchOHLCV"), "1m", [(60_000, 1.0, 2.0, 0.5, 1.5, float(seq))])
        batch.ticker(at("watchTicker"), b'{"last":1.10}')
        batch.orders(at("watchOrders"), [Order("o1", "KCS/USDT", filled=Decimal(seq), amount=Decimal(9))])
        batch.balances(at("watchBalance", None), {"KCS": Balance(0.1, 0.2, 0.3)})
        batch.event(at("watchLiquidations", None), b'{"positions":[]}')
        batch.status(at("fetchNothing"), Status("live"))
        batch.request(at("traderActions")._replace(name="T.traderActions"), b'{"payload":{}}', {"payload": {}})
        batch.response(at("createOrder"), Response(f"r{seq}", "rejected", None, "James"), Trace(sent=1))
        batch.dead_letter(at("watchLiquidations"), "not JSON", b"\xff\x00")
        batch.latency(str(name("watchTrades")), "received→published", 1_760_000_040_000, _histogram())
    batch.gap(str(name("watchTrades")), 1_760_000_000_000, 7, 9, 5, "trimmed")


def _histogram() -> Histogram:
    histogram = Histogram()
    histogram.record(1_000)
    return histogram


async def everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table that a replay must leave as it was."""
    every = [table for table in vars(tables).values() if isinstance(table, sa.TableClause)]
    moving = ("stale_minutes",)
    return {table.name: sorted(await rows_of(store, table), key=repr) for table in every if table.name not in moving}


async def test_a_batch_given_again_changes_nothing(store: Store, name: Callable[..., StreamName]) -> None:
    """Rows, counts, positions, latencies and orders stay as they were, and the messages count as duplicates."""
    for attempt in range(3):
        async with store.batch() as batch:
            give(batch, name)
        if attempt == 0:
            first = await everything(store)
            assert batch.duplicates == 0
    assert await everything(store) == first
    assert batch.duplicates == batch.messages == 36


async def test_a_batch_that_overlaps_adds_only_what_is_new(store: Store, name: Callable[..., StreamName]) -> None:
    """Of messages 2 to 5, with 1 to 3 stored, 4 and 5 are added."""
    for first, last in ((1, 3), (2, 5)):
        async with store.batch() as batch:
            give(batch, name, first, last)
    assert sorted(row[3] for row in await rows_of(store, tables.trades)) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    (epoch,) = await store.operations.epochs(str(name("watchTrades")))
    assert (epoch.first_seq, epoch.last_seq, epoch.messages) == (1, 5, 5)


async def test_a_block_that_raises_leaves_nothing(store: Store, name: Callable[..., StreamName]) -> None:
    """Neither rows nor positions of a batch are kept when its block ends by an error."""
    with pytest.raises(ZeroDivisionError):
        async with store.batch() as batch:
            give(batch, name)
            raise ZeroDivisionError
    assert await store.operations.positions() == {}


async def test_two_writers_of_the_same_messages_store_them_once(url: str, name: Callable[..., StreamName]) -> None:
    """However their transactions meet, each message is stored by exactly one of them."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(Store.open(url)) for _ in range(3)]
        batches = []
        for _ in range(5):
            for store in stores:
                batches.append((store, Batch()))
                give(batches[-1][1], name, 1, 20)
        await asyncio.gather(*(store.commit(batch) for store, batch in batches))
        assert len(await rows_of(stores[0], tables.trades)) == 40
        assert len(await rows_of(stores[0], tables.own_trades)) == 20
        new = sum(batch.messages - batch.duplicates for _, batch in batches)
        assert new == 20 * 12


async def test_rows_that_the_positions_deny_are_left_as_they_are(store: Store, name: Callable[..., StreamName]) -> None:
    """With the positions lost, by a restore or by hand, the messages are taken again and no row is doubled."""
    async with store.batch() as batch:
        give(batch, name)
    before = await rows_of(store, tables.trades)
    async with store._database.writing() as writer:
        await writer.execute(sa.delete(tables.streams))
        await writer.execute(sa.delete(tables.stream_epochs))
    async with store.batch() as batch:
        give(batch, name, 1, 4)
    after = await rows_of(store, tables.trades)
    assert set(before) < set(after)
    assert len(after) == len(before) + 2


async def test_an_epoch_that_begins_anew_is_counted_by_itself(store: Store, name: Callable[..., StreamName]) -> None:
    """Messages of a later epoch come after all of an earlier one, whatever their numbers."""
    stream = str(name("watchOrderBook"))
    async with store.batch() as batch:
        for epoch, seq in ((5, 1), (5, 2), (9, 1)):
            batch.book_delta(Place(stream, MessageId(epoch, seq), 1_000), b'{"bids":[],"asks":[]}', None)
    async with store.batch() as batch:
        batch.book_delta(Place(stream, MessageId(5, 3), 1_000), b'{"bids":[],"asks":[]}', None)
    assert batch.duplicates == 1
    assert [(one.epoch, one.messages) for one in await store.operations.epochs(stream)] == [(5, 2), (9, 1)]
    assert await store.operations.positions() == {stream: MessageId(9, 1)}


async def test_an_order_is_the_join_of_all_that_was_said_of_it(store: Store, name: Callable[..., StreamName]) -> None:
    """In whatever order the messages come, the filled amount never falls and the request is kept."""
    answers, pushes = str(name("createOrder")), str(name("watchOrders"))
    filled = Order("7", "KCS/USDT", status="closed", amount=Decimal("2.0"), filled=Decimal("2.0"), timestamp=5)
    async with store.batch() as batch:
        batch.orders(Place(pushes, MessageId(5, 1), 1_000), [filled])
    async with store.batch() as batch:
        opened = Order("7", "KCS/USDT", status="open", amount=Decimal("2.0"), filled=Decimal(0), timestamp=5)
        batch.response(Place(answers, MessageId(5, 1), 900), Response("r" * 32, "done", opened, "James"), Trace())
    (order,) = (await store.account.orders(SCOPE)).rows
    assert (order.order.status, order.order.filled) == ("closed", Decimal("2.0"))
    assert (order.order_source, order.request_id, order.updated_ms) == ("James", "r" * 32, 1_000)


async def test_orders_seen_by_two_writers_at_once_lose_nothing(url: str, name: Callable[..., StreamName]) -> None:
    """Two streams report the same orders at the same time through two connections; the join has both."""
    async with Store.open(url) as one, Store.open(url) as other:
        pushes, answers = Batch(), Batch()
        for seq in range(1, 30):
            done = Order(str(seq), "KCS/USDT", status="closed", amount=Decimal(1), filled=Decimal(1))
            pushes.orders(Place(str(name("watchOrders")), MessageId(5, seq), 1_000), [done])
            opened = Response(f"r{seq}", "done", Order(str(seq), "KCS/USDT", status="open"), "James")
            answers.response(Place(str(name("createOrder")), MessageId(5, seq), 1_000), opened, Trace())
        await asyncio.gather(one.commit(pushes), other.commit(answers))
        orders = (await one.account.orders(SCOPE)).rows
    assert len(orders) == 29
    assert all(order.order.status == "closed" and order.order_source == "James" for order in orders)


async def test_a_careful_commit_is_the_same(store: Store, name: Callable[..., StreamName]) -> None:
    """The way through a staging table stores what the direct way stores."""
    batch = Batch()
    give(batch, name)
    for table in (tables.trades, tables.book_deltas):
        await store._database.prepare(table, batch.all_rows()[table].lists[1])
    async with store._database.writing(careful=True) as writer:
        for table in (tables.trades, tables.book_deltas):
            await writer.insert(table, batch.all_rows()[table])
    direct = {table: await rows_of(store, table) for table in (tables.trades, tables.book_deltas)}
    await commit(store._database, batch)
    assert {table: await rows_of(store, table) for table in direct} == direct


async def test_texts_of_any_kind_survive(store: Store, name: Callable[..., StreamName]) -> None:
    """Quotes, commas, line ends, backslashes and other alphabets are read back as they were written."""
    nasty = 'a,"b"\n\r\\N\\.\t\'ж漢🙂 \\x'
    async with store.batch() as batch:
        batch.status(Place(str(name("watchTicker")), MessageId(5, 1), 1_000), Status("stale", nasty))
        batch.status(Place(str(name("watchTicker")), MessageId(5, 2), 1_000), Status("stale", None))
    assert [row[-2] for row in sorted(await rows_of(store, tables.statuses))] == [nasty, None]
