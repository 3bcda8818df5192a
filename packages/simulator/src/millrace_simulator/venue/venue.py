"""The venue: where accounts' orders meet everyone else's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from millrace_simulator.venue.accounts import Account, AccountSettings
from millrace_simulator.venue.clock import Clock
from millrace_simulator.venue.errors import VenueError
from millrace_simulator.venue.history import BookHistory
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.listener import Listener
from millrace_simulator.venue.orders import (
    Cancellation,
    CancelReplaceMode,
    CancelRestriction,
    Order,
    OrderRef,
    OrderRequest,
    OwnTrade,
    Placement,
)
from millrace_simulator.venue.rules import SymbolRules


class CancelReplacement(Struct, frozen=True):
    """What became of both halves of a cancel-replace; None is a half that was not attempted."""

    canceled: Cancellation | VenueError
    placed: Placement | VenueError | None


class Venue:
    """An exchange: every action happens whole, at once, and in the order of the calls."""

    instruments: Mapping[str, Instrument]
    accounts: Mapping[int, Account]
    history: BookHistory | None
    clock: Clock

    def __init__(
        self,
        symbols: Sequence[SymbolRules],
        accounts: Sequence[AccountSettings] = (),
        *,
        clock: Clock,
        seed: int = 1,
        record: bool = False,
    ) -> None:
        raise NotImplementedError

    def listen(self, listener: Listener) -> None:
        """Tell this listener everything from now on; listeners hear in the order in which they came."""
        raise NotImplementedError

    def unlisten(self, listener: Listener) -> None:
        """Tell this listener nothing more."""
        raise NotImplementedError

    def instrument(self, symbol: str) -> Instrument:
        """The listed symbol.

        Raises:
            UnknownSymbol: it is not listed.
        """
        raise NotImplementedError

    def account_by_key(self, api_key: str) -> Account:
        """The account of an API key.

        Raises:
            UnknownApiKey: there is none.
        """
        raise NotImplementedError

    def check(self, account: Account, request: OrderRequest) -> None:
        """Do everything that `place` does before the engine, and change nothing.

        Raises:
            VenueError: what `place` would have raised.
        """
        raise NotImplementedError

    def place(self, account: Account, request: OrderRequest) -> Placement:
        """Place an order; it has met everything it could when this returns.

        A market, IOC or FOK order that finds too little comes back with status EXPIRED, as at Binance.

        Raises:
            VenueError: it was refused and nothing changed.
        """
        raise NotImplementedError

    def cancel(
        self,
        account: Account,
        symbol: str,
        ref: OrderRef,
        *,
        cancel_client_order_id: str | None = None,
        restriction: CancelRestriction | None = None,
    ) -> Cancellation:
        """Cancel an open order.

        Raises:
            UnknownOrder: there is no such order, or it is final.
            CancelRestricted: it is not in the state demanded.
        """
        raise NotImplementedError

    def cancel_all(self, account: Account, symbol: str) -> tuple[Cancellation, ...]:
        """Cancel every open order of the account on a symbol.

        Raises:
            UnknownOrder: there is none, as at Binance.
        """
        raise NotImplementedError

    def cancel_replace(
        self,
        account: Account,
        ref: OrderRef,
        request: OrderRequest,
        mode: CancelReplaceMode,
        *,
        cancel_client_order_id: str | None = None,
        restriction: CancelRestriction | None = None,
    ) -> CancelReplacement:
        """Cancel an order and place another; never raises for what either half was refused for.

        The request is checked only after the cancel, as at Binance.
        """
        raise NotImplementedError

    def order(self, account: Account, symbol: str, ref: OrderRef) -> Order:
        """An order of the account, open or final; by client order id the newest that had it.

        Raises:
            UnknownOrder: there is none.
        """
        raise NotImplementedError

    def open_orders(self, account: Account, symbol: str | None = None) -> tuple[Order, ...]:
        """The account's open orders, of one symbol or of all, oldest first."""
        raise NotImplementedError

    def all_orders(
        self,
        account: Account,
        symbol: str,
        *,
        from_order_id: int | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 500,
    ) -> tuple[Order, ...]:
        """The account's orders of a symbol, oldest first: from an id or time on, else the newest `limit`."""
        raise NotImplementedError

    def own_trades(
        self,
        account: Account,
        symbol: str,
        *,
        order_id: int | None = None,
        from_trade_id: int | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 500,
    ) -> tuple[OwnTrade, ...]:
        """The account's fills on a symbol, oldest first: from an id or time on, else the newest `limit`."""
        raise NotImplementedError

    def deposit(self, account: Account, asset: str, amount: Decimal) -> None:
        """Add to an account's free balance; a negative amount withdraws.

        Raises:
            InsufficientBalance: less than that is free.
        """
        raise NotImplementedError

    def end_step(self) -> None:
        """Tell every listener that a step of the market ended."""
        raise NotImplementedError
