"""The price of a currency at a moment: the newest of what is stored."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from millrace_core.market import Trade
from millrace_core.names import StreamName
from millrace_store import Store
from millrace_store.portfolio.prices import OLDEST_MS, Prices

START_MS = 1_760_000_040_000
NAME = Callable[..., StreamName]


async def price(store: Store, at_ms: int, currency: str = "KCS", target: str = "USDT") -> Decimal | None:
    """Return the price before a moment."""
    async with store._database.reading() as reader:
        found = await (await Prices.of(reader, "T", "kucoin")).price(currency, target, at_ms)
    return None if found is None else found.price


async def test_the_newest_of_all_feeds_counts(store: Store, journal: Any, name: NAME) -> None:
    """Trades, tickers with a last price, candles by their close; never what came later, nor what is too old."""
    async with store.batch() as batch:
        batch.trades(
            journal(name("watchTrades", tenant="PUBLIC")).next(START_MS), [Trade("1", START_MS, "", "buy", 10.5, 1.0)]
        )
        tickers = journal(name("watchTicker"))
        for at_ms, data in ((10, b'{"last":11.25}'), (20, b'{"bid":11.0}'), (30, b'{"last":null}')):
            batch.ticker(tickers.next(START_MS + at_ms), data)
        candle = (START_MS + 60_000, 1.0, 2.0, 0.5, 12.75, 9.0)
        batch.candles(journal(name("watchOHLCV")).next(), "1m", [candle])
        batch.trades(journal(name("watchTrades", exchange="okx")).next(), [Trade("1", START_MS, "", "buy", 99.0, 1.0)])
    found = [await price(store, START_MS + after) for after in (0, 1, 10, 11, 59_000, 60_001, OLDEST_MS + 121_000)]
    assert [None if one is None else str(one) for one in found] == [
        *(None, "10.5", "10.5", "11.25", "11.25", "12.75"),
        None,
    ]


async def test_a_book_tells_the_price_where_nothing_else_does(store: Store, journal: Any, book_history: Any) -> None:
    """The middle between best bid and best ask, at that moment."""
    history = book_history(store)
    await history.play(120)
    place, _, bids, asks = history.states[60]
    middle = (Decimal(repr(bids[0][0])) + Decimal(repr(asks[0][0]))) / 2
    assert await price(store, place.at_ms) == middle
    assert await price(store, START_MS - 1) is None


async def test_other_ways_to_a_currency(store: Store, journal: Any, name: NAME) -> None:
    """The inverse of a market, and two markets with one currency between them; derivatives tell nothing."""
    markets = {"USDT/EUR": 0.8, "KCS/USDT": 10.0, "ETH/EUR:EUR": 7.0}
    async with store.batch() as batch:
        for symbol, value in markets.items():
            batch.trades(
                journal(name("watchTrades", symbol)).next(START_MS), [Trade("1", START_MS, "", "buy", value, 1.0)]
            )
    at_ms = START_MS + 1
    assert await price(store, at_ms, "EUR", "USDT") == Decimal("1.25")
    assert await price(store, at_ms, "KCS", "EUR") == 8
    assert await price(store, at_ms, "EUR", "KCS") == Decimal("0.125")
    assert await price(store, at_ms, "ETH", "EUR") is None
    assert await price(store, at_ms, "ETH", "ETH") == 1


async def test_of_several_ways_the_newest_counts(store: Store, journal: Any, name: NAME) -> None:
    """A market in which nobody has traded for most of an hour says what a coin was worth then."""
    old_ms = START_MS - OLDEST_MS * 3 // 4
    markets = {"KCS/AAA": (3.0, old_ms), "AAA/USDT": (3.0, START_MS), "KCS/BTC": (0.5, START_MS)}
    markets["BTC/USDT"] = (20.0, START_MS)
    async with store.batch() as batch:
        for symbol, (value, traded_ms) in markets.items():
            trade = Trade("1", traded_ms, "", "buy", value, 1.0)
            batch.trades(journal(name("watchTrades", symbol)).next(traded_ms), [trade])
    assert await price(store, START_MS + 1, "KCS", "USDT") == 10


async def test_a_ticker_of_another_program_has_no_price(store: Store, journal: Any, name: NAME) -> None:
    """Tickers are stored as they were published; maintenance must not end with one."""
    tickers = journal(name("watchTicker"))
    odd = (b'{"last":"x"}', b'{"last":[1]}', b'{"last":true}', b'[{"last":1}]', b'{"last":{"last":1}}')
    for at_ms, data in enumerate(odd):
        async with store.batch() as batch:
            batch.ticker(tickers.next(START_MS + at_ms), data)
        assert await price(store, START_MS + at_ms + 1) is None
