"""What is asked of positions, profit and equity."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from millrace_core.clock import now_ms
from millrace_core.ids import MessageId, new_request_id
from millrace_core.intervals import Interval
from millrace_core.market import Balance, Fee, Trade
from millrace_core.messages import Response
from millrace_core.names import ExchangeId, StreamName, Tenant
from millrace_core.orders import Order
from millrace_core.trace import Trace
from millrace_store import BadCursor, Place, RangeTooLarge, Retention, Scope, Store
from millrace_store.portfolio.equity import moments
from millrace_store.portfolio.prices import OLDEST_MS
from millrace_store.schema import tables

HOUR_MS, DAY_MS, MINUTE_MS = 3_600_000, 86_400_000, 60_000
DAY = 20_000 * DAY_MS
FIRST_MS, LAST_MS = 19_600 * DAY_MS, 20_600 * DAY_MS
"""From the end of August 2023 to the end of May 2026."""
T = Scope(Tenant("T"))
NAME = Callable[..., StreamName]


@pytest.fixture
async def traded(store: Store, journal: Any, name: NAME) -> Store:
    """Two strategies and a person in two markets on two days."""
    made = {
        name("watchMyTrades"): [
            ("A", DAY + 1, "buy", 2.0, 10.0),
            ("A", DAY + 2 * HOUR_MS, "sell", 1.0, 13.0),
            ("B", DAY + 2 * HOUR_MS, "sell", 1.0, 13.0),
            ("A", DAY + DAY_MS, "sell", 1.0, 9.0),
            ("", DAY + DAY_MS, "buy", 5.0, 9.0),
        ],
        name("watchMyTrades", "ETH/BTC"): [("A", DAY + 5, "buy", 2.0, 0.5), ("A", DAY + 6, "sell", 2.0, 0.75)],
    }
    async with store.batch() as batch:
        for stream, rows in made.items():
            fills, answers = journal(stream), journal(name("createOrder", stream.symbol))
            for number, (source, at_ms, side, amount, price) in enumerate(rows):
                trade = Trade(
                    str(number), at_ms, stream.symbol or "", side, price, amount, order=source, fee=Fee("USDT", 0.125)
                )
                batch.own_trades(fills.next(), [trade])
                if source:
                    order = Order(source, stream.symbol)
                    answer = Response(new_request_id(), "done", order=order, order_source=source)
                    batch.response(answers.next(), answer, Trace())
    return store


async def test_each_market_and_source_has_a_position(traded: Store) -> None:
    """Each with cost and profit; those that belong to no known request have no source."""
    rows = (await traded.portfolio.positions(T)).rows
    assert [(row.symbol, row.order_source, row.quantity, row.cost, row.realised, row.currency) for row in rows] == [
        ("ETH/BTC", "A", 0, 0, Decimal("0.5"), "BTC"),
        ("KCS/USDT", None, 5, 45, Decimal("-0.125"), "USDT"),
        ("KCS/USDT", "A", 0, 0, Decimal("1.625"), "USDT"),
        ("KCS/USDT", "B", -1, -13, Decimal("-0.125"), "USDT"),
    ]
    assert [row.average_price for row in rows] == [None, 9, None, 13]
    assert rows[0].unvalued_fees == {"USDT": Decimal("0.25")}
    assert [row.fees for row in rows] == [0, Decimal("0.125"), Decimal("0.375"), Decimal("0.125")]
    chosen = (await traded.portfolio.positions(T, sources=["", "B"], is_open=True)).rows
    assert [row.order_source for row in chosen] == [None, "B"]
    closed = (await traded.portfolio.positions(T, is_open=False)).rows
    assert [row.symbol for row in closed] == ["ETH/BTC", "KCS/USDT"]


async def test_positions_come_in_pages(traded: Store) -> None:
    """Each once; a cursor of another query is refused."""
    found, cursor = [], None
    while True:
        page = await traded.portfolio.positions(T, limit=1, cursor=cursor)
        found += page.rows
        if (cursor := page.next_cursor) is None:
            break
    assert found == (await traded.portfolio.positions(T)).rows
    with pytest.raises(BadCursor):
        await traded.portfolio.positions(T, cursor="x")


async def test_another_tenant_has_none(traded: Store) -> None:
    """Every query is of one tenant."""
    other = Scope(Tenant("U"))
    assert (await traded.portfolio.positions(other)).rows == []
    assert await traded.portfolio.profits(other) == []
    assert (await traded.portfolio.equity(other)).rows == []


async def test_profits_are_summed_or_apart(traded: Store) -> None:
    """Over strategies, markets and days, in any choice; never over currencies."""
    ask = traded.portfolio.profits
    whole = [(row.currency, row.realised, row.trades) for row in await ask(T)]
    assert whole == [("BTC", Decimal("0.5"), 2), ("USDT", Decimal("1.375"), 5)]
    of_both = await ask(T, sources=["A", "B"], apart=["source"])
    assert [(row.order_source, row.currency, row.realised) for row in of_both] == [
        ("A", "BTC", Decimal("0.5")),
        ("A", "USDT", Decimal("1.625")),
        ("B", "USDT", Decimal("-0.125")),
    ]
    days = await ask(
        T._replace(exchange=ExchangeId("kucoin")), sources=["A"], apart=["symbol"], interval=Interval(length_ms=DAY_MS)
    )
    assert [(row.at_ms - DAY, row.symbol, row.realised, row.turnover) for row in days] == [
        (0, "ETH/BTC", Decimal("0.5"), Decimal("2.5")),
        (0, "KCS/USDT", Decimal("2.75"), 33),
        (DAY_MS, "KCS/USDT", Decimal("-1.125"), 9),
    ]
    assert days[1].fees_by_currency == {"USDT": Decimal("0.25")}


async def test_a_range_has_the_profit_of_its_hours(traded: Store) -> None:
    """What was earned before it is left out, and hours without trades make no row."""
    range_ = T._replace(since_ms=DAY + HOUR_MS + 1, until_ms=DAY + DAY_MS)
    assert [(row.currency, row.realised, row.trades) for row in await traded.portfolio.profits(range_)] == [
        ("USDT", Decimal("2.75"), 2)
    ]
    hours = await traded.portfolio.profits(range_._replace(until_ms=None), interval=Interval(length_ms=HOUR_MS))
    assert [(row.at_ms - DAY, row.realised) for row in hours] == [
        (2 * HOUR_MS, Decimal("2.75")),
        (DAY_MS, Decimal("-1.25")),
    ]
    with pytest.raises(ValueError, match="whole hours"):
        await traded.portfolio.profits(T, interval=Interval(length_ms=90_000))


SUMS_OF_DAYS = [Interval.parse(text) for text in ("1M", "3M", "5M", "12M", "1w", "2w", "3d")]


async def test_profit_of_any_interval_is_the_sum_of_its_days(store: Store, journal: Any, name: NAME) -> None:
    """Of months too, by the calendar, from 1970 on; and of a range that begins in the midst of one."""
    random, stream = Random(7), journal(name("watchMyTrades"))
    times = sorted([0, 1, 3 * DAY_MS, *(random.randrange(FIRST_MS, LAST_MS) for _ in range(150))])
    async with store.batch() as batch:
        for number, at_ms in enumerate(times):
            side, price = random.choice(["buy", "sell"]), random.randrange(50, 150) / 4
            fee = Fee(random.choice(["USDT", "KCS"]), 0.125)
            trade = Trade(str(number), at_ms, "KCS/USDT", side, price, 2.0, fee=fee)
            batch.own_trades(stream.next(at_ms), [trade])
    middle = T._replace(since_ms=times[75], until_ms=times[140])
    for scope in (T, middle):
        days = await store.portfolio.profits(scope, interval=Interval(length_ms=DAY_MS))
        assert len(days) > 50
        for interval in SUMS_OF_DAYS:
            found = await store.portfolio.profits(scope, interval=interval)
            parts = [[day for day in days if interval.open_of(day.at_ms) == each.at_ms] for each in found]
            assert [day for part in parts for day in part] == days
            for each, part in zip(found, parts, strict=True):
                assert each.realised == sum(day.realised for day in part)
                assert each.turnover == sum(day.turnover for day in part)
                assert each.trades == sum(day.trades for day in part)


async def test_equity_of_any_interval_is_its_last_sample(store: Store) -> None:
    """Of months too, in pages and in both directions."""
    random = Random(8)
    times = sorted([0, 3 * DAY_MS, *(random.randrange(FIRST_MS, LAST_MS) for _ in range(100))])
    async with store._database.writing() as writer:
        rows = [("T", at_ms, "USDT", Decimal(number), "[]") for number, at_ms in enumerate(times)]
        await writer.insert_missing(tables.equity, rows)
    for interval in (*SUMS_OF_DAYS, Interval.parse("36h")):
        last = list({interval.open_of(at_ms): at_ms for at_ms in times}.values())
        first = await store.portfolio.equity(T, interval=interval, limit=4)
        rest = await store.portfolio.equity(T, interval=interval, cursor=first.next_cursor)
        assert [row.at_ms for row in (*first.rows, *rest.rows)] == last
        newest = await store.portfolio.equity(T, interval=interval, limit=3, descending=True)
        assert [row.at_ms for row in newest.rows] == last[:-4:-1]


async def test_open_positions_have_the_newest_price(store: Store, journal: Any, name: NAME) -> None:
    """What closing would earn is known where the market's price is, and not otherwise."""
    now = now_ms()
    async with store.batch() as batch:
        for symbol in ("KCS/USDT", "ETH/BTC"):
            trade = Trade("1", now - 1, symbol, "sell", 10.0, 2.0)
            batch.own_trades(journal(name("watchMyTrades", symbol)).next(now), [trade])
        batch.trades(
            journal(name("watchTrades", tenant="PUBLIC")).next(now), [Trade("1", now - 5, "", "buy", 9.5, 1.0)]
        )
    eth, kcs = (await store.portfolio.positions(T)).rows
    assert (kcs.price, kcs.price_at_ms, kcs.unrealised) == (Decimal("9.5"), now - 5, 1)
    assert (eth.price, eth.unrealised) == (None, None)


