"""Positions and profit equal an independent count of the simulator's own fills, to the last digit.

`MILLRACE_TEST_FILLS=100000` counts that many.
"""

import os
from fractions import Fraction
from random import Random
from typing import Any

from tests.support.databases import Database, on_databases
from tests.support.fills import DAY_MS, SYMBOL, Account, Paid, counted, random_candles, random_fills

from millrace_core.ids import MessageId, new_request_id
from millrace_core.intervals import Interval
from millrace_core.messages import Response
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import Order
from millrace_core.trace import Trace
from millrace_store import Place, Scope, Store

FILLS = int(os.environ.get("MILLRACE_TEST_FILLS", "600"))
TENANT = Tenant("T")
EPOCH = 1_750_000_000_000


def name(action: str, symbol: str = SYMBOL, tenant: Tenant = TENANT) -> str:
    """Return a stream of the exchange."""
    return str(StreamName(tenant, ExchangeId("binance"), Action(action), Symbol(symbol)))


async def store_fills(store: Store, random: Random, fills: list[Paid]) -> None:
    """Store fills as they may come: some late, some twice, the answers to their orders before or after them."""
    arriving = [(paid.at_ms + random.choice([0, 0, 0, 30_000, 7_200_000]), paid) for paid in fills]
    arriving += [(paid.at_ms + 60_000, paid) for paid in random.sample(fills, len(fills) // 50)]
    arriving.sort(key=lambda one: one[0])
    late = {paid.order: at_ms for at_ms, paid in arriving if random.randrange(3) == 0}
    answered, seq, at = set[int](), {"watchMyTrades": 0, "createOrder": 0}, 0

    def place(action: str, at_ms: int) -> Place:
        seq[action] += 1
        return Place(name(action), MessageId(EPOCH, seq[action]), at_ms)

    while at < len(arriving):
        step = random.randrange(1, 200)
        async with store.batch() as batch:
            for at_ms, paid in arriving[at : at + step]:
                if paid.source and paid.order not in answered and late.get(paid.order, 0) <= at_ms:
                    answered.add(paid.order)
                    order = Order(str(paid.order), SYMBOL)
                    said = Response(new_request_id(), "done", order, paid.source)
                    batch.response(place("createOrder", at_ms), said, Trace())
                batch.own_trades(place("watchMyTrades", at_ms), [paid.as_reported()])
        at += step


def exact(*numbers: Any) -> list[Fraction]:
    """Return numbers as fractions."""
    return [Fraction(number) for number in numbers]


@on_databases("sqlite")
async def test_positions_and_profit_equal_an_independent_count(database: Database) -> None:
    """By strategy, in total and by day, with fees in base, quote and a third currency."""
    random = Random(5)
    fills = random_fills(random, FILLS)
    candles = random_candles(random, fills)
    expected: dict[str | None, Account] = {}
    days: dict[tuple[int, str | None], Fraction] = {}
    for paid, source, account in counted(fills, candles):
        expected[source] = account
        days[paid.at_ms // DAY_MS * DAY_MS, source] = account.profit
    async with Store.open(database.url) as store:
        async with store.batch() as batch:
            bnb = Place(name("watchOHLCV", "BNB/USDT", PUBLIC), MessageId(EPOCH, 1), EPOCH)
            batch.candles(bnb, "1m", candles)
        await store_fills(store, random, fills)
        as_they_came = (await store.portfolio.positions(Scope(TENANT))).rows
        assert await store.rebuild_positions(TENANT) == FILLS
        found = (await store.portfolio.positions(Scope(TENANT))).rows
        by_day = await store.portfolio.profits(Scope(TENANT), apart=["source"], interval=Interval(length_ms=DAY_MS))
    assert {row.order_source for row in found} == set(expected) == {None, "A", "B", "C"}
    for row in as_they_came:
        one = expected[row.order_source]
        assert (row.trades, *exact(row.quantity, row.cost)) == (one.trades, one.held, one.cost)
    for row in found:
        one = expected[row.order_source]
        assert row.trades == one.trades
        assert exact(row.quantity, row.cost) == [one.held, one.cost]
        assert exact(row.realised, row.fees) == [one.profit, one.fees]
        assert Fraction(row.unvalued_fees.get("BNB", 0)) == one.unvalued
    assert all(account.unvalued and account.fees and account.held for account in expected.values())
    totals = dict.fromkeys(expected, Fraction(0))
    for profit in by_day:
        totals[profit.order_source] += Fraction(profit.realised)
        assert totals[profit.order_source] == days.pop((profit.at_ms, profit.order_source))
    assert days == {}
