"""What the platform asks of any exchange.

Gatherer and executor depend on this module and on the errors alone. An adapter (`millrace_exchange.ccxt` for every
exchange) implements it, and is judged by the contract tests that it inherits. What differs between exchanges is a
value in a profile (`millrace_exchange.profile`), not another method here.

Every method that talks to an exchange raises `Retryable`, `Rejected`, `OutcomeUnknown` or `Fatal`; see
`millrace_exchange.errors`. A question never raises `OutcomeUnknown`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol

from millrace_core.actions import StreamAction
from millrace_core.market import Balances, Candle, ExchangePosition, Level, Trade
from millrace_core.market_terms import MarketTerms
from millrace_core.names import ExchangeId
from millrace_core.orders import Order
from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange.listeners import (
    BalanceListener,
    BookListener,
    CandlesListener,
    FieldsListener,
    LiquidationsListener,
    OnSubscribed,
    OrdersListener,
    OwnTradesListener,
    PositionsListener,
    TradesListener,
    ignore,
)
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.request_gate import Gauge


class Acknowledgement(NamedTuple):
    """What the exchange answered to a request that changes orders, and when."""

    orders: tuple[Order, ...]
    """The orders concerned, as far as the answer describes them: one, or of a cancel-all those that were canceled."""
    sent_ns: int
    """When the request was handed to the socket, wall clock."""
    acknowledged_ns: int
    """When the answer was read, wall clock."""
    ended: tuple[Order, ...] = ()
    """Other orders that this ended: the former one of an edit, the rest of an order list of which one was canceled."""


Source = Literal["native", "watch", "fetch"]
"""A feed of our own, the exchange's stream through ccxt, or questions."""


class MarketFeed(Protocol):
    """Public data of one exchange.

    A method named for a stream runs until it is cancelled or the stream breaks (`Retryable`); meanwhile it calls its
    listener for every message. Nothing restarts by itself: call it again, and it begins with a whole state.
    """

    async def order_book(self, symbol: str, listener: BookListener, limit: int | None = None) -> None:
        """Stream a symbol's order book: first the whole book, then every change. `limit` is the depth asked for."""

    async def trades(self, symbol: str, listener: TradesListener) -> None:
        """Stream every public trade in a symbol, none twice while the connection holds."""

    async def fields(self, action: StreamAction, symbol: str, listener: FieldsListener) -> None:
        """Stream one object of a symbol by its fields: `action` is one of `FIELDS_ACTIONS`."""

    async def candles(self, symbol: str, timeframe: str, listener: CandlesListener) -> None:
        """Stream a symbol's candles of one timeframe."""

    async def liquidations(self, symbol: str, listener: LiquidationsListener) -> None:
        """Stream a symbol's liquidations, none twice while the connection holds.

        An exchange that does not send them answers with the newest each time, those before included.
        """

    async def fetch_order_book(self, symbol: str, limit: int | None = None) -> tuple[list[Level], list[Level]]:
        """Return the best bids and asks, best first: `limit` of each, or as many as the exchange has a default for."""

    async def fetch_trades(self, symbol: str, after: Trade | None = None, limit: int | None = None) -> list[Trade]:
        """Return the newest trades, `limit` at most, oldest first; those after `after` where the exchange can."""

    async def fetch_candles(self, symbol: str, timeframe: str, limit: int, since_ms: int | None = None) -> list[Candle]:
        """Return the newest candles, or those that opened from a time on; oldest first, and `limit` at most.

        Some exchanges have the newest only, and return them whatever the time.
        """


class OrderQueries(Protocol):
    """Questions about one account's orders."""

    async def fetch_order(
        self, symbol: str, *, order_id: str | None = None, client_order_id: str | None = None
    ) -> Order | None:
        """Return one order, by the exchange's id or by ours; None if the exchange answers that it has no such order.

        None proves nothing until the profile's `settlement_window_ms` has passed.
        """

    async def fetch_open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return all open orders of a symbol, or of the account.

        Of an account's, the exchange may list one kind of market only; then see `ExecutionClient.expect_orders_in`.

        Raises:
            IncompleteList: there may be more than the exchange lists. So do the next two.
        """

    async def fetch_delisted_orders(
        self, symbol: str, order_ids: Collection[str], since_ms: int
    ) -> Mapping[str, Order | None]:
        """Return what the exchange says of orders in a market that it lists no more, which was open since a time.

        None stands for an order of which it says that there is none, or none that is open. One is left out if the
        exchange cannot be asked for it without its market.
        """

    async def fetch_closed_orders(self, symbol: str, since_ms: int) -> list[Order]:
        """Return a symbol's orders that ended, of those made or changed since a time; empty where none are listed.

        Which of the two times counts differs between exchanges: an order made before `since_ms` may be missing.
        """

    async def fetch_my_trades(self, symbol: str, since_ms: int | None = None) -> list[Trade]:
        """Return the account's own trades in a symbol, oldest first: the newest, or those since a time."""

    async def fetch_balance(self) -> Balances:
        """Return every balance that is not zero."""

    async def fetch_positions(self) -> list[ExchangePosition]:
        """Return the open positions."""


