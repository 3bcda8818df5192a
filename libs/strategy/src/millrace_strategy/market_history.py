"""The newest market trades and candles that a strategy sees. Candles come from the feed, or are built from trades.

Pure: the runtime brings trades and candles, and the present time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, overload

from millrace_core.intervals import Interval
from millrace_core.market import Candle, Trade
from millrace_strategy.errors import NotSubscribed
from millrace_strategy.views import SubscribedStream

KEPT_TRADES: Final = 1_000
KEPT_CANDLES: Final = 500
TRADES: Final = "watchTrades"
CANDLES: Final = "watchOHLCV"


class RecentTrades(Sequence[Trade]):
    """The newest 1,000 trades of a market, oldest first; live. It may begin with trades from before the start."""

    def __init__(self) -> None:
        self._trades: deque[Trade] = deque(maxlen=KEPT_TRADES)

    @overload
    def __getitem__(self, index: int) -> Trade: ...
    @overload
    def __getitem__(self, index: slice) -> list[Trade]: ...
    def __getitem__(self, index: int | slice) -> Trade | list[Trade]:
        return list(self._trades)[index] if isinstance(index, slice) else self._trades[index]

    def __len__(self) -> int:
        return len(self._trades)

    @property
    def last(self) -> Trade | None:
        """Return the newest trade; None if there is none."""
        return self._trades[-1] if self._trades else None

    def since(self, at_ms: int) -> list[Trade]:
        """Return the trades from a moment on (the exchange's time), oldest first."""
        found: list[Trade] = []
        for trade in reversed(self._trades):
            if (trade.timestamp or 0) < at_ms:
                break
            found.append(trade)
        return found[::-1]

    def average_price(self, at_ms: int = 0) -> float | None:
        """Return the volume-weighted average price since a moment; None without trades."""
        trades = self.since(at_ms)
        amount = sum(trade.amount for trade in trades)
        return sum(trade.price * trade.amount for trade in trades) / amount if amount else None

    def add(self, trades: Iterable[Trade]) -> None:
        """Add newer trades. For hosts only."""
        self._trades.extend(trades)


class Candles(Sequence[Candle]):
    """The newest 500 candles of one timeframe, oldest first; live. The last one may still change.

    An interval without trades has no candle.
    """

    def __init__(self, timeframe: str, now_ms: Callable[[], int], *, is_built: bool) -> None:
        self.timeframe = timeframe
        self.interval = Interval.parse(timeframe)
        self.is_built = is_built
        """Whether they are built from trades; the first one may then lack the trades before the first known."""
        self._now_ms = now_ms
        self._candles: dict[int, Candle] = {}

    @overload
    def __getitem__(self, index: int) -> Candle: ...
    @overload
    def __getitem__(self, index: slice) -> list[Candle]: ...
    def __getitem__(self, index: int | slice) -> Candle | list[Candle]:
        return list(self._candles.values())[index]

    def __len__(self) -> int:
        return len(self._candles)

    def __iter__(self) -> Iterator[Candle]:
        return iter(list(self._candles.values()))

    @property
    def closed(self) -> list[Candle]:
        """Return the candles whose interval is over, by the strategy's clock."""
        now_ms = self._now_ms()
        return [candle for candle in self._candles.values() if self.interval.next_open(candle[0]) <= now_ms]

    def show(self, candles: Mapping[int, Candle]) -> None:
        """Show the feed's candles, by open time. For hosts only."""
        self._candles = dict(sorted(candles.items())[-KEPT_CANDLES:])

    def build(self, trades: Iterable[Trade]) -> list[Candle]:
        """Add trades to the candles that are built from them; return those that changed. For hosts only."""
        changed: dict[int, Candle] = {}
        for trade in trades:
            if trade.timestamp is None:
                continue
            at_ms = self.interval.open_of(trade.timestamp)
            known = self._candles.get(at_ms)
            if known is None and self._candles and at_ms < next(reversed(self._candles)):
                continue  # A late trade of an interval that has no candle: the order of candles stays.
            self._candles[at_ms] = changed[at_ms] = _with_trade(known, at_ms, trade)
        for old in list(islice(self._candles, max(len(self._candles) - KEPT_CANDLES, 0))):
            del self._candles[old]
        return list(changed.values())


class MarketTrades(Mapping[tuple[str, str], RecentTrades]):
    """The newest trades by exchange and symbol, of the markets whose `watchTrades` is subscribed to."""

    def __init__(self, streams: Iterable[SubscribedStream]) -> None:
        self._trades: dict[tuple[str, str], RecentTrades] = {
            (stream.exchange, stream.symbol): RecentTrades()
            for stream in streams
            if stream.action == TRADES and stream.symbol is not None
        }

    def __getitem__(self, key: tuple[str, str]) -> RecentTrades:
        found = self._trades.get(key)
        if found is None:
            raise NotSubscribed(f"{key[0]} {key[1]}", TRADES)
        return found

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._trades)

    def __len__(self) -> int:
        return len(self._trades)


class MarketCandles(Mapping[tuple[str, str, str], Candles]):
    """Candles by exchange, symbol and timeframe, such as `1m`.

    They are the feed's where `watchOHLCV` is subscribed to; else they are built from the trades of `watchTrades`,
    in any timeframe, from when they are first asked for.
    """

    def __init__(self, streams: Iterable[SubscribedStream], trades: MarketTrades, now_ms: Callable[[], int]) -> None:
        self._fed = {(stream.exchange, stream.symbol) for stream in streams if stream.action == CANDLES}
        self._trades = trades
        self._now_ms = now_ms
        self._candles: dict[tuple[str, str, str], Candles] = {}

    def __getitem__(self, key: tuple[str, str, str]) -> Candles:
        found = self._candles.get(key)
        if found is None:
            exchange, symbol, timeframe = key
            is_fed = (exchange, symbol) in self._fed
            found = Candles(timeframe, self._now_ms, is_built=not is_fed)
            if not is_fed:
                found.build(self._trades[exchange, symbol])
            self._candles[key] = found
        return found

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        return iter(self._candles)

    def __len__(self) -> int:
        return len(self._candles)

    def show(self, exchange: str, symbol: str, timeframes: Mapping[str, Mapping[int, Candle]]) -> None:
        """Show what the feed says. For hosts only."""
        for timeframe, candles in timeframes.items():
            self[exchange, symbol, timeframe].show(candles)

    def build(self, exchange: str, symbol: str, trades: Sequence[Trade]) -> list[tuple[str, list[Candle]]]:
        """Add trades to what is built from them; return timeframes and changed candles. For hosts only."""
        if not self._candles:
            return []
        return [
            (timeframe, candles.build(trades))
            for (of_exchange, of_symbol, timeframe), candles in self._candles.items()
            if candles.is_built and (of_exchange, of_symbol) == (exchange, symbol)
        ]


def _with_trade(candle: Candle | None, at_ms: int, trade: Trade) -> Candle:
    price, amount = trade.price, trade.amount
    if candle is None:
        return at_ms, price, price, price, price, amount
    _, opened, high, low, _, volume = candle
    return at_ms, opened, max(high, price), min(low, price), price, volume + amount
