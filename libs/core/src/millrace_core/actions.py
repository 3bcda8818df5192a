"""The streams that the platform takes from exchanges: one table, keyed by ccxt's unified action."""

from typing import Final, Literal, NamedTuple

WatchAction = Literal[
    "watchOrderBook",
    "watchTrades",
    "watchMyTrades",
    "watchTicker",
    "watchBidsAsks",
    "watchMarkPrice",
    "watchFundingRate",
    "watchOpenInterest",
    "watchOHLCV",
    "watchOrders",
    "watchBalance",
    "watchPositions",
    "watchLiquidations",
]


class StreamAction(NamedTuple):
    """One kind of stream."""

    name: WatchAction
    """The unified action, which is also the stream's name on the bus."""
    is_private: bool = False
    """Whether it needs an account's keys."""
    is_account_wide: bool = False
    """Whether it concerns no single symbol: its stream names have no symbol part."""
    per_timeframe: bool = False
    """Whether a symbol has one for each timeframe."""


ORDER_BOOK: Final = StreamAction("watchOrderBook")
TRADES: Final = StreamAction("watchTrades")
TICKER: Final = StreamAction("watchTicker")
BIDS_ASKS: Final = StreamAction("watchBidsAsks")
MARK_PRICE: Final = StreamAction("watchMarkPrice")
FUNDING_RATE: Final = StreamAction("watchFundingRate")
OPEN_INTEREST: Final = StreamAction("watchOpenInterest")
CANDLES: Final = StreamAction("watchOHLCV", per_timeframe=True)
ORDERS: Final = StreamAction("watchOrders", is_private=True)
MY_TRADES: Final = StreamAction("watchMyTrades", is_private=True)
BALANCE: Final = StreamAction("watchBalance", is_private=True, is_account_wide=True)
POSITIONS: Final = StreamAction("watchPositions", is_private=True, is_account_wide=True)
LIQUIDATIONS: Final = StreamAction("watchLiquidations")

FIELDS_ACTIONS: Final = {action.name: action for action in (TICKER, BIDS_ASKS, MARK_PRICE, FUNDING_RATE, OPEN_INTEREST)}
"""Streams of one object of a symbol, such as its ticker, by its fields."""
ACTIONS: Final = {
    action.name: action
    for action in (
        *(ORDER_BOOK, TRADES, CANDLES, LIQUIDATIONS),
        *(ORDERS, MY_TRADES, BALANCE, POSITIONS),
        *FIELDS_ACTIONS.values(),
    )
}
MARKET_ACTIONS: Final = tuple(action.name for action in ACTIONS.values() if not action.is_private)
"""Streams of a market, the same for everybody who looks at it; all others are of somebody's account."""