async def test_a_fee_in_a_third_currency_is_valued_once_its_price_is_stored(
    store: Store, journal: Any, name: NAME
) -> None:
    """Until then it is listed as unvalued; the price stays when the market data are gone."""
    minute = now_ms() // MINUTE_MS * MINUTE_MS - 5 * MINUTE_MS
    fees = {"KCS/USDT": Fee("BNB", 0.5), "ETH/BTC": Fee("XYZ", 0.5)}
    async with store.batch() as batch:
        for symbol, fee in fees.items():
            trade = Trade("1", minute + 7, symbol, "buy", 10.0, 2.0, fee=fee)
            batch.own_trades(journal(name("watchMyTrades", symbol)).next(minute + 7), [trade])
    assert [row.unvalued_fees for row in (await store.portfolio.positions(T)).rows] == [
        {"XYZ": Decimal("0.5")},
        {"BNB": Decimal("0.5")},
    ]
    async with store.batch() as batch:
        prices = [(minute - MINUTE_MS, *[600.0] * 5), (minute, *[601.5] * 5), (minute + MINUTE_MS, *[700.0] * 5)]
        batch.candles(journal(name("watchOHLCV", "BNB/USDT", "PUBLIC")).next(), "1m", prices)
    for _ in range(2):
        await store.maintain()
        eth, kcs = (await store.portfolio.positions(T)).rows
        assert (kcs.realised, kcs.fees, kcs.unvalued_fees) == (Decimal("-300.75"), Decimal("300.75"), {})
        assert eth.unvalued_fees == {"XYZ": Decimal("0.5")}
        await store.rebuild_positions(T.tenant)


