"""What the fills of an account's orders add up to: exchanges report each with its own price and fee. Pure."""

from collections.abc import Hashable
from decimal import Decimal

from millrace_core.orders import OrderFee
from millrace_core.position import EXACT
from millrace_exchange.ccxt.conversion import plain


class _Sums:
    def __init__(self) -> None:
        self.amount = Decimal(0)
        self.cost = Decimal(0)
        self.fees: dict[str | None, Decimal] = {}
        self.trades: set[str] = set()


class OrderFills:
    """The sums of every order that is not final yet. Of one whose first fills were not seen nothing is known."""

    def __init__(self) -> None:
        self._orders: dict[Hashable, _Sums] = {}

    def add(
        self,
        order: Hashable,
        trade: str,
        amount: Decimal,
        cost: Decimal,
        currency: str | None = None,
        fee: Decimal | None = None,
    ) -> None:
        """Count a fill, once."""
        sums = self._orders.setdefault(order, _Sums())
        if trade in sums.trades:
            return
        sums.trades.add(trade)
        sums.amount = EXACT.add(sums.amount, amount)
        sums.cost = EXACT.add(sums.cost, cost)
        if fee:
            sums.fees[currency] = EXACT.add(sums.fees.get(currency, Decimal(0)), fee)

    def cost(self, order: Hashable, filled: Decimal | None) -> Decimal | None:
        """Return what an order's fills cost, if that is all of them."""
        sums = self._complete(order, filled)
        return None if sums is None else plain(sums.cost)

    def fees(self, order: Hashable, filled: Decimal | None) -> list[OrderFee]:
        """Return the fees of an order's fills, if that is all of them."""
        sums = self._complete(order, filled)
        return [] if sums is None else [OrderFee(currency, plain(fee)) for currency, fee in sums.fees.items()]

    def forget(self, order: Hashable) -> None:
        """Forget an order that ended."""
        self._orders.pop(order, None)

    def _complete(self, order: Hashable, filled: Decimal | None) -> _Sums | None:
        sums = self._orders.get(order)
        return sums if sums is not None and sums.amount == filled else None
