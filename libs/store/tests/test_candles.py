"""Candles from trades: exact, whatever the interval and whenever the trades come."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.clock import MINUTE_MS
from millrace_core.intervals import WEEK_MS
from millrace_core.market import Trade
from millrace_core.names import ExchangeId, StreamName, Symbol, Tenant
from millrace_store import BadCursor, QuestionTooLarge, Scope, Store
from millrace_store.backends.reading import rows_read
from millrace_store.queries.candle_building import CandleTrade, build, merge
from millrace_store.queries.candles import rebuild_stale

SCOPE = Scope(Tenant("T"), ExchangeId("kucoin"), Symbol("KCS/USDT"))
_money = st.decimals(min_value="0.00000001", max_value="100000", places=8)
_trades = st.lists(st.builds(CandleTrade, st.integers(0, 20 * MINUTE_MS), _money, _money), max_size=60).map(sorted)


@given(_trades, st.integers(1, 12))
def test_candles_of_candles_are_the_candles_of_the_trades(trades: list[CandleTrade], minutes: int) -> None:
    """Merging minutes equals building from the trades, to the last digit."""
    interval = minutes * MINUTE_MS
    assert merge(build(trades, MINUTE_MS), interval) == build(trades, interval)


@given(_trades, st.integers(0, 60))
def test_a_candle_in_two_parts_merges_to_itself(trades: list[CandleTrade], cut: int) -> None:
    """It does not matter where a run of trades is cut into pieces."""
    parts = [*build(trades[:cut], MINUTE_MS), *build(trades[cut:], MINUTE_MS)]
    assert merge(parts, MINUTE_MS) == build(trades, MINUTE_MS)


async def play(store: Store, journal: Any, trades: Callable[..., list[Trade]], minutes: int) -> None:
    async with store.batch() as batch:
        for second in range(0, minutes * 60, 10):
            at_ms = journal.epoch + second * 1_000
            batch.trades(journal.next(at_ms), trades(at_ms, (100 + second % 7 / 10, 0.1), (99.5, 0.2)))


async def test_candles_are_exact_before_and_after_they_are_kept(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """Built from trades at each query or kept by minutes, they are the same."""
    stream = journal(name("watchTrades"))
    await play(store, stream, trades, 90)
    for interval in (MINUTE_MS, 5 * MINUTE_MS, 7 * MINUTE_MS, 90_000):
        fresh = (await store.market.candles_from_trades(SCOPE, interval)).rows
        await rebuild_stale(store._database)
        assert (await store.market.candles_from_trades(SCOPE, interval)).rows == fresh
        times = {at - at % interval for at in range(stream.epoch, stream.epoch + 90 * MINUTE_MS, 10_000)}
        assert [candle.at_ms for candle in fresh] == sorted(times)
        assert sum(candle.volume for candle in fresh) == 540 * Decimal("0.3")
        assert sum(candle.trades or 0 for candle in fresh) == 1080
        assert fresh[0].open == 100
        assert {candle.low for candle in fresh} == {Decimal("99.5")}


async def test_a_late_trade_still_counts(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """A trade of a minute that was kept already changes that minute's candle."""
    stream = journal(name("watchTrades"))
    await play(store, stream, trades, 3)
    assert await rebuild_stale(store._database) == 3
    async with store.batch() as batch:
        batch.trades(stream.next(), trades(stream.epoch + 61_000, (500.0, 1.0)))
    candles = (await store.market.candles_from_trades(SCOPE, MINUTE_MS)).rows
    assert [candle.high for candle in candles] == [Decimal("100.6"), 500, Decimal("100.6")]
    assert await rebuild_stale(store._database) == 1
    assert (await store.market.candles_from_trades(SCOPE, MINUTE_MS)).rows == candles


async def test_pages_of_candles_join_without_a_seam(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """Pages by cursor equal one long page, and a range returns whole candles."""
    stream = journal(name("watchTrades"))
    await play(store, stream, trades, 30)
    await rebuild_stale(store._database)
    whole = (await store.market.candles_from_trades(SCOPE, MINUTE_MS)).rows
    cursor, pages = None, []
    while True:
        page = await store.market.candles_from_trades(SCOPE, MINUTE_MS, limit=7, cursor=cursor)
        pages += page.rows
        if (cursor := page.next_cursor) is None:
            break
    assert pages == whole
    part = SCOPE._replace(since_ms=stream.epoch + 90_000, until_ms=stream.epoch + 4 * MINUTE_MS)
    assert (await store.market.candles_from_trades(part, MINUTE_MS)).rows == whole[1:4]


async def test_candles_that_cannot_be_are_refused(store: Store) -> None:
    """No interval, no symbol, or a foreign cursor are mistakes; a market without trades has no candles."""
    assert (await store.market.candles_from_trades(SCOPE, MINUTE_MS)).rows == []
    with pytest.raises(ValueError, match="interval"):
        await store.market.candles_from_trades(SCOPE, 0)
    with pytest.raises(ValueError, match="symbol"):
        await store.market.candles_from_trades(SCOPE._replace(symbol=None), 60_000)
    with pytest.raises(BadCursor):
        await store.market.candles_from_trades(SCOPE, 60_000, cursor="x")


@pytest.mark.parametrize("interval", [90_000, 2 * MINUTE_MS])
async def test_a_question_reads_no_more_than_it_may(
    interval: int,
    store: Store,
    journal: Any,
    trades: Callable[..., list[Trade]],
    name: Callable[..., StreamName],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its page ends early, with a cursor; all pages together are the same candles."""
    await play(store, journal(name("watchTrades")), trades, 40)
    whole = (await store.market.candles_from_trades(SCOPE, interval)).rows
    monkeypatch.setattr("millrace_store.queries.candles._TRADES_A_PIECE", 10)
    monkeypatch.setattr("millrace_store.queries.candles.MAX_ROWS", 60)
    cursor, pages, counted = None, [], list[int]()
    rows_read.set(counted.append)
    while True:
        page = await store.market.candles_from_trades(SCOPE, interval, cursor=cursor)
        pages.append(page.rows)
        if (cursor := page.next_cursor) is None:
            break
    assert [candle for rows in pages for candle in rows] == whole
    assert len(pages) > 5
    assert 480 <= sum(counted) <= 480 + 60 * len(pages)
    with pytest.raises(QuestionTooLarge, match="shorter `interval`"):
        await store.market.candles_from_trades(SCOPE, 40 * MINUTE_MS + interval % MINUTE_MS)


async def test_weeks_open_on_monday(store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Any) -> None:
    """As those of exchanges do, whatever part of a week is asked for."""
    monday, stream = 1_759_708_800_000, journal(name("watchTrades"))
    async with store.batch() as batch:
        for at_ms in (monday - 1, monday, monday + WEEK_MS - 1, monday + WEEK_MS):
            batch.trades(stream.next(at_ms), trades(at_ms, (100.0, 1.0)))
    found = (await store.market.candles_from_trades(SCOPE, WEEK_MS)).rows
    assert [(each.at_ms, each.trades) for each in found] == [(monday - WEEK_MS, 1), (monday, 2), (monday + WEEK_MS, 1)]
    part = SCOPE._replace(since_ms=monday + 1, until_ms=monday + 2)
    assert [each.at_ms for each in (await store.market.candles_from_trades(part, WEEK_MS)).rows] == [monday]
