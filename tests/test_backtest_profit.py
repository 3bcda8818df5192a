"""A backtest, its strategies and the database count the same fills alike, and as a count in fractions does.

`MILLRACE_TEST_FILLS=100000` counts at least that many.
"""

import os
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.support.databases import Database, on_databases
from tests.support.fills import MINUTE_MS, Account
from tests.support.random_backtest import BEGIN_MS, BINANCE, BNB, KCS, KUCOIN, OWN_TRADES, TENANT, backtested

from millrace_backtest.exchange.orders import OwnFill
from millrace_backtest.result import result_of
from millrace_core.clock import NS_PER_MS
from millrace_core.ids import MessageId, new_request_id
from millrace_core.market import Candle, Fee, Trade
from millrace_core.messages import Response
from millrace_core.names import PUBLIC, Action, StreamName, Symbol
from millrace_core.orders import Order
from millrace_core.trace import Trace
from millrace_store import Place, Scope, Store

FILLS = int(os.environ.get("MILLRACE_TEST_FILLS", "600"))
Key = tuple[str, str]
"""Strategy and exchange."""


def counted(fills: list[OwnFill], bnb: dict[int, Decimal]) -> dict[Key, Account]:
    """Count fills in fractions; `bnb` has its price in each minute, or none where it shall not be known."""
    accounts = defaultdict[Key, Account](Account)
    for fill in fills:
        price = bnb.get(fill.at_ns // NS_PER_MS // MINUTE_MS * MINUTE_MS)
        signed = fill.amount if fill.side == "buy" else -fill.amount
        account, known = accounts[fill.source, fill.exchange], None if price is None else Fraction(price)
        account.fill(signed, fill.price, [(fill.fee.cost, fill.fee.currency)], known)
    return accounts


async def store_fills(store: Store, fills: list[OwnFill], bnb: dict[int, Decimal]) -> None:
    """Store what a gatherer and an executor would have written of the same fills, and the candles of BNB."""
    numbers, answered = defaultdict[str, Any](lambda: count(1)), set[str]()

    def place(action: str, symbol: Symbol, fill: OwnFill | None = None) -> Place:
        tenant, exchange, at_ms = (
            (PUBLIC, BINANCE, BEGIN_MS) if fill is None else (TENANT, fill.exchange, fill.at_ns // NS_PER_MS)
        )
        name = str(StreamName(tenant, exchange, Action(action), symbol))
        return Place(name, MessageId(BEGIN_MS, next(numbers[name])), at_ms)

    async with store.batch() as batch:
        candles: list[Candle] = [(at_ms, *[float(price)] * 4, 1.0) for at_ms, price in bnb.items()]
        batch.candles(place("watchOHLCV", BNB), "1m", candles)
    for first in range(0, len(fills), 500):
        async with store.batch() as batch:
            for number, fill in enumerate(fills[first : first + 500], first):
                if fill.order_id not in answered:
                    answered.add(fill.order_id)
                    said = Response(new_request_id(), "done", Order(fill.order_id, KCS), fill.source)
                    batch.response(place("createOrder", KCS, fill), said, Trace())
                fee = Fee(fill.fee.currency, float(fill.fee.cost))
                numbers_of = float(fill.price), float(fill.amount)
                at_ms = fill.at_ns // NS_PER_MS
                trade = Trade(str(number), at_ms, KCS, fill.side, *numbers_of, order=fill.order_id, fee=fee)
                batch.own_trades(place(OWN_TRADES, KCS, fill), [trade])


def exact(*numbers: Any) -> list[Fraction]:
    """Return numbers as fractions."""
    return [Fraction(number) for number in numbers]


@on_databases("sqlite")
@pytest.mark.timeout(120 + FILLS // 100)  # a hundred thousand take more than the usual limit
async def test_all_counts_of_the_same_fills_are_the_same(database: Database, tmp_path: Path) -> None:
    """The report of a backtest, `/positions` and `/pnl`, and what strategies see; fees in base, quote and BNB."""
    backtest, bnb = await backtested(tmp_path / "market.jsonl.gz", 60 + FILLS // 8)
    fills = backtest.ledger.fills
    assert len(fills) >= FILLS
    assert {fill.fee.currency for fill in fills} == {"KCS", "USDT", "BNB"}
    assert {fill.is_maker for fill in fills} == {True, False}
    expected = counted(fills, bnb)
    assert all(one.held and one.fees for one in expected.values())
    for market in result_of(backtest, []).markets:
        one = expected[market.strategy, market.exchange]
        assert (market.trades, *exact(market.position, market.cost)) == (one.trades, one.held, one.cost)
        assert exact(market.realised, market.fees) == [one.profit, one.fees]
    async with Store.open(database.url) as store:
        await store_fills(store, fills, bnb)
        assert await store.rebuild_positions(TENANT) == len(fills)
        positions = (await store.portfolio.positions(Scope(TENANT))).rows
        profits = await store.portfolio.profits(Scope(TENANT), apart=["source", "exchange"])
    assert len(positions) == len(profits) == len(expected) == 6
    for row in positions:
        one = expected[str(row.order_source), row.exchange]
        assert (row.trades, *exact(row.quantity, row.cost)) == (one.trades, one.held, one.cost)
    for profit in profits:
        one = expected[str(profit.order_source), str(profit.exchange)]
        assert exact(profit.realised, profit.fees) == [one.profit, one.fees]
    # A strategy sees the fee in BNB, but no price of it.
    seen = counted(fills, {})
    for run in backtest.runs:
        for exchange in (BINANCE, KUCOIN):
            one, position = seen[run.plan.name, exchange], run.runtime.positions[exchange, KCS].position
            assert (position.trades, *exact(position.quantity, position.cost)) == (one.trades, one.held, one.cost)
            assert exact(position.realised, position.fees) == [one.profit, one.fees]
            assert Fraction(position.unvalued_fees.get("BNB", 0)) == one.unvalued