class AccountFeed(OrderQueries, Protocol):
    """Streams and queries of one account; streams behave as those of `MarketFeed`.

    `on_subscribed` is called once the exchange has confirmed the stream, and at once where nothing tells: what happened
    before it comes by no stream.
    """

    async def orders(self, symbol: str, listener: OrdersListener, on_subscribed: OnSubscribed = ignore) -> None:
        """Stream every change of the account's orders in a symbol."""

    async def my_trades(self, symbol: str, listener: OwnTradesListener, on_subscribed: OnSubscribed = ignore) -> None:
        """Stream every trade of the account in a symbol."""

    async def balance(self, listener: BalanceListener, on_subscribed: OnSubscribed = ignore) -> None:
        """Stream the balances that change; the exchange does not send the others."""

    async def positions(self, listener: PositionsListener) -> None:
        """Stream the positions that change; the exchange does not send the others."""

    def replace_mute(self, since_ns: int) -> None:
        """Replace the connections of the account's streams that have brought nothing since a time, wall clock.

        Something has happened on the account meanwhile: one that answers pings and is silent then is mute, and all that
        comes over it misses messages.
        """


class ExecutionClient(OrderQueries, Protocol):
    """Changes one account's orders. A request that may have been sent is never repeated automatically.

    Every method may be cancelled; an order on its way then counts as `OutcomeUnknown`.
    """

    def symbols_left_out(self) -> Sequence[str]:
        """Return the symbols whose open orders no question about the whole account lists; empty before `prepare`.

        They are asked for symbol by symbol where orders are expected, so that no question goes to a kind of market that
        the account does not use.
        """

    def expect_orders_in(self, symbols: Iterable[str]) -> None:
        """Learn in which symbols the account may have open orders, besides those that are placed here."""

    async def create_order(self, payload: CreatePayload, client_order_id: str) -> Acknowledgement:
        """Place an order under our own id."""

    async def cancel_order(self, payload: CancelPayload) -> Acknowledgement:
        """Cancel an order, named by the exchange's id or by ours."""

    async def edit_order(self, payload: EditPayload, client_order_id: str) -> Acknowledgement:
        """Change an open order; where the exchange replaces it, the new one carries `client_order_id`.

        The payload's amount is that of the whole order, including its filled part.
        """

    async def cancel_all_orders(self, payload: CancelAllPayload) -> Acknowledgement:
        """Cancel the open orders of a symbol, or all; return those that were canceled.

        Several symbols are several requests: a failure at one leaves those before it canceled.
        """


class MarketRules(Protocol):
    """Market rules of an exchange: lots, ticks, filters."""

    @property
    def symbols(self) -> frozenset[str]:
        """The unified symbols of its markets; empty before `Exchange.prepare`."""

    @property
    def open_symbols(self) -> frozenset[str]:
        """Those of markets in which one can trade now, as far as the exchange says."""

    def terms(self, symbol: str) -> MarketTerms | None:
        """Return the terms of a market, as the exchange states them; None if the exchange has no such market."""

    def precision_errors(self, payload: CreatePayload | EditPayload) -> Sequence[str]:
        """Return an error for each number that would be rounded, with the step that it must be a multiple of."""


class Exchange(Protocol):
    """One exchange as one account, or the public, sees it. `open_exchange` makes it; `close` it."""

    @property
    def id(self) -> ExchangeId:
        """Its ccxt id."""

    @property
    def profile(self) -> ExchangeProfile:
        """Everything specific to it."""

    @property
    def market(self) -> MarketFeed:
        """Public data."""

    @property
    def account(self) -> AccountFeed:
        """Streams and queries of the account."""

    @property
    def execution(self) -> ExecutionClient:
        """Changes of the account's orders."""

    @property
    def rules(self) -> MarketRules:
        """Market rules: lots, ticks, filters."""

    async def prepare(self) -> None:
        """Load the markets and open what trading needs, so that the first order does not wait for it. Idempotent.

        Raises:
            Retryable, Rejected, Fatal: the exchange cannot be reached, or refuses the keys.
        """

    async def reloaded(self) -> None:
        """Wait until the markets have been loaded again, as they are every hour."""

    def poll_interval_s(self, action: StreamAction) -> float | None:
        """Return how often a stream is asked for that the exchange does not send; None if it does."""

    def clock_offset_ms(self) -> int:
        """Return the exchange's clock minus ours, as last measured; 0 where it does not tell its time."""

    async def source(self, action: StreamAction, symbol: str | None) -> Source:
        """Return by what a stream comes.

        Raises:
            ExchangeError: the exchange lists no such symbol, or does not say what kind of account it is.
        """

    def reporting(self, gauge: Gauge) -> AbstractContextManager[None]:
        """Report what is left of the exchange's limits, and how far its clock is from ours, while the context lasts.

        `gauge` takes `left.<limit>`; `pausedUntil`: ms, 0 while requests are sent; and `clockOffsetMs`: the exchange's
        clock minus ours.
        """

    async def close(self) -> None:
        """Close every connection, within a second even where the exchange does not answer. Idempotent."""
