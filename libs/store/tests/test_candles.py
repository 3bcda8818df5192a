"""Candles from trades: exact, whatever the interval and whenever the trades come."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.clock import MINUTE_MS
from millrace_core.intervals import WEEK_MS, Interval
from millrace_core.market import Trade
from millrace_core.names import ExchangeId, StreamName, Symbol, Tenant
from millrace_store import BadCursor, QuestionTooLarge, Scope, Store
from millrace_store.backends.reading import rows_read
from millrace_store.queries.candle_building import CandleTrade, build, merge
from millrace_store.queries.candles import rebuild_stale
from millrace_store.queries.records import CandleRecord

MINUTE, WEEK = Interval(length_ms=MINUTE_MS), Interval(length_ms=WEEK_MS)
SCOPE = Scope(Tenant("T"), ExchangeId("kucoin"), Symbol("KCS/USDT"))
_money = st.decimals(min_value="0.00000001", max_value="100000", places=8)
_trades = st.lists(st.builds(CandleTrade, st.integers(0, 20 * MINUTE_MS), _money, _money), max_size=60).map(sorted)


@given(_trades, st.integers(1, 12))
def test_candles_of_candles_are_the_candles_of_the_trades(trades: list[CandleTrade], minutes: int) -> None:
    """Merging minutes equals building from the trades, to the last digit."""
    interval = Interval(length_ms=minutes * MINUTE_MS)
    assert merge(build(trades, MINUTE), interval) == build(trades, interval)


@given(_trades, st.integers(0, 60))
def test_a_candle_in_two_parts_merges_to_itself(trades: list[CandleTrade], cut: int) -> None:
    """It does not matter where a run of trades is cut into pieces."""
    parts = [*build(trades[:cut], MINUTE), *build(trades[cut:], MINUTE)]
    assert merge(parts, MINUTE) == build(trades, MINUTE)


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
    for length_ms in (MINUTE_MS, 5 * MINUTE_MS, 7 * MINUTE_MS, 90_000):
        interval = Interval(length_ms=length_ms)
        fresh = (await store.market.candles_from_trades(SCOPE, interval)).rows
        await rebuild_stale(store._database)
        assert (await store.market.candles_from_trades(SCOPE, interval)).rows == fresh
        times = {at - at % length_ms for at in range(stream.epoch, stream.epoch + 90 * MINUTE_MS, 10_000)}
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
    candles = (await store.market.candles_from_trades(SCOPE, MINUTE)).rows
    assert [candle.high for candle in candles] == [Decimal("100.6"), 500, Decimal("100.6")]
    assert await rebuild_stale(store._database) == 1
    assert (await store.market.candles_from_trades(SCOPE, MINUTE)).rows == candles


async def in_pages(store: Store, interval: Interval, limit: int) -> list[CandleRecord]:
    """Return all candles of an interval, read page by page."""
    cursor, found = None, list[CandleRecord]()
    while True:
        page = await store.market.candles_from_trades(SCOPE, interval, limit=limit, cursor=cursor)
        found += page.rows
        if (cursor := page.next_cursor) is None:
            return found


async def test_pages_of_candles_join_without_a_seam(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """Pages by cursor equal one long page, and a range returns whole candles."""
    stream = journal(name("watchTrades"))
    await play(store, stream, trades, 30)
    await rebuild_stale(store._database)
    whole = (await store.market.candles_from_trades(SCOPE, MINUTE)).rows
    assert await in_pages(store, MINUTE, limit=7) == whole
    part = SCOPE._replace(since_ms=stream.epoch + 90_000, until_ms=stream.epoch + 4 * MINUTE_MS)
    assert (await store.market.candles_from_trades(part, MINUTE)).rows == whole[1:4]


async def test_candles_that_cannot_be_are_refused(store: Store) -> None:
    """No symbol, or a foreign cursor, is a mistake; a market without trades has no candles."""
    assert (await store.market.candles_from_trades(SCOPE, MINUTE)).rows == []
    with pytest.raises(ValueError, match="symbol"):
        await store.market.candles_from_trades(SCOPE._replace(symbol=None), MINUTE)
    with pytest.raises(BadCursor):
        await store.market.candles_from_trades(SCOPE, MINUTE, cursor="x")


@pytest.mark.parametrize("length_ms", [90_000, 2 * MINUTE_MS])
async def test_a_question_reads_no_more_than_it_may(
    length_ms: int,
    store: Store,
    journal: Any,
    trades: Callable[..., list[Trade]],
    name: Callable[..., StreamName],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its page ends early, with a cursor; all pages together are the same candles."""
    interval = Interval(length_ms=length_ms)
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
        await store.market.candles_from_trades(SCOPE, Interval(length_ms=40 * MINUTE_MS + length_ms % MINUTE_MS))


