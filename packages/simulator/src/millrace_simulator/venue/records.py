"""What can be asked of a venue: symbols, accounts, and what accounts have done. Nothing is changed by it."""

from __future__ import annotations

from collections.abc import Mapping

from millrace_simulator.venue.accounts import Account
from millrace_simulator.venue.errors import UnknownApiKey, UnknownOrderList, UnknownSymbol
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.ledger import Ledger
from millrace_simulator.venue.order_changes import Amendment, PreventedMatch
from millrace_simulator.venue.order_lists import ListBook, ListRef, OrderList
from millrace_simulator.venue.orders import Order, OrderRef, OwnTrade


class Records:
    """The symbols and accounts of a venue, and their orders, fills and lists."""

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        accounts: Mapping[int, Account],
        ledger: Ledger,
        order_lists: ListBook,
    ) -> None:
        self.instruments = instruments
        self.accounts = accounts
        self._keys = {account.api_key: account for account in accounts.values()}
        self._ledger = ledger
        self._order_lists = order_lists

    def instrument(self, symbol: str) -> Instrument:
        """Return the listed symbol.

        Raises:
            UnknownSymbol: it is not listed.
        """
        instrument = self.instruments.get(symbol)
        if instrument is None:
            raise UnknownSymbol(symbol)
        return instrument

    def account_by_key(self, api_key: str) -> Account:
        """Return the account of an API key.

        Raises:
            UnknownApiKey: no account has this key.
        """
        account = self._keys.get(api_key)
        if account is None:
            raise UnknownApiKey
        return account

    def amendments(self, account: Account, symbol: str, order_id: int) -> list[Amendment]:
        """Return the amendments of an order, oldest first.

        Raises:
            UnknownOrder: the account has no such order.
        """
        self._ledger.find(account.account_id, symbol, OrderRef(order_id))
        return self._ledger.amendments(symbol, order_id)

    def prevented_matches(self, account: Account, symbol: str) -> list[PreventedMatch]:
        """Return the matches that self-trade prevention kept the account's orders from, oldest first."""
        self.instrument(symbol)
        return self._ledger.prevented_matches(account.account_id, symbol)

    def order_list(self, account: Account, ref: ListRef) -> OrderList:
        """Return an order list of the account.

        Raises:
            UnknownOrderList: there is no such list.
        """
        found = self._order_lists.find(account.account_id, ref)
        if found is None:
            raise UnknownOrderList
        return found

    def order_lists(self, account: Account) -> list[OrderList]:
        """Return all order lists of the account, oldest first."""
        return self._order_lists.of(account.account_id)

    def order(self, account: Account, symbol: str, ref: OrderRef) -> Order:
        """Return an order of the account, open or final; by client order id the newest that had it.

        Raises:
            UnknownOrder: no order has this id.
        """
        self.instrument(symbol)
        return self._ledger.find(account.account_id, symbol, ref)

    def open_orders(self, account: Account, symbol: str | None = None) -> tuple[Order, ...]:
        """Return the account's open orders, of one symbol or of all, oldest first."""
        symbols = self.instruments if symbol is None else (self.instrument(symbol).symbol,)
        found = [order for each in symbols for order in self._ledger.open_orders(account.account_id, each)]
        return tuple(sorted(found, key=lambda order: order.created_us))

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
        """Return the account's orders of a symbol, oldest first: from an id or time on, else the newest `limit`."""
        self.instrument(symbol)
        return self._ledger.orders(
            account.account_id, symbol, from_order_id=from_order_id, start_us=start_us, end_us=end_us, limit=limit
        )

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
        """Return the account's fills on a symbol, oldest first: from an id or time on, else the newest `limit`."""
        self.instrument(symbol)
        return self._ledger.trades(
            account.account_id,
            symbol,
            order_id=order_id,
            from_trade_id=from_trade_id,
            start_us=start_us,
            end_us=end_us,
            limit=limit,
        )
