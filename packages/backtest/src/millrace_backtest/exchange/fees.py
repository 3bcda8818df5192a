"""What exchanges charge for a fill. Pure."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from millrace_core.errors import MillraceError
from millrace_core.instrument import Instrument
from millrace_core.position import EXACT, Fee, plain

ANY_EXCHANGE: Final = "*"
QUOTE: Final = "quote"
_PLACES: Final = 12
"""Decimals of a fee in a currency of its own."""


class FeesUnreadable(MillraceError):
    """A text does not say what an exchange charges."""


class FeeRates(NamedTuple):
    """The rates of one exchange, as shares of what is traded; below zero for a rebate."""

    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    currency: str | None = None
    """In which currency fees are taken: None for the one that is received, `quote`, or the code of another one."""

    def fee(self, fill: "Charged", price_of: Callable[[str, str], Decimal | None]) -> Fee:
        """Return the fee of a fill; `price_of` returns the price of a currency in another one, None if unknown.

        Where the price of the fee's currency is not known, the fee is taken in quote currency.
        """
        rate = self.maker if fill.is_maker else self.taker
        instrument = Instrument.of(fill.symbol)
        if self.currency is None and fill.is_buy and instrument.settle is None:
            return Fee(plain(EXACT.multiply(fill.amount, rate)), instrument.base)
        cost = plain(EXACT.multiply(EXACT.multiply(fill.price, fill.amount), rate))
        if self.currency in (None, QUOTE, instrument.currency):
            return Fee(cost, instrument.currency)
        price = price_of(str(self.currency), instrument.currency)
        if not price:
            return Fee(cost, instrument.currency)
        return Fee(_cut(cost, price), str(self.currency), price)


class Charged(NamedTuple):
    """What of a fill its fee depends on."""

    symbol: str
    is_buy: bool
    is_maker: bool
    price: Decimal
    amount: Decimal


def _cut(cost: Decimal, price: Decimal) -> Decimal:
    """Return an amount of money in units of a currency with a price, cut after `_PLACES`."""
    units = EXACT.divide_int(EXACT.scaleb(cost, _PLACES), price)
    return plain(EXACT.scaleb(units, -_PLACES))


def read_fees(texts: Iterable[str]) -> Mapping[str, FeeRates]:
    """Return the rates by exchange, `*` for all others, from texts such as `0.001`, `binance=0.0002/0.0004/quote`.

    Raises:
        FeesUnreadable: a text has another form.
    """
    rates = {ANY_EXCHANGE: FeeRates()}
    for text in texts:
        exchange, equals, given = text.rpartition("=")
        maker, *rest = given.split("/")
        try:
            numbers = [Decimal(part) for part in (maker, *rest[:1])]
        except InvalidOperation as error:
            raise FeesUnreadable(_WANTED.format(text)) from error
        if len(rest) > 2 or not all(number.is_finite() and abs(number) < 1 for number in numbers):
            raise FeesUnreadable(_WANTED.format(text))
        currency = rest[1] if len(rest) == 2 else None
        rates[exchange if equals else ANY_EXCHANGE] = FeeRates(numbers[0], numbers[-1], currency)
    return rates


_WANTED = "{!r} are no fees: write MAKER/TAKER as shares, such as 0.0008/0.001, or EXCHANGE=MAKER/TAKER/CURRENCY"
