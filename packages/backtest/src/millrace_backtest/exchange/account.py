"""What an account of a modelled exchange holds. Pure."""

from collections.abc import Mapping
from decimal import Decimal

from millrace_backtest.exchange.orders import ModelledOrder
from millrace_core.instrument import Instrument
from millrace_core.market import Balance, Balances
from millrace_core.position import EXACT, Fee, plain

_ZERO = Decimal(0)


class InsufficientFunds(Exception):
    """An account does not hold what an order would spend."""


class ModelledAccount:
    """Free and reserved amounts by currency; without known balances nothing is refused, and the amounts are changes."""

    def __init__(self, balances: Mapping[str, Decimal] | None) -> None:
        self.is_limited = balances is not None
        self._total: dict[str, Decimal] = dict(balances or {})
        self._used: dict[str, Decimal] = {}
        self._changed: set[str] = set()

    def total(self, currency: str) -> Decimal:
        """Return what is held of a currency, reserved amounts included."""
        return self._total.get(currency, _ZERO)

    @property
    def totals(self) -> Mapping[str, Decimal]:
        """Return what is held, by currency."""
        return self._total

    def reserve(self, order: ModelledOrder, price: Decimal) -> None:
        """Keep back what an order may spend at a price.

        Raises:
            InsufficientFunds: less is free; nothing has changed.
        """
        instrument = Instrument.of(order.symbol)
        if instrument.settle is not None:
            return  # A contract needs a margin, which depends on rules that no recording holds.
        currency = instrument.quote if order.is_buy else instrument.base
        amount = EXACT.multiply(order.remaining, price) if order.is_buy else order.remaining
        used = self._used.get(currency, _ZERO)
        if self.is_limited and EXACT.subtract(self.total(currency), used) < amount:
            raise InsufficientFunds(f"{plain(amount)} {currency} needed, {plain(self.total(currency) - used)} free")
        self._used[currency] = EXACT.add(used, amount)
        order.reserved = currency, amount
        self._changed.add(currency)

    def release(self, order: ModelledOrder, amount: Decimal | None = None) -> None:
        """Free what is kept for an order, or a part of it."""
        currency, reserved = order.reserved
        if not currency:
            return
        freed = reserved if amount is None else min(amount, reserved)
        self._used[currency] = EXACT.subtract(self._used.get(currency, _ZERO), freed)
        order.reserved = currency, EXACT.subtract(reserved, freed)
        self._changed.add(currency)

    def settle(self, order: ModelledOrder, price: Decimal, amount: Decimal, fee: Fee) -> None:
        """Book a fill and its fee."""
        instrument = Instrument.of(order.symbol)
        if instrument.settle is None:
            value = EXACT.multiply(price, amount)
            # A buy that fills below its limit frees what it saves when it ends.
            self.release(order, value if order.is_buy else amount)
            self._add(instrument.base, amount if order.is_buy else -amount)
            self._add(instrument.quote, -value if order.is_buy else value)
        self._add(fee.currency, -fee.cost)

    def balances(self) -> Balances:
        """Return all balances as the stream shows them."""
        return {currency: self._balance(currency) for currency in sorted(self._total.keys() | self._used.keys())}

    def changed(self) -> Balances:
        """Return the balances that changed since the last call."""
        changed, self._changed = self._changed, set()
        return {currency: self._balance(currency) for currency in sorted(changed)}

    def _add(self, currency: str, amount: Decimal) -> None:
        self._total[currency] = EXACT.add(self.total(currency), amount)
        self._changed.add(currency)

    def _balance(self, currency: str) -> Balance:
        total, used = self.total(currency), self._used.get(currency, _ZERO)
        return Balance(float(EXACT.subtract(total, used)), float(used), float(total))
