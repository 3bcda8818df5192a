"""The exchange itself: symbols, accounts, orders, trades; no protocol, no asyncio.

Everything is synchronous: when a call returns, all its effects have happened and every listener was called.

**Numbers.** Market data is in whole ticks and lots (`int`), converted by the symbol's `Scale`:
`instrument.scale.price_text(ticks)` prints "10.00000000", `.price(ticks)` returns a `Decimal`; amounts of quote
asset are ticks × lots: `.quote_text(product)`. What belongs to accounts (orders, own trades, balances) is
`Decimal`; `decimal_text` prints it with eight places. Times are wall-clock µs (`…_us`), klines' are ms (`…_ms`).

**Reading** (`Venue`): `venue.instruments[symbol]` or `venue.instrument(symbol)` returns an `Instrument`:

- `.rules` (`SymbolRules`: base, quote, steps and bounds), `.scale`
- `.depth(limit) -> BookSnapshot` with `last_update_id`; `.book_ticker() -> BookTicker`; `.last_update_id`
- `.tape.recent(limit)`, `.tape.since(trade_id, limit)`, `.tape.aggregated(...)`: `PublicTrade`, `AggregateTrade`
- `.statistics.klines(interval, …)`, `.statistics.kline(interval)` (the running one), `.statistics.kline_at(…)`,
  `.statistics.ticker() -> DayTicker`, `.statistics.average_price()`
- `venue.history` (`BookHistory` when recording): `.book_as_of(symbol, update_id)`

`venue.account_by_key(api_key)` returns an `Account`: `account_id`, `secret`, `public_key`, `maker_rate`, `taker_rate`,
`.balances`, `.balance(asset)`.

**Acting** (`Venue`): `place`, `check` (order/test), `cancel`, `cancel_all`, `amend`, `place_list`, `cancel_list`,
`deposit`, `list_symbol`; `cancel_replace(venue, …)`. Asking: `order`, `open_orders`, `all_orders`, `own_trades`,
`amendments`, `prevented_matches`, `order_list`, `order_lists`. All raise `VenueError` kinds (see `errors`).

**Hearing**: subclass `Listener`, override what you want, `venue.listen(listener)`: `on_book(BookChange)`,
`on_trade(PublicTrade)`, `on_aggregate(AggregateTrade)`, `on_execution(ExecutionReport)`, `on_balances(BalanceChange)`,
`on_order_list(OrderList)`, `on_listing(Instrument)`,
`on_step(now_us)`: the end of each step of the market, also when nothing happened: flush what you batch then. In one
call of the venue the order is: trades and reports as the engine made them, aggregates, the book change, balances.
"""

from millrace_simulator.venue.accounts import Account, AccountSettings, Balance
from millrace_simulator.venue.clock import Clock, ManualClock, WallClock
from millrace_simulator.venue.errors import VenueError
from millrace_simulator.venue.instrument import BookSnapshot, BookTicker, Instrument
from millrace_simulator.venue.listener import BalanceChange, BookChange, Listener
from millrace_simulator.venue.orders import (
    Cancellation,
    CancelReplaceMode,
    CancelRestriction,
    ExecutionReport,
    ExecutionType,
    Order,
    OrderRef,
    OrderRequest,
    OrderStatus,
    OwnTrade,
    Placement,
)
from millrace_simulator.venue.replacement import CancelReplacement, cancel_replace
from millrace_simulator.venue.rules import SymbolRules
from millrace_simulator.venue.scale import Scale, decimal_text
from millrace_simulator.venue.tape import AggregateTrade, PublicTrade, Tape
from millrace_simulator.venue.venue import Venue

__all__ = [
    "Account",
    "AccountSettings",
    "AggregateTrade",
    "Balance",
    "BalanceChange",
    "BookChange",
    "BookSnapshot",
    "BookTicker",
    "CancelReplaceMode",
    "CancelReplacement",
    "CancelRestriction",
    "Cancellation",
    "Clock",
    "ExecutionReport",
    "ExecutionType",
    "Instrument",
    "Listener",
    "ManualClock",
    "Order",
    "OrderRef",
    "OrderRequest",
    "OrderStatus",
    "OwnTrade",
    "Placement",
    "PublicTrade",
    "Scale",
    "SymbolRules",
    "Tape",
    "Venue",
    "VenueError",
    "WallClock",
    "cancel_replace",
    "decimal_text",
]
