"""The order books and balances that a strategy sees: live and read-only."""

from collections.abc import Iterator, Mapping
from math import inf, isnan
from types import MappingProxyType
from typing import Literal, NamedTuple

from millrace_core.book import BookSide, OrderBook
from millrace_core.market import Balance, Balances, Level
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_strategy import depth
from millrace_strategy.errors import NotSubscribed

ORDER_BOOK = Action("watchOrderBook")
Side = Literal["buy", "sell"]
_NO_BALANCES: Mapping[str, Balance] = MappingProxyType({})


class SubscribedStream(NamedTuple):
    """One stream that a strategy is subscribed to."""

    exchange: ExchangeId
    symbol: Symbol | None
    """None for account-wide streams, such as balances."""
    action: Action
    is_public: bool = False
    """Whether it is a stream that all tenants share."""


class LocalBook:
    """An order book. It is live: after an `await`, or in a later event, it may have changed."""

    __slots__ = ("_book", "_is_sound", "_status", "exchange", "symbol", "timestamp")

    def __init__(self, exchange: ExchangeId, symbol: Symbol) -> None:
        self._book = OrderBook()
        self._is_sound = False
        self._status = "live"
        self.exchange = exchange
        self.symbol = symbol
        self.timestamp: int | None = None
        """The exchange's time of the last change, ms."""

    @property
    def trusted(self) -> bool:
        """Tell whether it is the exchange's current book.

        False until the first snapshot, while a gap is being repaired, and while its stream is not live; it then
        shows the last good book.
        """
        return self._is_sound and self._status == "live"

    @property
    def best_bid(self) -> Level | None:
        """Return price and amount of the best bid; None if there is none."""
        return self._book.bids.best()

    @property
    def best_ask(self) -> Level | None:
        """Return price and amount of the best ask; None if there is none."""
        return self._book.asks.best()

    @property
    def mid(self) -> float | None:
        """Return the price half-way between best bid and ask; None if a side is empty."""
        return self._book.mid

    @property
    def spread(self) -> float | None:
        """Return the best ask less the best bid; None if a side is empty."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else ask[0] - bid[0]

    @property
    def nonce(self) -> int | None:
        """Return the exchange's own number of this state; None if it numbers none."""
        return self._book.nonce

    def bids(self, depth: int | None = None) -> list[Level]:
        """Return a copy of the best `depth` bids, or of all, best first."""
        return self._book.bids.levels(depth)

    def asks(self, depth: int | None = None) -> list[Level]:
        """Return a copy of the best `depth` asks, or of all, best first."""
        return self._book.asks.levels(depth)

    @property
    def microprice(self) -> float | None:
        """Return the mid price weighted by the amounts at the best prices; None if a side is empty."""
        return depth.microprice(self._book)

    def imbalance(self, levels: int = 1) -> float | None:
        """Return (bids - asks) / (bids + asks) of the best levels' amounts, from -1 to 1; None if both are empty."""
        return depth.imbalance(self._book, levels)

    def amount_to(self, side: Side, price: float) -> float:
        """Return how much an order of this side could fill at a price or better: asks for a buy, bids for a sell.

        Raises:
            ValueError: `side` is neither, or `price` is NaN.
        """
        return depth.amount_to_price(self._offered(side), _number("price", price), is_bid=side == "sell")

    def walk(self, side: Side, *, amount: float = inf, cost: float = inf) -> depth.Walk:
        """Return what an order of this side would fill and cost that takes levels up to an amount or a cost.

        Raises:
            ValueError: `side` is neither `buy` nor `sell`, or a number is NaN.
        """
        return depth.walk(self._offered(side), amount=_number("amount", amount), cost=_number("cost", cost))

    def _offered(self, side: Side) -> BookSide:
        if side not in ("buy", "sell"):
            raise ValueError(f"side is {side!r}; it must be buy or sell")
        return self._book.asks if side == "buy" else self._book.bids

    def show(self, book: OrderBook, timestamp: int | None) -> None:
        """Show this good book from now on. For hosts only, like `take_status`."""
        self._book = book
        self.timestamp = timestamp
        self._is_sound = True

    def take_status(self, status: str) -> None:
        """Take the status of its stream, or `untrusted`."""
        if status == "untrusted":
            self._is_sound = False
        else:
            self._status = status

    def __repr__(self) -> str:
        return f"<LocalBook {self.exchange} {self.symbol} {self.best_bid} {self.best_ask} trusted={self.trusted}>"


class Books(Mapping[tuple[str, str], LocalBook]):
    """The books a strategy is subscribed to, by exchange and symbol, or by the `SubscribedStream`."""

    def __init__(self, streams: tuple[SubscribedStream, ...]) -> None:
        self._books: dict[tuple[str, str], LocalBook] = {
            (stream.exchange, stream.symbol): LocalBook(stream.exchange, stream.symbol)
            for stream in streams
            if stream.action == ORDER_BOOK and stream.symbol is not None
        }

    def __getitem__(self, key: tuple[str, str] | SubscribedStream) -> LocalBook:
        try:
            return self._books[key[:2]]  # type: ignore[index]  # None, for a stream of no symbol, is no key
        except KeyError:
            raise NotSubscribed(f"{key[0]} {key[1]}", ORDER_BOOK) from None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._books)

    def __len__(self) -> int:
        return len(self._books)


class AccountBalances(Mapping[str, Mapping[str, Balance]]):
    """Balances by exchange, then by currency code; empty for an exchange whose balances are not known yet."""

    def __init__(self) -> None:
        self._accounts: dict[str, Mapping[str, Balance]] = {}

    def __getitem__(self, exchange: str) -> Mapping[str, Balance]:
        return self._accounts.get(exchange, _NO_BALANCES)

    def __iter__(self) -> Iterator[str]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)

    def show(self, exchange: str, balances: Balances) -> None:
        """Show these balances from now on. For hosts only."""
        self._accounts[exchange] = MappingProxyType(balances)


def _number(name: str, value: float) -> float:
    """Return a number; NaN, which is neither less nor more than any level, would reach all of them."""
    if isnan(value):
        raise ValueError(f"{name} is {value}; it must be a number")
    return value