def test_samples_are_due_each_minute_and_at_changes() -> None:
    """Of changes that follow one another at once, the last counts."""
    due = moments(MINUTE_MS, 3 * MINUTE_MS, [70_000, 72_000, 85_000, 120_000])
    assert due == [72_000, 85_000, 120_000, 180_000]


async def test_equity_is_the_value_of_all_balances(store: Store, journal: Any, name: NAME) -> None:
    """Direct, inverse and by way of another currency; what has no price is listed."""
    start = now_ms() // MINUTE_MS * MINUTE_MS - 3 * MINUTE_MS
    account, other = name("watchBalance", None), name("watchBalance", None, exchange="binance")
    prices = {"KCS/USDT": (start, 10.0), "USDT/EUR": (start, 0.5), "ETH/KCS": (start, 2.0), "OLD/USDT": (0, 1.0)}
    async with store.batch() as batch:
        for symbol, (late_ms, price) in prices.items():
            at_ms = late_ms or start - OLDEST_MS - 5 * MINUTE_MS
            batch.trades(journal(name("watchTrades", symbol)).next(at_ms), [Trade("1", at_ms, "", "buy", price, 1.0)])
        held = {code: Balance(total=2.0) for code in ("USDT", "KCS", "EUR", "ETH", "OLD")} | {"NIL": Balance(total=0.0)}
        batch.balances_snapshot(Place(account.snapshot, MessageId(7, 1), start + 30_000), MessageId(7, 0), b"{}", held)
        batch.balances(Place(str(account), MessageId(7, 1), start + 70_000), {"KCS": Balance(3.0, 1.0)})
        batch.balances(Place(str(other), MessageId(7, 1), start + 80_000), {"USDT": Balance(total=100.0)})
    currencies = {T.tenant: "USDT", Tenant("U"): "USDT"}
    for _ in range(2):
        await store.maintain(currencies=currencies)
    rows = (await store.portfolio.equity(T)).rows
    assert [(row.at_ms - start, row.value) for row in rows][:5] == [
        (30_000, 2 + 20 + 4 + 40),
        (60_000, 66),
        (70_000, 86),
        (80_000, 186),
        (120_000, 186),
    ]
    assert rows[3].by_exchange == {"kucoin": 86, "binance": 100}
    assert [(one.currency, one.amount, one.value) for one in rows[0].unvalued] == [("OLD", 2, None)]
    two_days = Interval(length_ms=2 * DAY_MS)
    (last,) = (await store.portfolio.equity(T._replace(until_ms=start + 120_000), interval=two_days)).rows[-1:]
    assert (last.at_ms - start, last.holdings) == (80_000, None)
    (whole,) = (await store.portfolio.equity(T._replace(until_ms=start + 60_000), holdings=True)).rows
    assert [one.currency for one in whole.holdings or ()] == ["ETH", "EUR", "KCS", "OLD", "USDT"]


