"""What happens on one account, through ccxt."""

from millrace_exchange.actions import BALANCE, MY_TRADES, ORDERS
from millrace_exchange.ccxt.order_queries import CcxtOrderQueries
from millrace_exchange.ccxt.streams import follow
from millrace_exchange.listeners import BalanceListener, OrdersListener, TradesListener


class CcxtAccountFeed(CcxtOrderQueries):
    """The port `AccountFeed`."""

    async def orders(self, symbol: str, listener: OrdersListener) -> None:
        """Stream every change of the account's orders in a symbol."""
        await follow(self._caller, ORDERS, symbol, listener, symbol)

    async def my_trades(self, symbol: str, listener: TradesListener) -> None:
        """Stream every trade of the account in a symbol."""
        await follow(self._caller, MY_TRADES, symbol, listener, symbol)

    async def balance(self, listener: BalanceListener) -> None:
        """Stream the balances that change."""
        await follow(self._caller, BALANCE, None, listener)
