"""What an exchange's answer means for what was asked of it.

MillraceError
├── ExchangeError            exchange, action, kind   everything that an exchange, or the way to it, did to us
│   ├── Retryable            retry_after_ms           nothing was done; the same may be tried again later
│   ├── Rejected             reason                   not done as asked, nor will it be if sent again as it is
│   ├── OutcomeUnknown                                it may have been done: ask, never send again
│   └── Fatal                                         the account cannot trade: stop it and tell people
├── UnknownExchange          exchange                 ccxt has no exchange of that id, or none with streams
└── UnsupportedCcxt          found, wanted            the ccxt that is installed is not the one built upon
"""

from typing import Final

from millrace_core.errors import MillraceError

UNREACHABLE_RETRY_AFTER_MS: Final = 1_000
"""How long to wait after a failure that says nothing of when to come back, such as an exchange out of reach."""


class UnknownExchange(MillraceError):
    """No exchange of this id can be opened."""

    def __init__(self, exchange: str) -> None:
        super().__init__(f"ccxt has no exchange {exchange!r} with streams; ids look like binance, kucoin")
        self.exchange = exchange


class UnsupportedCcxt(MillraceError):
    """Another version of ccxt is installed than the one whose inner workings are built upon."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(f"ccxt {found} is installed, but {wanted} is needed: install what requirements.lock pins")
        self.found = found
        self.wanted = wanted


class ExchangeError(MillraceError):
    """Root of what an exchange did; always one of the four meanings below."""

    def __init__(self, message: str, *, exchange: str, action: str, kind: str) -> None:
        super().__init__(message)
        self.exchange = exchange
        self.action = action
        """What was asked, such as `createOrder`."""
        self.kind = kind
        """Name of ccxt's class for it, such as `InsufficientFunds`."""


class Retryable(ExchangeError):
    """Certainly nothing was done; the same may be tried again."""

    def __init__(self, message: str, *, exchange: str, action: str, kind: str, retry_after_ms: int) -> None:
        super().__init__(message, exchange=exchange, action=action, kind=kind)
        self.retry_after_ms = retry_after_ms
        """How long to wait first."""


class Rejected(ExchangeError):
    """Certainly not done as asked, and the same request will not succeed by trying again."""

    @property
    def reason(self) -> str:
        """Say why, in the exchange's words."""
        return str(self)


class OutcomeUnknown(ExchangeError):
    """It may or may not have been done: to be settled by asking, never by sending again."""


class Fatal(ExchangeError):
    """The account cannot trade any more, such as when its key was revoked."""
