"""The streams that the platform takes from exchanges: one table, keyed by ccxt's unified action."""

from typing import Final, NamedTuple


class StreamAction(NamedTuple):
    """One kind of stream."""

    name: str
    """The unified action, which is also the stream's name on the bus."""
    watch: str
    """ccxt's method that streams it."""
    fetch: str
    """ccxt's method that asks for the same once."""
    unwatch: str | None = None
    """ccxt's method that ends the subscription of one symbol; None where the account's one subscription serves all."""
    is_private: bool = False
    """Whether it needs an account's keys."""
    is_account_wide: bool = False
    """Whether it concerns no single symbol."""
    per_timeframe: bool = False
    """Whether a symbol has one for each timeframe."""


ORDER_BOOK: Final = StreamAction("watchOrderBook", "watch_order_book", "fetch_order_book", "un_watch_order_book")
TRADES: Final = StreamAction("watchTrades", "watch_trades", "fetch_trades", "un_watch_trades")
TICKER: Final = StreamAction("watchTicker", "watch_ticker", "fetch_ticker", "un_watch_ticker")
CANDLES: Final = StreamAction("watchOHLCV", "watch_ohlcv", "fetch_ohlcv", "un_watch_ohlcv", per_timeframe=True)
ORDERS: Final = StreamAction("watchOrders", "watch_orders", "fetch_open_orders", is_private=True)
MY_TRADES: Final = StreamAction("watchMyTrades", "watch_my_trades", "fetch_my_trades", is_private=True)
BALANCE: Final = StreamAction("watchBalance", "watch_balance", "fetch_balance", is_private=True, is_account_wide=True)

ACTIONS: Final = {action.name: action for action in (ORDER_BOOK, TRADES, TICKER, CANDLES, ORDERS, MY_TRADES, BALANCE)}
