"""The venue behind Binance's protocol: rate limits, clock and API keys.

Both faces, REST and the WebSocket API, take a request the same way:

    exchange.charge(operation, parameters, address)
    account = exchange.authenticate(api_key, parameters, payload, signature)    # for an AccountOperation
    answer = exchange.perform(operation, account, parameters)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from millrace_simulator.binance import errors, signing
from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.limits import BINANCE_LIMITS, RateLimit, RateLimits, UnfilledOrders
from millrace_simulator.binance.parameters import SYMBOL, Parameters
from millrace_simulator.binance.times import Time
from millrace_simulator.venue import Account, Instrument, Venue
from millrace_simulator.venue.errors import UnknownApiKey

SIGNING = ("timestamp", "recvWindow", "signature")
"""The parameters of every signed request."""
API_KEY = re.compile(r"[\x21-\x7e]{1,256}")


@dataclass(frozen=True)
class PublicOperation:
    """An operation that needs no API key."""

    run: Callable[[Exchange, Parameters], Any]
    weight: int | Callable[[Parameters], int] = 1
    needs: tuple[str, ...] = ()
    """The parameters without which it is refused."""
    takes: tuple[str, ...] = ()
    """The other parameters that it reads."""


@dataclass(frozen=True)
class AccountOperation:
    """An operation that needs an API key and a signature."""

    run: Callable[[Exchange, Account, Parameters], Any]
    weight: int | Callable[[Parameters], int] = 1
    needs: tuple[str, ...] = ()
    """The parameters without which it is refused, beside those of every signed request."""
    takes: tuple[str, ...] = ()
    """The other parameters that it reads."""
    orders: int = 0
    """New orders that it counts against the account's order limits."""


Operation = PublicOperation | AccountOperation


class Exchange:
    """The exchange that every operation works on."""

    def __init__(
        self, venue: Venue, rules: Iterable[RateLimit] = BINANCE_LIMITS, *, enforce_limits: bool = True
    ) -> None:
        self.venue = venue
        self.limits = RateLimits(rules, self.now_ms, enforced=enforce_limits)
        venue.listen(UnfilledOrders(self.limits))

    def now(self) -> Time:
        """Return the exchange's own time, as answers show it."""
        return Time(self.venue.clock.now_us())

    def now_ms(self) -> int:
        """Return the exchange's own time, ms."""
        return self.venue.clock.now_us() // 1000

    def instrument(self, parameters: Parameters) -> Instrument:
        """Return the instrument that the mandatory parameter `symbol` names.

        Raises:
            BinanceError: -1102 without one, -1100 for an invalid symbol, -1121 for one that is not listed.
        """
        return self.instrument_named(parameters.required("symbol", SYMBOL))

    def instrument_named(self, symbol: str) -> Instrument:
        """Return the listed symbol.

        Raises:
            BinanceError: -1121 for one that is not listed.
        """
        instrument = self.venue.instruments.get(symbol)
        if instrument is None:
            raise errors.invalid_symbol()
        return instrument

    def charge(self, operation: Operation, parameters: Parameters, address: str) -> None:
        """Count a request against its address, before anything else is looked at.

        Raises:
            TooManyRequestsError: the address is over its limit or banned.
        """
        weight = operation.weight if isinstance(operation.weight, int) else operation.weight(parameters)
        self.limits.charge_request(address, weight)

    def authenticate(self, api_key: str | None, parameters: Parameters, payload: str, signature: str | None) -> Account:
        """Return the account that sends a request whose signature must cover `payload`.

        Raises:
            BinanceError: -2014 or -2015 for the key, -1021 for the time, -1022 for the signature.
        """
        account = self.account(api_key)
        signing.check_timing(parameters, self.now_ms())
        signing.check_signature(payload, signature, secret=account.secret, public_key=account.public_key)
        return account

    def account(self, api_key: str | None) -> Account:
        """Return the account that a key belongs to, before any signature is checked.

        Raises:
            BinanceError: -2014 when none was sent, -2015 when it is unknown.
        """
        if api_key is None or not API_KEY.fullmatch(api_key):
            raise errors.bad_key_format()
        try:
            return self.venue.account_by_key(api_key)
        except UnknownApiKey:
            raise errors.rejected_key() from None

    def perform(
        self, operation: Operation, account: Account | None, parameters: Parameters, envelope: tuple[str, ...] = ()
    ) -> Any:
        """Return the operation's answer, ready to be encoded as JSON; `envelope` names what the protocol itself reads.

        Raises:
            BinanceError: it was refused; nothing was changed, or the error's data says what was.
        """
        signed = SIGNING if isinstance(operation, AccountOperation) else ()
        parameters.check_names(operation.needs, (*operation.takes, *signed, *envelope))
        if isinstance(operation, PublicOperation):
            return operation.run(self, parameters)
        if account is None:
            raise errors.bad_key_format()
        user = str(account.account_id)
        self.limits.charge_orders(user, operation.orders)
        try:
            return operation.run(self, account, parameters)
        except BinanceError as refusal:
            # Only what the engine was given counts, and a cancel-replace counts even where it placed nothing.
            if refusal.data is None:
                self.limits.give_back_orders(user, operation.orders)
            raise
