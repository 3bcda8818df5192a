"""Market data: pages that hold under writes, tickers made whole."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from millrace_core.decimals import number
from millrace_core.ids import MessageId
from millrace_core.market import Balance, Trade
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import Status
from millrace_core.names import ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import Order
from millrace_store import BadCursor, Scope, Store
from millrace_store.queries.records import TradeRecord

SCOPE = Scope(Tenant("T"))


async def all_trades(store: Store, scope: Scope, limit: int, *, descending: bool = False) -> list[TradeRecord]:
    cursor, rows = None, []
    while True:
        page = await store.market.trades(scope, limit=limit, cursor=cursor, descending=descending)
        assert len(page.rows) <= limit
        rows += page.rows
        if (cursor := page.next_cursor) is None:
            return rows


@pytest.fixture
async def traded(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> Store:
    """A store with trades of three markets, many at the same moment, and one of another tenant."""
    streams = [journal(name("watchTrades", symbol)) for symbol in ("KCS/USDT", "BTC/USDT", "ETH/USDT")]
    async with store.batch() as batch:
        for step in range(40):
            for stream in streams:
                at_ms = stream.epoch + step // 3 * 1_000
                batch.trades(stream.next(), trades(at_ms, (1.10, 0.1), (1e-8, 2.0)))
        batch.trades(journal(name("watchTrades", tenant="OTHER")).next(), trades(streams[0].epoch, (7.0, 7.0)))
    return store


@pytest.mark.parametrize("descending", [False, True])
async def test_pages_join_without_a_seam(traded: Store, descending: bool) -> None:
    """Over one market or all, of any size, the pages hold each trade once and in order."""
    for scope in (SCOPE, SCOPE._replace(symbol=Symbol("BTC/USDT")), SCOPE._replace(exchange=ExchangeId("kucoin"))):
        whole = await all_trades(traded, scope, 10_000, descending=descending)
        assert len(whole) == (80 if scope.symbol else 240)
        assert len({(one.symbol, one.message_id, one.id) for one in whole}) == len(whole)
        assert [one.at_ms for one in whole] == sorted((one.at_ms for one in whole), reverse=descending)
        for limit in (1, 7, 79, 80, 240):
            if limit > 1 or scope.symbol:
                assert await all_trades(traded, scope, limit, descending=descending) == whole


async def test_pages_hold_while_others_write(
    traded: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """Rows written between two pages neither repeat nor displace any that were there."""
    before = await all_trades(traded, SCOPE, 10_000)
    first = await traded.market.trades(SCOPE, limit=100)
    stream = journal(name("watchTrades"), epoch=1_760_000_099_000)
    async with traded.batch() as batch:
        batch.trades(stream.next(), trades(1_760_000_040_000, (5.0, 5.0)))
        batch.trades(stream.next(), trades(1_760_000_099_000, (6.0, 6.0)))
    cursor, rest = first.next_cursor, []
    while cursor is not None:
        page = await traded.market.trades(SCOPE, limit=100, cursor=cursor)
        rest, cursor = rest + page.rows, page.next_cursor
    assert [row for row in first.rows + rest if row.price not in (5, 6)] == before
    assert rest[-1].price == 6


async def test_trades_keep_every_digit(traded: Store) -> None:
    """Prices are decimals of exactly the digits that travelled."""
    (one, other) = (await traded.market.trades(SCOPE._replace(symbol=Symbol("KCS/USDT")), limit=2)).rows
    assert (one.price, other.price) == (Decimal("1.1"), Decimal("1E-8"))
    assert (one.exchange, one.side, one.at_ms) == ("kucoin", "buy", 1_760_000_040_000)


async def test_a_range_is_half_open(traded: Store) -> None:
    """`since_ms` belongs to the range and `until_ms` does not; a cursor keeps within both."""
    scope = SCOPE._replace(since_ms=1_760_000_041_000, until_ms=1_760_000_043_000)
    rows = await all_trades(traded, scope, 5)
    assert {row.at_ms for row in rows} == {1_760_000_041_000, 1_760_000_042_000}
    assert len(rows) == 36
    assert await all_trades(traded, scope, 5, descending=True) == sorted(
        rows, key=lambda row: rows.index(row), reverse=True
    )


@pytest.mark.parametrize("cursor", ["", "x", "e30", "WzFd", "WzEsMiwzLDQsInUiXQ", "é", "[1,2,3,4,5]"])
async def test_a_cursor_of_no_page_is_refused(traded: Store, cursor: str) -> None:
    """Anything but a cursor of this query raises BadCursor, never an error of the database."""
    with pytest.raises(BadCursor):
        await traded.market.trades(SCOPE, cursor=cursor)


async def test_a_tenant_sees_its_own_streams_only(traded: Store) -> None:
    """Neither trades nor names of another tenant are given."""
    assert {str(stream) for stream in await traded.market.streams(Scope(Tenant("OTHER")))} == {
        "stream.OTHER.kucoin.watchTrades.KCS/USDT"
    }
    assert len(await all_trades(traded, Scope(Tenant("OTHER")), 10)) == 1
    assert await all_trades(traded, Scope(Tenant("NOBODY")), 10) == []


async def test_tickers_are_whole(store: Store, journal: Any, name: Callable[..., StreamName]) -> None:
    """Every page returns the whole ticker after each message, from the newest snapshot before it."""
    stream = journal(name("watchTicker"))
    async with store.batch() as batch:
        whole = b'{"symbol":"KCS/USDT","bid":1.0,"last":0,"asOf":"%d-0"}' % stream.epoch
        batch.snapshot(journal(name("watchTicker").snapshot).next(stream.epoch), MessageId(stream.epoch, 0), whole)
        for number in range(1, 10):
            batch.ticker(stream.next(), b'{"last":%d}' % number if number % 2 else b'{"bid":%d}' % number)
    seen, cursor = [], None
    while True:
        page = await store.market.tickers(SCOPE, limit=2, cursor=cursor)
        seen += [(row.ticker["last"], row.ticker["bid"], row.ticker["symbol"]) for row in page.rows]
        if (cursor := page.next_cursor) is None:
            break
    assert seen[:4] == [(1, 1.0, "KCS/USDT"), (1, 2, "KCS/USDT"), (3, 2, "KCS/USDT"), (3, 4, "KCS/USDT")]
    assert seen[-1][:2] == (9, 8)


async def test_a_field_of_a_ticker_that_ran_out_is_gone(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """After a null the field is in no later ticker, until it has a value again; also where a page begins after it."""
    stream = journal(name("watchTicker"))
    async with store.batch() as batch:
        whole = b'{"bid":1.0,"ask":2.0,"asOf":"%d-0"}' % stream.epoch
        batch.snapshot(journal(name("watchTicker").snapshot).next(stream.epoch), MessageId(stream.epoch, 0), whole)
        for data in (b'{"bid":null}', b'{"ask":3}', b'{"bid":1}'):
            batch.ticker(stream.next(), data)
    first = await store.market.tickers(SCOPE, limit=1)
    rest = await store.market.tickers(SCOPE, cursor=first.next_cursor)
    assert [row.ticker for row in (*first.rows, *rest.rows)] == [{"ask": 2.0}, {"ask": 3}, {"bid": 1, "ask": 3}]


async def test_candles_of_the_exchange_are_replaced_by_newer_ones(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """An interval that was sent again has its last values; timeframes and pages are kept apart."""
    stream = journal(name("watchOHLCV"))
    for close in (1.5, 1.7):
        async with store.batch() as batch:
            batch.candles(
                stream.next(), "1m", [(60_000, 1.0, 2.0, 0.5, 1.0, 3.0), (120_000, 1.0, 2.0, 0.5, close, 3.0)]
            )
            batch.candles(stream.next(), "5m", [(0, 1.0, 2.0, 0.5, 9.0, 3.0)])
    first = await store.market.candles(SCOPE, "1m", limit=1)
    second = await store.market.candles(SCOPE, "1m", limit=1, cursor=first.next_cursor)
    assert [row.close for row in first.rows + second.rows] == [1, Decimal("1.7")]
    assert second.next_cursor is None
    assert [row.close for row in (await store.market.candles(SCOPE, "5m")).rows] == [9]


async def test_events_are_given_as_they_travelled(store: Store, journal: Any, name: Callable[..., StreamName]) -> None:
    """Messages without a table of their own are kept and given, by action."""
    async with store.batch() as batch:
        batch.event(journal(name("watchLiquidations", None)).next(), b'{"positions":[1.10]}')
        batch.event(journal(name("watchFundingRate")).next(), b'{"rate":0.1}')
    (event,) = (await store.market.events(SCOPE, "watchLiquidations")).rows
    assert (event.action, event.symbol, event.data) == ("watchLiquidations", None, {"positions": [1.1]})


async def test_digits_are_spelled_alike_on_both_databases(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """Without exponents, whether a number came as a float or as a decimal."""
    stream, orders = journal(name("watchTrades")), journal(name("watchOrders"))
    async with store.batch() as batch:
        batch.trades(stream.next(), trades(stream.epoch, (1e-8, 1e22)))
        batch.orders(orders.next(), [Order(id="1", symbol="KCS/USDT", price=Decimal("1E-8"), filled=Decimal("2E+3"))])
    async with store._database.reading() as reader:
        kinds = {"price": "trades", "amount": "trades", "filled": "order_events"}
        for column, table in (*kinds.items(), ("price", "orders")):
            ((text,),) = await reader.fetch(sa.text(f"SELECT CAST({column} AS TEXT) FROM {table}"))
            expected = {"amount": "10000000000000000000000", "filled": "2000", "price": "0.00000001"}[column]
            assert text == expected, (table, column)


async def test_every_digit_is_stored_on_both_databases(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> None:
    """Of more than a float holds, in all tables of numbers; what no exchange has is rounded, and stops nobody."""
    long = "1234567890123456789.123456789012345678"
    exact, absurd = number(long), msgspec.Raw(b"0." + b"1" * 20_000)
    streams = [journal(name(action)) for action in ("watchTrades", "watchMyTrades", "watchOHLCV", "watchBalance")]
    public, own, candles, balances = streams
    async with store.batch() as batch:
        batch.trades(public.next(), trades(public.epoch, (exact, msgspec.Raw(b"1.50e-7"))))
        batch.trades(public.next(), trades(public.epoch, (msgspec.Raw(long.encode()), absurd)))
        batch.own_trades(own.next(), trades(own.epoch, (exact, exact)))
        batch.candles(candles.next(), "1m", [(60_000, exact, exact, exact, exact, exact)])
        batch.balances(balances.next(), {"KCS": Balance(exact, exact, exact)})
    first, second = (await store.market.trades(SCOPE)).rows
    assert [str(each) for each in (first.price, first.amount, second.price)] == [long, "1.50E-7", long]
    assert str(second.amount) == repr(1 / 9)
    (made,), (candle,) = (await store.account.own_trades(SCOPE)).rows, (await store.market.candles(SCOPE, "1m")).rows
    (held,) = (await store.account.balances(SCOPE)).rows
    assert {str(each) for each in (made.price, candle.close, candle.volume, held.free, held.total)} == {long}


async def test_the_newest_terms_of_each_market_are_known(
    store: Store, journal: Any, name: Callable[..., StreamName]
) -> None:
    """Whichever of its streams told them; statuses without terms tell nothing, and other tenants' are not shown."""
    terms = [MarketTerms("KCS", "USDT", tick_size=Decimal(size)) for size in ("0.01", "0.001", "0.1")]
    book, trades = journal(name("watchOrderBook", "KCS/USDT")), journal(name("watchTrades", "KCS/USDT"))
    async with store.batch() as batch:
        batch.status(book.next(), Status("live", market=terms[0]))
        batch.status(book.next(book.epoch + 700), Status("stale", market=terms[1]))
        batch.status(book.next(book.epoch + 900), Status("closed"))
        batch.status(trades.next(), Status("live", market=terms[0]))
        other = journal(name("watchTrades", "KCS/USDT", tenant="OTHER"))
        batch.status(other.next(book.epoch + 990), Status("live", market=terms[2]))
        batch.status(journal(name("watchTrades", "BTC/USDT")).next(), Status("live"))
    (found,) = await store.market.terms(SCOPE)
    assert (found.symbol, found.at_ms, found.terms) == ("KCS/USDT", book.epoch + 700, terms[1])
    (then,) = await store.market.terms(SCOPE._replace(until_ms=book.epoch + 700))
    assert then.terms == terms[0]
    assert await store.market.terms(SCOPE._replace(symbol=Symbol("BTC/USDT"))) == []
    assert [m.terms for m in await store.market.terms(Scope(Tenant("OTHER")))] == [terms[2]]
