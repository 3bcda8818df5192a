"""What a symbol says of its market: what is traded, and in which currency profit is. Pure."""

from typing import NamedTuple


class Instrument(NamedTuple):
    """A market by ccxt's symbol: `ETH/USDT`, or a derivative such as `ETH/USDT:USDT-261225`."""

    base: str
    quote: str
    settle: str | None = None
    """The currency in which a derivative is settled; None for a spot market."""

    @classmethod
    def of(cls, symbol: str) -> "Instrument":
        """Return the instrument of a symbol; one of another form has no quote currency."""
        pair, _, settled = symbol.partition(":")
        base, _, quote = pair.partition("/")
        return cls(base, quote, settled.partition("-")[0] or None)

    @property
    def currency(self) -> str:
        """The currency of cost and profit."""
        return self.settle or self.quote

    def takes_from_quantity(self, currency: str) -> bool:
        """Tell whether a fee in a currency makes the received quantity smaller, or the given one larger."""
        return self.settle is None and currency == self.base

    @property
    def is_inverse(self) -> bool:
        """Tell whether a contract is settled in what it is about: its value falls as the price rises."""
        return self.settle is not None and self.settle == self.base


def is_misspelt(currency: str) -> bool:
    """Tell whether a currency's code is in small letters, as no exchange writes one: nothing is ever equal to it."""
    return currency == currency.lower() != currency.upper()
