"""Exact conversion between decimals and the engine's ticks and lots."""

from __future__ import annotations

from decimal import Decimal

PLACES = 8
"""Decimals in every number that the venue prints, as at Binance; prices and quantities of finer steps have more."""
_UNIT = 10**PLACES


class Scale:
    """The value of one tick and one lot of a symbol."""

    __slots__ = ("_lot_places", "_lot_units", "_tick_places", "_tick_units", "lot", "tick")

    def __init__(self, tick: Decimal, lot: Decimal) -> None:
        self.tick = tick
        self.lot = lot
        self._tick_places, self._lot_places = _places(tick), _places(lot)
        self._tick_units = int(tick.scaleb(self._tick_places))
        self._lot_units = int(lot.scaleb(self._lot_places))

    def price(self, ticks: int) -> Decimal:
        """Return the price of so many ticks."""
        return ticks * self.tick

    def quantity(self, lots: int) -> Decimal:
        """Return the quantity of so many lots."""
        return lots * self.lot

    def quote(self, product: int) -> Decimal:
        """Return the amount of quote asset for a number of ticks × lots."""
        return product * self.tick * self.lot

    def ticks(self, price: Decimal) -> int | None:
        """Return the price in ticks; None where it lies between two."""
        return _whole(price, self.tick)

    def lots(self, quantity: Decimal) -> int | None:
        """Return the quantity in lots; None where it lies between two."""
        return _whole(quantity, self.lot)

    def budget(self, amount: Decimal) -> int:
        """Return the whole ticks × lots that an amount of quote asset covers."""
        return int(amount / (self.tick * self.lot))

    def price_text(self, ticks: int) -> str:
        """Return the price with eight decimals, as Binance prints it; with more where the tick is finer."""
        return units_text(ticks * self._tick_units, self._tick_places)

    def quantity_text(self, lots: int) -> str:
        """Return the quantity with eight decimals, as Binance prints it; with more where the lot is finer."""
        return units_text(lots * self._lot_units, self._lot_places)

    def quote_text(self, product: int) -> str:
        """Return the amount of so many ticks × lots with eight decimals; further digits are cut."""
        return decimal_text(self.quote(product))


def units_text(units: int, places: int = PLACES) -> str:
    """Print a count of the last of so many decimal places."""
    if units < 0:
        return "-" + units_text(-units, places)
    whole, rest = divmod(units, 10**places)
    return f"{whole}.{rest:0{places}d}"


def decimal_text(value: Decimal) -> str:
    """Print a decimal with eight places; further digits are cut."""
    return units_text(int(value * _UNIT))


def _places(step: Decimal) -> int:
    return max(PLACES, -int(step.normalize().as_tuple().exponent))


def _whole(value: Decimal, step: Decimal) -> int | None:
    count, rest = divmod(value, step)
    return None if rest else int(count)
