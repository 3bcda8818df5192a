"""Errors of exchanges, classified by what they mean for the request.

MillraceError
├── ExchangeError            exchange, action, kind   root of all failures of an exchange or its connection
│   ├── Retryable            retry_after_ms           nothing was done; the same may be tried again later
│   ├── Rejected             reason                   not done as asked, nor will it be if sent again as it is
│   ├── OutcomeUnknown                                it may have been done: ask, never send again
│   └── Fatal                                         the account cannot trade: stop it and alert people
├── UnknownExchange          exchange                 ccxt has no exchange of that id, or none with streams
└── UnsupportedCcxt          found, wanted            the installed ccxt is not the required version
"""

from typing import Final

from millrace_core.errors import MillraceError

UNREACHABLE_RETRY_AFTER_MS: Final = 1_000
"""Pause after a failure that names none, such as an unreachable exchange."""


class UnknownExchange(MillraceError):
    """No exchange of this id can be opened."""

    def __init__(self, exchange: str) -> None:
        super().__init__(f"ccxt has no exchange {exchange!r} with streams; use a ccxt id such as binance or kucoin")
        self.exchange = exchange


class UnsupportedCcxt(MillraceError):
    """The installed ccxt is not the version that the adapter was built for."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(f"ccxt {found} is installed, but {wanted} is required: install requirements.lock")
        self.found = found
        self.wanted = wanted


class ExchangeError(MillraceError):
    """Root of the failures of an exchange; always one of the four classes below."""

    def __init__(self, message: str, *, exchange: str, action: str, kind: str) -> None:
        super().__init__(message)
        self.exchange = exchange
        self.action = action
        """The action, such as `createOrder`."""
        self.kind = kind
        """Name of ccxt's class for it, such as `InsufficientFunds`."""

    @property
    def retry_after_s(self) -> float:
        """Return the seconds that the exchange wants us to wait; 0 if it names none."""
        return 0.0


class Retryable(ExchangeError):
    """Nothing was done; the request may be tried again."""

    def __init__(self, message: str, *, exchange: str, action: str, kind: str, retry_after_ms: int) -> None:
        super().__init__(message, exchange=exchange, action=action, kind=kind)
        self.retry_after_ms = retry_after_ms
        """How long to wait first."""

    @property
    def retry_after_s(self) -> float:
        """Return the seconds to wait first."""
        return self.retry_after_ms / 1000


class Rejected(ExchangeError):
    """Not done as asked; the same request will not succeed if it is tried again."""

    @property
    def reason(self) -> str:
        """Say why, in the exchange's words."""
        return str(self)


class OutcomeUnknown(ExchangeError):
    """It may or may not have been done: to be settled by asking, never by sending again."""


class Fatal(ExchangeError):
    """The account cannot trade any more, such as when its key was revoked."""
