"""The price of one currency in another at a moment, by the market data that is stored."""

from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from millrace_core.clock import MINUTE_MS
from millrace_core.errors import InvalidMessage
from millrace_core.exact_json import exactly
from millrace_core.instrument import Instrument
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import PUBLIC, StreamName
from millrace_store.backends.database import Reader
from millrace_store.errors import BookUnknown
from millrace_store.queries.books import Moment, rebuild
from millrace_store.schema import tables

OLDEST_MS: Final = 60 * MINUTE_MS
"""A price that is older says nothing."""
_ROUNDED: Final = Context(prec=28)
"""For what cannot be exact: the inverse of a price, and a price by way of a third currency."""
_ACTIONS: Final = ("watchOHLCV", "watchTrades", "watchTicker", "watchOrderBook")
_BIG: Final = sa.BigInteger()


class Price(NamedTuple):
    """A price and its time."""

    at_ms: int
    price: Decimal


class _Feed(NamedTuple):
    stream: int
    name: str
    action: str


_Pair = tuple[str, str]
"""Base and quote currency."""


class Prices:
    """Prices on one exchange, from a tenant's own feeds and the public ones."""

    def __init__(self, reader: Reader, markets: dict[_Pair, list[_Feed]]) -> None:
        self._reader, self._markets = reader, markets

    @classmethod
    async def of(cls, reader: Reader, tenant: str, exchange: str) -> "Prices":
        """Return the prices of the spot markets that are stored."""
        table = tables.streams.c
        wanted = sa.select(table.id, table.name, table.action, table.symbol).where(
            table.tenant.in_((tenant, PUBLIC)),
            table.exchange == exchange,
            table.face == "deltas",
            table.action.in_(_ACTIONS),
            table.symbol.is_not(None),
        )
        markets: dict[_Pair, list[_Feed]] = {}
        for stream, name, action, symbol in await reader.fetch(wanted.order_by(table.id)):
            instrument = Instrument.of(symbol)
            if instrument.settle is None:
                markets.setdefault((instrument.base, instrument.quote), []).append(_Feed(stream, name, action))
        return cls(reader, markets)

    async def price(self, currency: str, target: str, at_ms: int) -> Price | None:
        """Return the newest price before a moment: of their market, else by way of one other currency.

        Of several ways that counts whose older price is newest: a market where nobody trades would tell an old value.
        """
        if currency == target:
            return Price(at_ms, Decimal(1))
        if (direct := await self._either_way(currency, target, at_ms)) is not None:
            return direct
        codes = {code for pair in self._markets for code in pair} - {currency, target}
        between = [code for code in sorted(codes) if self._has(currency, code) and self._has(code, target)]
        ways = [await self._by_way_of(code, currency, target, at_ms) for code in between]
        return max((way for way in ways if way is not None), key=lambda way: way.at_ms, default=None)

    def _has(self, one: str, other: str) -> bool:
        return (one, other) in self._markets or (other, one) in self._markets

    async def _by_way_of(self, between: str, currency: str, target: str, at_ms: int) -> Price | None:
        first = await self._either_way(currency, between, at_ms)
        second = None if first is None else await self._either_way(between, target, at_ms)
        if first is None or second is None:
            return None
        return Price(min(first.at_ms, second.at_ms), _ROUNDED.multiply(first.price, second.price))

    async def of_market(self, symbol: str, at_ms: int) -> Price | None:
        """Return the newest price of a spot market before a moment."""
        instrument = Instrument.of(symbol)
        pair = (instrument.base, instrument.quote)
        return None if instrument.settle is not None else await self._of_pair(pair, at_ms)

    async def _either_way(self, currency: str, target: str, at_ms: int) -> Price | None:
        if (found := await self._of_pair((currency, target), at_ms)) is not None:
            return found
        inverse = await self._of_pair((target, currency), at_ms)
        return None if inverse is None else Price(inverse.at_ms, _ROUNDED.divide(Decimal(1), inverse.price))

    async def _of_pair(self, pair: _Pair, at_ms: int) -> Price | None:
        feeds = self._markets.get(pair, [])
        found = [await self._of_feed(feed, at_ms) for feed in feeds if feed.action != "watchOrderBook"]
        best = _newest(found)
        if best is None:
            # Rebuilding a book takes longer than all other questions together.
            best = _newest([await self._of_book(feed, at_ms) for feed in feeds if feed.action == "watchOrderBook"])
        return best if best is not None and best.at_ms >= at_ms - OLDEST_MS else None

    async def _of_feed(self, feed: _Feed, at_ms: int) -> Price | None:
        rows = await self._reader.fetch(_NEWEST[feed.action](feed.stream, at_ms))
        if not rows:
            return None
        found_ms, value = rows[0]
        if feed.action == "watchOHLCV":
            # The time of a candle is when it opened; its close is newer.
            return Price(min(found_ms + MINUTE_MS, at_ms), Decimal(value))
        price = _last(value) if feed.action == "watchTicker" else value
        return None if price is None else Price(found_ms, Decimal(price))

    async def _of_book(self, feed: _Feed, at_ms: int) -> Price | None:
        try:
            rebuilt = await rebuild(self._reader, StreamName.parse(feed.name), Moment(at_ms))
        except BookUnknown:
            return None
        book = rebuilt.state.book
        best = [Decimal(repr(levels[0][0])) for side in (book.bids, book.asks) if (levels := side.levels(1))]
        return Price(rebuilt.at_ms, sum(best, Decimal(0)) / 2) if len(best) == 2 else None


def _newest(prices: Sequence[Price | None]) -> Price | None:
    return max((price for price in prices if price is not None and price.price > 0), default=None)


def _last(data: str) -> str | None:
    """Return the last price in the JSON of a ticker's changes, which is stored as published, whatever it holds."""
    try:
        last = exactly(_TICKER.decode(data), data.encode()).last
    except (*UNREADABLE, InvalidMessage):
        return None
    return None if last is None else str(last)


class _Ticker(msgspec.Struct):
    """The field of a ticker that is its price."""

    last: float | None = None


_TICKER: Final = msgspec.json.Decoder(_Ticker)


def _candles(stream: int, at_ms: int) -> sa.Select[Any]:
    table = tables.candles.c
    return _before(table, sa.select(table.at_ms, table.close), stream, at_ms).where(table.timeframe == "1m")


def _trades(stream: int, at_ms: int) -> sa.Select[Any]:
    table = tables.trades.c
    latest = (table.epoch.desc(), table.seq.desc(), table.n.desc())
    return _before(table, sa.select(table.at_ms, table.price), stream, at_ms).order_by(*latest)


def _tickers(stream: int, at_ms: int) -> sa.Select[Any]:
    table = tables.tickers.c
    has_last = table.data.like('%"last":%') & ~table.data.like('%"last":null%')
    wanted = _before(table, sa.select(table.at_ms, table.data), stream, at_ms)
    return wanted.where(has_last).order_by(table.epoch.desc(), table.seq.desc())


def _before(table: Any, wanted: sa.Select[Any], stream: int, at_ms: int) -> sa.Select[Any]:
    return (
        wanted.where(
            table.stream_id == sa.literal(stream, _BIG),
            table.at_ms < sa.literal(at_ms, _BIG),
            table.at_ms >= sa.literal(at_ms - OLDEST_MS - MINUTE_MS, _BIG),
        )
        .order_by(table.at_ms.desc())
        .limit(1)
    )


_NEWEST: Final = {"watchOHLCV": _candles, "watchTrades": _trades, "watchTicker": _tickers}
