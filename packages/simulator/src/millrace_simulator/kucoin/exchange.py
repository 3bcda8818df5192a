"""The venue behind KuCoin's protocol, and the two kinds of operations on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from millrace_simulator.config import Limits
from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.ids import order_number
from millrace_simulator.kucoin.limits import Pool, RateLimits
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.kucoin.tokens import Tokens
from millrace_simulator.venue import Account, Instrument, Venue


@dataclass(frozen=True)
class PublicOperation:
    """An operation that needs no API key; it draws from the pool of the client's address."""

    run: Callable[[Exchange, Parameters], Any]
    weight: int


@dataclass(frozen=True)
class AccountOperation:
    """An operation that needs an API key and a signature; it draws from a pool of the account."""

    run: Callable[[Exchange, Account, Parameters], Any]
    weight: int
    pool: Pool = Pool.SPOT


Operation = PublicOperation | AccountOperation


class Exchange:
    """The exchange that every operation works on."""

    def __init__(self, venue: Venue, limits: Limits) -> None:
        self.venue = venue
        sizes = {
            Pool.PUBLIC: limits.public_weight_per_30_seconds,
            Pool.SPOT: limits.spot_weight_per_30_seconds,
            Pool.MANAGEMENT: limits.management_weight_per_30_seconds,
        }
        self.limits = RateLimits(sizes, self.now_ms, enforced=limits.enforce)
        self.tokens = Tokens(self.now_ms)
        self.altered: dict[tuple[str, int], int] = {}
        """By symbol and number of an order that an alteration made, the one whose place, and client's id, it took."""

    def now_ms(self) -> int:
        """Return the exchange's own time, ms."""
        return self.venue.clock.now_us() // 1000

    def instrument(self, parameters: Parameters) -> Instrument:
        """Return the instrument that the mandatory parameter `symbol` names.

        Raises:
            KucoinError: it was not sent, or is not listed.
        """
        instrument = self.venue.instruments.get(parameters.required("symbol"))
        if instrument is None:
            raise errors.unknown_symbol()
        return instrument

    def instruments(self, parameters: Parameters) -> list[Instrument]:
        """Return the instrument that `symbol` names, or all when it was not sent.

        Raises:
            KucoinError: it is not listed.
        """
        if parameters.text("symbol") is None:
            return list(self.venue.instruments.values())
        return [self.instrument(parameters)]

    def order_place(self, order_id: str) -> tuple[str, int]:
        """Return the symbol and the number of the order that an id may name.

        Raises:
            LookupError: no listed symbol has orders of such ids.
        """
        for symbol in self.venue.instruments:
            if (number := order_number(symbol, order_id)) is not None:
                return symbol, number
        raise LookupError(order_id)