async def test_weeks_open_on_monday(store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Any) -> None:
    """As those of exchanges do, whatever part of a week is asked for."""
    monday, stream = 1_759_708_800_000, journal(name("watchTrades"))
    async with store.batch() as batch:
        for at_ms in (monday - 1, monday, monday + WEEK_MS - 1, monday + WEEK_MS):
            batch.trades(stream.next(at_ms), trades(at_ms, (100.0, 1.0)))
    found = (await store.market.candles_from_trades(SCOPE, WEEK)).rows
    assert [(each.at_ms, each.trades) for each in found] == [(monday - WEEK_MS, 1), (monday, 2), (monday + WEEK_MS, 1)]
    part = SCOPE._replace(since_ms=monday + 1, until_ms=monday + 2)
    assert [each.at_ms for each in (await store.market.candles_from_trades(part, WEEK)).rows] == [monday]


@pytest.mark.parametrize(
    ("timeframe", "opens"),
    [
        ("1M", ["2023-11", "2023-12", "2024-01", "2024-02", "2024-03"]),
        ("3M", ["2023-10", "2024-01"]),
        ("12M", ["2023-01", "2024-01"]),
    ],
)
async def test_months_open_by_the_calendar(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Any, timeframe: str, opens: Sequence[str]
) -> None:
    """Over the turn of a year and a leap day, in one page or in many: every trade counts once, in its month."""
    months = ("2023-12", "2024-01", "2024-02", "2024-03")
    firsts = [int(datetime.fromisoformat(f"{month}-01T00:00:00Z").timestamp()) * 1_000 for month in months]
    leap_day = int(datetime(2024, 2, 29, 12, tzinfo=UTC).timestamp()) * 1_000
    times = sorted([leap_day, *(each for first in firsts for each in (first - 1, first, first + 40 * MINUTE_MS))])
    stream = journal(name("watchTrades"))
    async with store.batch() as batch:
        for number, at_ms in enumerate(times):
            batch.trades(stream.next(at_ms), trades(at_ms, (100.0 + number, 1.0)))
    interval = Interval.parse(timeframe)
    fresh = (await store.market.candles_from_trades(SCOPE, interval)).rows
    await rebuild_stale(store._database)
    assert (await store.market.candles_from_trades(SCOPE, interval)).rows == fresh
    assert [f"{datetime.fromtimestamp(each.at_ms / 1_000, UTC):%Y-%m-%d %T}" for each in fresh] == [
        f"{month}-01 00:00:00" for month in opens
    ]
    bounds = [*(each.at_ms for each in fresh), times[-1] + 1]
    inside = [[at for at in times if bounds[number] <= at < bounds[number + 1]] for number in range(len(fresh))]
    assert [(each.trades, each.volume) for each in fresh] == [(len(each), len(each)) for each in inside]
    assert [(each.open, each.close) for each in fresh] == [
        (100 + times.index(each[0]), 100 + times.index(each[-1])) for each in inside
    ]
    for limit in (1, 2):
        assert await in_pages(store, interval, limit) == fresh
    part = SCOPE._replace(since_ms=leap_day, until_ms=leap_day + 1)
    assert (await store.market.candles_from_trades(part, interval)).rows == [
        each for each in fresh if each.at_ms == interval.open_of(leap_day)
    ]
