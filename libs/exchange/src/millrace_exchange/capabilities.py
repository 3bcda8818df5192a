"""What an exchange supports, as ccxt and its profile say, without asking the exchange."""

from dataclasses import dataclass
from typing import Final, Literal

from millrace_exchange.profile import ExchangeProfile

DATA_POINTS: Final = (
    "OrderBook",
    "Trades",
    "Ticker",
    "Tickers",
    "BidsAsks",
    "OHLCV",
    "Orders",
    "MyTrades",
    "Balance",
    "Positions",
    "FundingRate",
    "OpenInterest",
    "Liquidations",
    "MarkPrice",
)
"""Data points by the last part of ccxt's unified actions, such as `watchOrderBook` and `fetchOrderBook`."""

Source = Literal["watch", "fetch"]
"""Whether a data point is streamed, or can only be asked for again and again."""


@dataclass(frozen=True, slots=True)
class ExchangeCapabilities:
    """The capabilities of one exchange."""

    exchange: str
    """Its ccxt id."""
    name: str
    """What it calls itself."""
    has_streams: bool
    """Whether ccxt streams anything of it."""
    data_points: dict[str, Source | None]
    """By `DATA_POINTS`; None where it offers neither."""
    actions: tuple[str, ...]
    """The unified actions that change orders, such as `createOrder` and `editOrder`."""
    order_features: tuple[str, ...]
    """What orders on its spot market may have, by ccxt's names, such as `triggerPrice` and `timeInForce.IOC`."""
    timeframes: tuple[str, ...]
    """Of candles, shortest first."""
    profile: ExchangeProfile
    has_profile: bool
    """Whether millrace knows its own ways; otherwise `profile` is the safe default."""

    @property
    def book_proof(self) -> str:
        """How a lost frame of a book shows: `sequence`, `checksum`, `whole frames`, or `unverified`."""
        book = self.profile.book
        if book.whole_frames:
            return "whole frames"
        return "unverified" if book.checked_by == "nobody" else book.proof