async def test_what_is_borrowed_is_no_equity(store: Store, name: NAME) -> None:
    """A debt is taken off, also where nothing is held; a total below zero is a debt by itself, and counts once."""
    start = now_ms() // MINUTE_MS * MINUTE_MS - 2 * MINUTE_MS
    account = name("watchBalance", None)
    held = {
        "USDT": Balance(total=100.0, debt=60.5),
        "ETH": Balance(total=0.0, debt=2.0),
        "KCS": Balance(total=-3.0, debt=3.0),
    }
    async with store.batch() as batch:
        batch.balances_snapshot(Place(account.snapshot, MessageId(1, 1), start), MessageId(1, 0), b"{}", held)
    await store.maintain(currencies={T.tenant: "USDT"})
    first, *_ = (await store.portfolio.equity(T, holdings=True)).rows
    assert first.value == Decimal("39.5")
    assert [(one.currency, one.amount, one.debt) for one in first.holdings or ()] == [
        ("ETH", -2, 2),
        ("KCS", -3, 3),
        ("USDT", Decimal("39.5"), Decimal("60.5")),
    ]
    shown = (await store.account.balances(T)).rows
    assert {(one.currency, one.total, one.debt) for one in shown} == {
        ("ETH", 0, 2),
        ("KCS", -3, 3),
        ("USDT", 100, Decimal("60.5")),
    }


async def test_a_balance_that_a_new_snapshot_does_not_name_is_gone(store: Store, name: NAME) -> None:
    """The first snapshot of an epoch holds everything."""
    start = now_ms() // MINUTE_MS * MINUTE_MS - 3 * MINUTE_MS
    account = name("watchBalance", None)
    async with store.batch() as batch:
        for epoch, held in ((1, {"USDT": Balance(5.0), "USD": Balance(1.0)}), (2, {"USDT": Balance(7.0)})):
            place = Place(account.snapshot, MessageId(epoch, 1), start + epoch * MINUTE_MS)
            batch.balances_snapshot(place, MessageId(epoch, 0), b"{}", held)
    await store.maintain(currencies={T.tenant: "USDT"})
    first, second, *_ = (await store.portfolio.equity(T)).rows
    assert ([one.currency for one in first.unvalued], second.unvalued) == (["USD"], [])
    assert (first.value, second.value) == (5, 7)


async def test_an_answer_without_pages_is_bounded(traded: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many rows are refused with what to do; rows that are summed count too."""
    monkeypatch.setattr("millrace_store.queries.portfolio._MOST_PERIODS", 3)
    with pytest.raises(RangeTooLarge, match="shorter time"):
        await traded.portfolio.profits(T)
    assert len(await traded.portfolio.profits(T, sources=["A"], apart=["symbol"])) == 2


async def test_the_retention_leaves_what_positions_are_made_of(traded: Store) -> None:
    """Own trades and positions stay when other history is dropped; old equity goes."""
    before = (await traded.portfolio.positions(T)).rows
    async with traded._database.writing() as writer:
        await writer.insert_missing(tables.equity, [("T", DAY, "USDT", Decimal(1), "[]")])
    assert len((await traded.portfolio.equity(T)).rows) == 1
    await traded.maintain(Retention(other_days=1))
    assert await traded.rebuild_positions(T.tenant) == 7
    assert (await traded.portfolio.positions(T)).rows == before
    assert (await traded.portfolio.equity(T)).rows == []
