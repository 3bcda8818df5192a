"""Accounts: keys, fees, and balances in exact decimals."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from millrace_simulator.venue.errors import InsufficientBalance

ZERO = Decimal(0)


class AccountSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The settings of an account; one of `secret` and `public_key` is set."""

    api_key: str
    secret: str | None = None
    """HMAC-SHA256 secret."""
    public_key: str | None = None
    """Ed25519 public key, PEM."""
    passphrase: str | None = None
    """What an exchange asks for beside key and signature; None where it asks for none."""
    high_frequency: bool = True
    """KuCoin: whether clients are told to trade by the high-frequency paths."""
    balances: dict[str, Decimal] = {}
    maker_rate: Decimal = Decimal("0.001")
    """Commission as a share of the amount traded."""
    taker_rate: Decimal = Decimal("0.001")


class Balance(Struct, frozen=True):
    """An account's balance of one asset."""

    asset: str
    free: Decimal
    locked: Decimal
    """Held by open orders."""


class Account:
    """A client of the venue and its balances."""

    def __init__(self, account_id: int, settings: AccountSettings, created_us: int) -> None:
        self.account_id = account_id
        self.settings = settings
        self.api_key = settings.api_key
        self.secret = settings.secret
        self.public_key = settings.public_key
        self.passphrase = settings.passphrase
        self.maker_rate = settings.maker_rate
        self.taker_rate = settings.taker_rate
        self.updated_us = created_us
        self._free: dict[str, Decimal] = dict(settings.balances)
        self._locked: dict[str, Decimal] = {}

    def resume(self, balance: Balance) -> None:
        """Set a balance to that of an earlier run, when no order is open."""
        self._free[balance.asset] = balance.free

    @property
    def balances(self) -> tuple[Balance, ...]:
        """Return every asset that the account has or had, sorted by name."""
        return tuple(self.balance(asset) for asset in sorted(self._free.keys() | self._locked.keys()))

    def balance(self, asset: str) -> Balance:
        """Return the account's balance of an asset; zero when it never had any."""
        return Balance(asset, self._free.get(asset, ZERO), self._locked.get(asset, ZERO))

    def free(self, asset: str) -> Decimal:
        """Return the free balance, which can be locked, spent or withdrawn."""
        return self._free.get(asset, ZERO)

    def credit(self, asset: str, amount: Decimal) -> None:
        """Add to the free amount."""
        self._free[asset] = self._free.get(asset, ZERO) + amount

    def debit(self, asset: str, amount: Decimal) -> None:
        """Take from the free amount.

        Raises:
            InsufficientBalance: less than that is free; nothing was taken.
        """
        free = self._free.get(asset, ZERO)
        if free < amount:
            raise InsufficientBalance(asset, amount, free)
        self._free[asset] = free - amount

    def lock(self, asset: str, amount: Decimal) -> None:
        """Move from free to locked.

        Raises:
            InsufficientBalance: less than that is free; nothing was moved.
        """
        self.debit(asset, amount)
        self._locked[asset] = self._locked.get(asset, ZERO) + amount

    def unlock(self, asset: str, amount: Decimal) -> None:
        """Move from locked back to free."""
        self._locked[asset] = self._locked[asset] - amount
        self.credit(asset, amount)

    def spend_locked(self, asset: str, amount: Decimal) -> None:
        """Take from the locked amount."""
        self._locked[asset] = self._locked[asset] - amount
